"""Applies a Job's pod failure policy and success policy.

Source: pkg/controller/job/pod_failure_policy.go, success_policy.go; KEP-3329, KEP-3850, KEP-3998.
"""

from __future__ import annotations

from typing import NamedTuple

from mizzen.base.indexes import Indexes
from mizzen.base.objects import Obj, key_of
from mizzen.base.reading import entries, part
from mizzen.controllers.core.pods import status_of

FAIL_JOB, FAIL_INDEX, IGNORE, COUNT = "FailJob", "FailIndex", "Ignore", "Count"


class Match(NamedTuple):
    """The first rule that fits a failed pod, in words for the job's condition."""

    action: str
    message: str


def match_failure(job: Obj, pod: Obj) -> Match | None:
    """The rule of podFailurePolicy that this failed pod falls under; None: it just counts."""
    for index, rule in enumerate(entries(job, "spec", "podFailurePolicy", "rules")):
        action = str(rule.get("action"))
        if rule.get("onExitCodes"):
            found = _match_exit(pod, part(rule, "onExitCodes"))
            if found:
                name, code = found
                what = f"Container {name} for pod {key_of(pod)} failed with exit code {code}"
                return Match(action, f"{what} matching {action} rule at index {index}")
        else:
            kind = _match_condition(pod, entries(rule, "onPodConditions"))
            if kind:
                what = f"Pod {key_of(pod)} has condition {kind}"
                return Match(action, f"{what} matching {action} rule at index {index}")
    return None


def _match_exit(pod: Obj, wanted: Obj) -> tuple[str, int] | None:
    codes: list[int] = wanted.get("values") or []
    status = status_of(pod)
    for field in ("containerStatuses", "initContainerStatuses"):
        for container in entries(status, field):
            code = part(container, "state", "terminated").get("exitCode")
            if wanted.get("containerName") not in (None, container.get("name")) or not code:
                continue
            if (code in codes) == (wanted.get("operator") == "In"):
                return str(container.get("name")), int(code)
    return None


def _match_condition(pod: Obj, patterns: list[Obj]) -> str:
    """The type of the first condition of the pod that one of the patterns names."""
    for found in entries(pod, "status", "conditions"):
        for pattern in patterns:
            wanted = pattern.get("type"), pattern.get("status") or "True"
            if wanted == (found.get("type"), found.get("status")):
                return str(found["type"])
    return ""


def match_success(job: Obj, succeeded: Indexes) -> str:
    """The words for the rule of successPolicy that is met, "" while none is."""
    for index, rule in enumerate(entries(job, "spec", "successPolicy", "rules")):
        count = rule.get("succeededCount")
        listed = rule.get("succeededIndexes")
        if listed is not None:
            required = Indexes.parse(str(listed))
            is_met = len(required & succeeded) >= (len(required) if count is None else int(count))
        else:
            is_met = count is not None and len(succeeded) >= int(count)
        if is_met:
            return f"Matched rules at index {index}"
    return ""
