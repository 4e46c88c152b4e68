"""PodTemplate: a template of pods, for those who make pods of it."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.columns import NAME, NONE
from mizzen.kinds.core.pod_rules import default_pod_spec, validate_template
from mizzen.kinds.kind import Column
from mizzen.kinds.reading import entries, part
from mizzen.kinds.upstream import resource_named, upstream_kind

_POLICIES = ("Always", "OnFailure", "Never")


def _default(template: Obj) -> None:
    if "spec" in template["template"]:
        default_pod_spec(template["template"]["spec"])


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    return validate_template(new["template"], "template", _POLICIES)


def _joined(template: Obj, field: str) -> str:
    containers = entries(template, "template.spec.containers")
    return ",".join(str(container.get(field) or "") for container in containers)


def _labels(template: Obj, now_ns: int) -> str:
    labels = part(template, "template.metadata.labels")
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


KIND = upstream_kind(
    resource_named("", "podtemplates"),
    "A template of pods, for those who make pods of it.",
    is_acted_upon=False,
    default=_default,
    validate=_validate,
    columns=(
        NAME,
        Column("Containers", lambda t, now: _joined(t, "name")),
        Column("Images", lambda t, now: _joined(t, "image")),
        Column("Pod Labels", _labels),
    ),
)
