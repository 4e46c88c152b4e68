"""Objects of `apps` as the API server's kinds take them in."""

from __future__ import annotations

import copy
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds

LABELS = {"app": "web"}
NOW_NS = 1_800_000_000_000_000_000


def kind_of(resource: Resource) -> Kind:
    return builtin_kinds()[resource.group, resource.plural]


def made(resource: Resource, *, labels: Any = LABELS, pod: Any = None, **spec: Any) -> Obj:
    """A workload as it is stored: decoded, with its defaults and its first status."""
    containers = [{"name": "c", "image": "x"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **(pod or {})}}
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": "w", "namespace": "default", "uid": "u"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template, **spec},
    }
    kind = kind_of(resource)
    decoded = kind.decode(body)
    assert not decoded.causes and not decoded.unknown, decoded
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    return decoded.object


def changed(resource: Resource, old: Obj, **spec: Any) -> Obj:
    """The object after an update of its spec."""
    new = copy.deepcopy(old)
    new["spec"] |= spec
    kind_of(resource).prepare_update(new, old)
    return new


def fields(causes: list[Cause]) -> list[str]:
    return [cause.field for cause in causes]


def wrong(resource: Resource, **spec: Any) -> list[str]:
    """The fields for which a creation is refused."""
    return fields(kind_of(resource).check(made(resource, **spec), None))


def cells(resource: Resource, obj: Obj) -> dict[str, Any]:
    return {column.name: column.cell(obj, NOW_NS) for column in kind_of(resource).columns}
