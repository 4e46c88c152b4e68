"""Options of requests that contradict each other or are misspelt, refused in upstream's words.

Source: apimachinery `meta/internalversion/validation`, `meta/v1/validation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mizzen.base.errors import Cause, Invalid, invalid
from mizzen.kinds import causes

_MATCH = "resourceVersionMatch"
_LEVELS = ("", "Ignore", "Strict", "Warn")
_POLICIES = ("Foreground", "Background", "Orphan", "nil")


def refused(kind: str, found: Sequence[Cause]) -> Invalid:
    """For `kind` of options, such as ListOptions."""
    return invalid(kind, "meta.k8s.io", "", found)


def check_list(params: Mapping[str, str]) -> None:
    """Errors: Invalid."""
    match, revision = params.get(_MATCH, ""), params.get("resourceVersion", "")
    found: list[Cause] = []
    if match:
        if not revision:
            text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            found.append(causes.forbidden(_MATCH, text))
        if params.get("continue"):
            text = "resourceVersionMatch is forbidden when continue is provided"
            found.append(causes.forbidden(_MATCH, text))
        if match not in ("Exact", "NotOlderThan"):
            found.append(causes.unsupported(_MATCH, match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and revision == "0":
            text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            found.append(causes.forbidden(_MATCH, text))
    if "sendInitialEvents" in params:
        text = "sendInitialEvents is forbidden for list"
        found.append(causes.forbidden("sendInitialEvents", text))
    if found:
        raise refused("ListOptions", found)


def check_watch(params: Mapping[str, str]) -> None:
    """Errors: Invalid."""
    match, initial = params.get(_MATCH, ""), "sendInitialEvents" in params
    found: list[Cause] = []
    if initial and match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        found.append(causes.forbidden(_MATCH, text))
    if match:
        if not initial:
            text = (
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
            found.append(causes.forbidden(_MATCH, text))
        if match != "NotOlderThan":
            found.append(causes.unsupported(_MATCH, match, ("NotOlderThan",)))
    if found:
        raise refused("ListOptions", found)


def level_of(params: Mapping[str, str], kind: str) -> str:
    """fieldValidation: Strict, Warn or Ignore. Errors: Invalid."""
    level = params.get("fieldValidation") or "Warn"
    if level not in _LEVELS:
        raise refused(kind, [causes.unsupported("fieldValidation", level, _LEVELS)])
    return level


def is_dry(said: Sequence[str], kind: str) -> bool:
    """Errors: Invalid for what is misspelt: it would change something after all."""
    if any(each != "All" for each in said):
        raise refused(kind, [causes.unsupported("dryRun", list(said), ("All",))])
    return bool(said)


def check_propagation(policy: str, orphans: bool | None) -> None:
    """Errors: Invalid."""
    path = "propagationPolicy"
    if policy and policy not in _POLICIES[:3]:
        raise refused("DeleteOptions", [causes.unsupported(path, policy, _POLICIES)])
    if policy and orphans is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        raise refused("DeleteOptions", [causes.invalid(path, policy, text)])
