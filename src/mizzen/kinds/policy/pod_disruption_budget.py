"""PodDisruptionBudget: how many of some pods may be evicted at a time.

Source: pkg/apis/policy/validation, Kubernetes 1.36.
"""

from __future__ import annotations

import re

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import POD_DISRUPTION_BUDGETS
from mizzen.kinds import causes as words
from mizzen.kinds.columns import AGE, NAME, Column, of
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.names import path_segment
from mizzen.kinds.reading import part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

_FIELDS = ("minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_PERCENT = re.compile(r"[0-9]+%")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    causes: list[Cause] = []
    if "minAvailable" in spec and "maxUnavailable" in spec:
        shown = {each[0].upper() + each[1:]: spec.get(each) for each in _FIELDS}  # as Go has it
        what = "minAvailable and maxUnavailable cannot be both set"
        causes.append(words.invalid("spec", shown, what))
    for name in ("minAvailable", "maxUnavailable"):
        value, path = spec.get(name), f"spec.{name}"
        if isinstance(value, int) and value < 0:
            causes.append(words.invalid(path, value, "must be greater than or equal to 0"))
        elif isinstance(value, str) and not _PERCENT.fullmatch(value):
            what = (
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. "
                "'1%',  or '93%', regex used for validation is '[0-9]+%')"
            )
            causes.append(words.invalid(path, value, what))
        elif isinstance(value, str) and int(value[:-1]) > 100:
            causes.append(words.invalid(path, value, "must not be greater than 100%"))
    if "selector" in spec:
        causes += check_label_selector(part(spec, "selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _POLICIES:
        causes.append(words.unsupported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES))
    return causes


KIND = upstream_kind(
    POD_DISRUPTION_BUDGETS,
    "How many of some pods may be evicted at a time.",
    name_rule=path_segment,
    any_finalizer=True,
    validate=_validate,
    columns=(
        NAME,
        Column("Min Available", lambda pdb, now: str(part(pdb, "spec").get("minAvailable", "N/A"))),
        Column(
            "Max Unavailable", lambda pdb, now: str(part(pdb, "spec").get("maxUnavailable", "N/A"))
        ),
        Column("Allowed Disruptions", of("status.disruptionsAllowed", 0), type="integer"),
        AGE,
    ),
)

SERVED_FIELDS = {
    "policy.v1.PodDisruptionBudget": holding("spec"),
    "policy.v1.PodDisruptionBudgetSpec": {
        **acted("controllers", "minAvailable maxUnavailable selector"),
        **acted("apiserver", "unhealthyPodEvictionPolicy"),
    },
}
