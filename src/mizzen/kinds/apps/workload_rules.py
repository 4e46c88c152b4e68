"""Checks, warnings and columns that the kinds which keep pods of a template have in common.

Source: pkg/apis/apps/validation/validation.go, pkg/printers/internalversion, Kubernetes 1.36.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.go_text import marshalled
from mizzen.base.objects import Obj
from mizzen.base.selectors import from_object, labels_equal, selector_text
from mizzen.kinds.columns import NONE
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.core.pod_rules import default_pod_spec, validate_template
from mizzen.kinds.core.pod_warnings import warn_of_template
from mizzen.kinds.kind import Column
from mizzen.kinds.metadata import IMMUTABLE
from mizzen.kinds.names import dns_label
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.report import quoted

_PERCENT = re.compile(r"[0-9]+%")
NO_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)
_TEMPLATE = "spec.template"


def default_template(workload: Obj) -> None:
    """Completes the pods' template in place."""
    default_pod_spec(part(workload, "spec.template.spec"))


# -- causes -----------------------------------------------------------------------------


def invalid(path: str, value: Any, message: str) -> Cause:
    """A cause as upstream words it: what is no plain value is shown as JSON."""
    shown = json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else quoted(value)
    return Cause(path, f"Invalid value: {shown}: {message}")


def required(path: str, message: str = "") -> Cause:
    text = f"Required value: {message}" if message else "Required value"
    return Cause(path, text, "FieldValueRequired")


def forbidden(path: str, message: str) -> Cause:
    return Cause(path, f"Forbidden: {message}", "FieldValueForbidden")


def unsupported(path: str, value: Any, *supported: str) -> Cause:
    allowed = ", ".join(f'"{each}"' for each in supported)
    message = f"Unsupported value: {quoted(value)}: supported values: {allowed}"
    return Cause(path, message, "FieldValueNotSupported")


# -- selectors and templates ------------------------------------------------------------


def check_workload(
    new: Obj, empty: str, kind: str, unreadable: str | None = "invalid label selector"
) -> list[Cause]:
    """Causes to refuse the selector and the template of a workload, in upstream's order.

    Upstream names a ReplicaSet a deployment where its selector is `empty`, and a Deployment a
    ReplicaSet where its `kind` is named. `unreadable`: what it says of a selector that it cannot
    read, None for nothing.
    """
    spec = part(new, "spec")
    selector = part(spec, "selector")
    causes = check_label_selector(selector, "spec.selector")
    is_wrong = bool(causes)
    if "selector" in spec and not any(selector.values()):
        message = f"empty selector is invalid for {empty}"
        causes.append(invalid("spec.selector", selector, message))
    labels = part(new, "spec.template.metadata.labels")
    if is_wrong:
        if unreadable is not None:  # then nothing is said of the template
            shown = f"Invalid value: {marshalled(selector)}"
            message = f"{shown}: {unreadable}" if unreadable else shown
            return [*causes, Cause("spec.selector", message)]
    elif (wanted := from_object(spec.get("selector"))) is None or not wanted.matches(labels):
        causes.append(_unselected(get(new, f"{_TEMPLATE}.metadata.labels")))
    return causes + check_template(new, kind)


def check_fixed_selector(new: Obj, old: Obj | None) -> list[Cause]:
    """What a workload selects cannot change."""
    before, after = get(old, "spec.selector"), get(new, "spec.selector")
    if old is None or before == after:
        return []
    return [invalid("spec.selector", after, IMMUTABLE)]


def check_plain_selector(controller: Obj) -> list[Cause]:
    """As above for the plain labels that a ReplicationController selects by."""
    selector = part(controller, "spec.selector")
    if not selector:
        return [required("spec.selector")]
    labels = part(controller, "spec.template.metadata.labels")
    if labels_equal(selector).matches(labels):
        return []
    return [_unselected(get(controller, f"{_TEMPLATE}.metadata.labels"))]


def _unselected(labels: Obj | None) -> Cause:
    message = "`selector` does not match template `labels`"
    return invalid(f"{_TEMPLATE}.metadata.labels", labels, message)


def check_template(workload: Obj, word: str) -> list[Cause]:
    """Causes to refuse a template whose pods are to run for ever."""
    causes = validate_template(part(workload, _TEMPLATE), _TEMPLATE, ("Always",))
    if get(workload, f"{_TEMPLATE}.spec.activeDeadlineSeconds") is not None:
        path = f"{_TEMPLATE}.spec.activeDeadlineSeconds"
        causes.append(forbidden(path, f"activeDeadlineSeconds in {word} is not Supported"))
    return causes


# -- numbers ----------------------------------------------------------------------------


def check_counts(obj: Obj, *paths: str) -> list[Cause]:
    """A cause for every number, by dotted path, that is negative."""
    found = ((path, get(obj, path)) for path in paths)
    return [
        invalid(path, value, "must be greater than or equal to 0")
        for path, value in found
        if isinstance(value, int) and value < 0
    ]


def check_share(value: int | str | None, path: str) -> list[Cause]:
    """A number or a percentage."""
    if isinstance(value, str):
        return [] if _PERCENT.fullmatch(value) else [invalid(path, value, NO_PERCENT)]
    if value is not None and value < 0:
        return [invalid(path, value, "must be greater than or equal to 0")]
    return []


def check_at_most_all(value: int | str | None, path: str) -> list[Cause]:
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def is_zero(value: int | str | None) -> bool:
    """True for 0, "0%" and no value."""
    if isinstance(value, str):
        return _PERCENT.fullmatch(value) is None or int(value[:-1]) == 0
    return not value


def check_status(status: Obj, counts: tuple[str, ...], bounded: tuple[str, ...]) -> list[Cause]:
    """No count is negative; none of `bounded` exceeds replicas, nor available ready ones."""
    causes = [
        invalid(f"status.{name}", status[name], "must be greater than or equal to 0")
        for name in counts
        if int(status.get(name) or 0) < 0
    ]
    replicas, ready = int(status.get("replicas") or 0), int(status.get("readyReplicas") or 0)
    for name in bounded:
        if int(status.get(name) or 0) > replicas:
            text = "cannot be greater than status.replicas"
            causes.append(invalid(f"status.{name}", status[name], text))
    if int(status.get("availableReplicas") or 0) > ready:
        text = "cannot be greater than readyReplicas"
        causes.append(invalid("status.availableReplicas", status["availableReplicas"], text))
    return causes


def check_collisions(new: Obj, old: Obj | None) -> list[Cause]:
    before, after = get(old, "status.collisionCount"), get(new, "status.collisionCount")
    if before is None or (after is not None and after >= before):
        return []
    return [invalid("status.collisionCount", after or 0, "cannot be decremented")]


# -- warnings and columns ---------------------------------------------------------------


def warn_of_name(workload: Obj) -> list[str]:
    """Warnings for a workload whose name becomes part of host names, and for its template."""
    found = warn_of_template(workload)
    problem = dns_label(str(workload["metadata"].get("name") or ""))
    if problem:
        found.insert(
            0,
            "metadata.name: this is used in Pod names and hostnames, which can result in "
            f"surprising behavior; a DNS label is recommended: [{problem}]",
        )
    return found


def count(path: str) -> Callable[[Obj, int], int]:
    """The cell with the number at a dotted path, 0 without one."""

    def cell(obj: Obj, now_ns: int) -> int:
        return int(get(obj, path) or 0)

    return cell


def ready_of_wanted(workload: Obj, now_ns: int) -> str:
    ready, wanted = get(workload, "status.readyReplicas"), get(workload, "spec.replicas")
    return f"{ready or 0}/{wanted or 0}"


def _containers(workload: Obj, now_ns: int) -> str:
    return ",".join(each["name"] for each in _containers_of(workload))


def _images(workload: Obj, now_ns: int) -> str:
    return ",".join(str(each.get("image") or "") for each in _containers_of(workload))


def _containers_of(workload: Obj) -> list[Any]:
    return entries(workload, "spec.template.spec.containers")


def _selector(workload: Obj, now_ns: int) -> str:
    selector = part(workload, "spec.selector")
    if workload.get("kind") == "ReplicationController":
        return selector_text({"matchLabels": selector}) or NONE
    return selector_text(selector) or NONE


CONTAINERS = Column(
    "Containers", _containers, priority=1, description="Names of each container in the template."
)
IMAGES = Column(
    "Images",
    _images,
    priority=1,
    description="Images referenced by each container in the template.",
)
SELECTOR = Column("Selector", _selector, priority=1)
