"""Pods on devices with NoExecute taints, and what rules say of them."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, has_condition
from mizzen.base.resources import (
    DEVICE_TAINT_RULES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from mizzen.controllers.core import device_taint_rules, device_taints
from mizzen.controllers.core.device_evictions import tolerates
from support.controlled import START, Cluster

SECOND = 1_000_000_000
SINCE = rfc3339(START)


def taint(effect: str = "NoExecute", **more: str) -> Obj:
    return {"key": "broken.io/ecc", "value": "v", "effect": effect, "timeAdded": SINCE, **more}


def rule(effect: str = "NoExecute", **selector: str) -> Obj:
    spec = {"deviceSelector": selector, "taint": taint(effect)}
    return {"metadata": {"name": "rule", "generation": 1}, "spec": spec}


def resource_slice(name: str = "s", generation: int = 1, *taints: Obj) -> Obj:
    pool = {"name": "p", "generation": generation, "resourceSliceCount": 1}
    devices = [{"name": "gpu-0", "taints": list(taints)}, {"name": "gpu-1"}]
    spec = {"driver": "d.io", "pool": pool, "nodeName": "n", "devices": devices}
    return {"metadata": {"name": name}, "spec": spec}


def claim(
    *tolerations: Obj, device: str = "gpu-0", name: str = "c", consumer: Obj | None = None
) -> Obj:
    result = {
        "request": "r",
        "driver": "d.io",
        "pool": "p",
        "device": device,
        "tolerations": list(tolerations),
    }
    reserved = consumer or {"resource": "pods", "name": "a", "uid": "uid-a"}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {},
        "status": {"allocation": {"devices": {"results": [result]}}, "reservedFor": [reserved]},
    }


def pod(name: str = "a", node: str = "n", group: str = "", uid: str = "") -> Obj:
    spec: Obj = {"resourceClaims": [{"name": "devices", "resourceClaimName": "c"}]}
    if node:
        spec["nodeName"] = node
    if group:
        spec["schedulingGroup"] = {"podGroupName": group}
    metadata = {"name": name, "namespace": "default", "uid": uid or f"uid-{name}"}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


def world(*objects: tuple[Any, Obj], status: bool = False) -> Cluster:
    cluster = Cluster((device_taint_rules if status else device_taints).CONTROLLER)
    for resource, obj in objects:
        cluster.add(resource, obj)
    return cluster


def is_evicted(cluster: Cluster, name: str = "a") -> bool:
    return "deletionTimestamp" in cluster.get(PODS, name)["metadata"]


def test_a_taint_of_the_driver_ends_the_pod() -> None:
    cluster = world(
        (RESOURCE_SLICES, resource_slice("s", 1, taint())),
        (RESOURCE_CLAIMS, claim()),
        (PODS, pod()),
    )
    assert cluster.settle("c") == 1
    assert is_evicted(cluster)
    assert has_condition(cluster.get(PODS, "a"), "DisruptionTarget")
    assert 'ResourceSlice "s"' in cluster.events[0].message


@pytest.mark.parametrize(
    "selector", [{}, {"driver": "d.io"}, {"driver": "d.io", "pool": "p", "device": "gpu-0"}]
)
def test_a_rule_ends_the_pod(selector: dict[str, str]) -> None:
    cluster = world(
        (DEVICE_TAINT_RULES, rule(**selector)), (RESOURCE_CLAIMS, claim()), (PODS, pod())
    )
    assert cluster.settle("c") == 1
    assert is_evicted(cluster)
    assert 'DeviceTaintRule "rule"' in cluster.events[0].message


@pytest.mark.parametrize(
    "objects",
    [
        [(DEVICE_TAINT_RULES, rule(device="gpu-1"))],
        [(DEVICE_TAINT_RULES, rule("NoSchedule"))],
        [(DEVICE_TAINT_RULES, {**rule(), "spec": {"taint": taint()}})],  # selects nothing
        [(RESOURCE_SLICES, resource_slice("s", 1, taint("NoSchedule")))],
        [
            (RESOURCE_SLICES, resource_slice("old", 1, taint())),
            (RESOURCE_SLICES, resource_slice("new", 2)),
        ],
    ],
)
def test_pods_stay_where_nothing_evicting_is_meant_for_them(objects: list[Any]) -> None:
    cluster = world(*objects, (RESOURCE_CLAIMS, claim()), (PODS, pod()))
    assert cluster.settle("c") == 0
    assert not is_evicted(cluster)


@pytest.mark.parametrize(
    "other", [pod(node=""), pod(uid="another"), {**pod(), "status": {"phase": "Succeeded"}}]
)
def test_pods_that_do_not_run_on_it_stay(other: Obj) -> None:
    cluster = world((DEVICE_TAINT_RULES, rule()), (RESOURCE_CLAIMS, claim()), (PODS, other))
    assert cluster.settle("c") == 0


def test_a_toleration_keeps_the_pod_for_its_seconds() -> None:
    forever = {"key": "broken.io/ecc", "operator": "Exists", "effect": "NoExecute"}
    cluster = world((DEVICE_TAINT_RULES, rule()), (RESOURCE_CLAIMS, claim(forever)), (PODS, pod()))
    assert cluster.settle("c") == 0 and cluster.requeues == []
    cluster = world(
        (DEVICE_TAINT_RULES, rule()),
        (RESOURCE_CLAIMS, claim({**forever, "tolerationSeconds": 60})),
        (PODS, pod()),
    )
    assert cluster.settle("c") == 0
    assert not is_evicted(cluster) and 59 < cluster.requeues[0] <= 60
    cluster.now = START + 60 * SECOND
    assert cluster.settle("c") == 1
    assert is_evicted(cluster)


def test_removing_the_taint_in_time_saves_the_pod() -> None:
    waits = {"operator": "Exists", "tolerationSeconds": 60}
    cluster = world((DEVICE_TAINT_RULES, rule()), (RESOURCE_CLAIMS, claim(waits)), (PODS, pod()))
    cluster.settle("c")
    cluster.vanish(DEVICE_TAINT_RULES, "rule", "")
    cluster.now = START + 61 * SECOND
    assert cluster.settle("c") == 0
    assert not is_evicted(cluster)


def test_a_group_that_shares_the_claim_goes_together() -> None:
    consumer = {
        "apiGroup": "scheduling.k8s.io", "resource": POD_GROUPS.plural, "name": "g", "uid": "g",
    }  # fmt: skip
    cluster = world(
        (DEVICE_TAINT_RULES, rule()),
        (RESOURCE_CLAIMS, claim(consumer=consumer)),
        *((PODS, pod(name, group=group)) for name, group in (("a", "g"), ("b", "g"), ("z", "h"))),
    )
    cluster.settle("c")
    assert [is_evicted(cluster, name) for name in "abz"] == [True, True, False]


@pytest.mark.parametrize(
    ("toleration", "is_tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, False),
        ({"key": "broken.io/ecc", "operator": "Equal", "value": "v"}, True),
        ({"key": "broken.io/ecc", "operator": "Equal", "value": "w"}, False),
        ({"key": "broken.io/ecc", "operator": "Equal", "effect": "NoExecute", "value": "v"}, True),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration: Obj, is_tolerated: bool) -> None:
    assert tolerates(toleration, taint()) is is_tolerated


def test_who_hears_of_what() -> None:
    cluster = world((RESOURCE_CLAIMS, claim()), (RESOURCE_CLAIMS, claim(device="gpu-1", name="d")))
    view = cluster.view()
    slices, rules, pods = device_taints.CONTROLLER.watches
    assert [k.name for k in slices.keys(view, resource_slice("s", 1, taint()))] == ["c"]
    assert list(slices.keys(view, resource_slice())) == []
    assert [k.name for k in rules.keys(view, rule(pool="p"))] == ["c", "d"]
    assert [k.name for k in pods.keys(view, pod())] == ["c"]


# -- what the rule tells ------------------------------------------------------------------


def told(cluster: Cluster) -> Obj:
    (found,) = cluster.get(DEVICE_TAINT_RULES, "rule")["status"]["conditions"]
    return found


def test_a_rule_without_effect_tells_what_it_would_do() -> None:
    cluster = world(
        (DEVICE_TAINT_RULES, rule("None")),
        (RESOURCE_SLICES, resource_slice()),
        (RESOURCE_CLAIMS, claim()),
        (PODS, pod()),
        status=True,
    )
    assert cluster.settle("rule", "") == 1
    found = told(cluster)
    assert (found["status"], found["reason"], found["observedGeneration"]) == (
        "False",
        "NoEffect",
        1,
    )
    assert found["message"].startswith(
        "2 published devices selected. 1 allocated device selected. 1 pod would be evicted in "
        "1 namespace if the effect was NoExecute."
    )
    cluster.vanish(PODS, "a")
    assert cluster.settle("rule", "") == 0  # told once


def test_a_rule_that_evicts_tells_how_far_it_is() -> None:
    cluster = world(
        (DEVICE_TAINT_RULES, rule()), (RESOURCE_CLAIMS, claim()), (PODS, pod()), status=True
    )
    cluster.settle("rule", "")
    found = told(cluster)
    assert (found["status"], found["reason"]) == ("True", "PodsPendingEviction")
    assert found["message"] == "1 pod needs to be evicted in 1 namespace."
    assert cluster.requeues == [device_taint_rules.PERIOD_S]
    cluster.vanish(PODS, "a")
    cluster.settle("rule", "")
    assert (told(cluster)["status"], told(cluster)["reason"]) == ("False", "Completed")


def test_other_effects_evict_nobody() -> None:
    cluster = world((DEVICE_TAINT_RULES, rule("NoSchedule")), status=True)
    cluster.settle("rule", "")
    assert told(cluster)["reason"] == "OtherEffect"
    idle = world((DEVICE_TAINT_RULES, rule()), status=True)
    idle.settle("rule", "")
    assert told(idle)["reason"] == "NotStarted"
