"""Scopes of quotas, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.quota import charged, exceeded, matches, unsaid

Obj = dict[str, Any]


def quota(hard: Obj | None = None, **spec: Any) -> Obj:
    return {"metadata": {"name": "q"}, "spec": {"hard": hard or {"pods": "1"}, **spec}}


def pod(**spec: Any) -> Obj:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}], **spec}}


ELSEWHERE: Obj = {"weight": 1, "podAffinityTerm": {"namespaceSelector": {}}}
REACHING: Obj = {"preferredDuringSchedulingIgnoredDuringExecution": [ELSEWHERE]}
IN_SCOPES: list[tuple[str, Obj, bool]] = [
    ("Terminating", {"activeDeadlineSeconds": 0}, True),
    ("Terminating", {}, False),
    ("NotTerminating", {}, True),
    ("BestEffort", {}, True),
    ("NotBestEffort", {}, False),
    ("PriorityClass", {"priorityClassName": "high"}, True),
    ("PriorityClass", {}, False),
    ("CrossNamespacePodAffinity", {}, False),
    ("CrossNamespacePodAffinity", {"affinity": {"podAntiAffinity": REACHING}}, True),
]


@pytest.mark.parametrize(("scope", "spec", "is_in"), IN_SCOPES)
def test_scopes_choose_pods(scope: str, spec: Obj, is_in: bool) -> None:
    assert matches(quota(scopes=[scope]), "pods", pod(**spec)) is is_in
    assert not matches(quota(scopes=[scope]), "services", {"spec": {}})


@pytest.mark.parametrize(
    ("operator", "values", "chosen", "is_in"),
    [
        ("In", ["high", "low"], "high", True),
        ("In", ["high"], "", False),
        ("NotIn", ["high"], "low", True),
        ("NotIn", ["high"], "", True),
        ("DoesNotExist", [], "", True),
        ("Exists", [], "low", True),
    ],
)
def test_a_scope_selector_names_classes(
    operator: str, values: list[str], chosen: str, is_in: bool
) -> None:
    term = {"scopeName": "PriorityClass", "operator": operator, "values": values}
    limited = quota(scopeSelector={"matchExpressions": [term]})
    assert matches(limited, "pods", pod(priorityClassName=chosen)) is is_in


def test_containers_must_say_what_a_quota_limits() -> None:
    limited = quota({"limits.memory": "1Gi", "cpu": "1", "pods": "5"})
    two = [{"name": "b", "resources": {"requests": {"cpu": "1"}}}, {"name": "a"}]
    assert unsaid(limited, pod(containers=two)) == (
        "failed quota: q: must specify cpu for: a; limits.memory for: a,b"
    )
    assert unsaid(quota(), pod(containers=two)) == ""


def test_what_exceeds_is_told_with_what_is_used_and_allowed() -> None:
    limited = quota({"pods": "2", "requests.cpu": "1500m", "requests.memory": "1Gi"})
    used = {"pods": "2", "requests.cpu": "1", "requests.memory": "1Gi"}
    change = {"pods": "1", "requests.cpu": "1", "requests.memory": "-1Gi"}
    assert exceeded(limited, used, change) == (
        "exceeded quota: q, requested: pods=1,requests.cpu=1, used: pods=2,requests.cpu=1, "
        "limited: pods=2,requests.cpu=1500m"
    )
    assert exceeded(limited, {"pods": "1"}, {"pods": "1"}) == ""


def test_a_charge_changes_what_is_limited_alone_and_never_falls_below_zero() -> None:
    limited = quota({"pods": "2", "cpu": "1"})
    made = charged(limited, {"pods": "1", "cpu": "500m"}, {"pods": "-2", "cpu": "1", "memory": "1"})
    assert made is not None
    assert made["status"] == {
        "hard": {"pods": "2", "cpu": "1"}, "used": {"pods": "0", "cpu": "1500m"},
    }  # fmt: skip
    assert charged(limited, {}, {"memory": "1"}) is None
