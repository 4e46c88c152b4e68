"""What is Mizzen's on a shared cluster, and what two schedulers could hand out."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import Key, Obj, key_of
from mizzen.scheduler.core.shared_cluster.doubles import Holders
from mizzen.scheduler.core.shared_cluster.handover import Handover, without_taint

OURS = {"mizzen.dev/scheduler": "mizzen"}
TAINT = {"key": "mizzen.dev/scheduler", "value": "mizzen", "effect": "NoSchedule"}


def node(name: str, labels: dict[str, str] | None = None, *taints: Obj) -> Obj:
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": [*taints]}}


def pod(name: str, node: str = "", scheduler: str = "mizzen", *claims: str, **status: Any) -> Obj:
    spec: Obj = {"schedulerName": scheduler}
    if node:
        spec["nodeName"] = node
    spec["resourceClaims"] = [{"name": c, "resourceClaimName": c} for c in claims]
    return {"metadata": {"name": name, "namespace": "ns"}, "spec": spec, "status": status}


def claim(name: str, *devices: str, **result: Any) -> Obj:
    results = [{"driver": "d", "pool": "p", "device": device, **result} for device in devices]
    return {
        "metadata": {"name": name, "namespace": "ns"},
        "status": {"allocation": {"devices": {"results": results}}},
    }


def item(labels: dict[str, str] | None = None, **spec: Any) -> Obj:
    metadata = {"name": "slice", "labels": labels or {}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": metadata,
        "spec": spec,
    }


def handover(*nodes: Obj, claims: tuple[Obj, ...] = ()) -> Handover:
    known = Handover({key_of(c): c for c in claims})
    for each in nodes:
        known.learn_node(each)
    return known


def test_a_node_is_ours_by_label_and_taint_together() -> None:
    known = handover(
        node("both", OURS, TAINT),
        node("label", OURS),
        node("taint", None, TAINT),
        node("neither"),
        node("other", {"mizzen.dev/scheduler": "volcano"}, TAINT),
        node("prefers", OURS, {**TAINT, "effect": "PreferNoSchedule"}),
    )
    names = ("both", "label", "taint", "neither", "other", "prefers", "unknown")
    assert [name for name in names if known.is_ours(name)] == ["both"]
    assert [str(o.about["metadata"]["name"]) for o in known.overlaps(())] == ["label", "prefers"]


def test_our_taint_alone_is_taken_off_the_view() -> None:
    other = {"key": "maintenance", "effect": "NoSchedule"}
    seen = without_taint(node("n", OURS, TAINT, other))
    assert seen["spec"]["taints"] == [other]


@pytest.mark.parametrize(
    ("holder", "is_overlap"),
    [
        (pod("p", "n", "default-scheduler", "c"), True),
        (pod("p", "n", "default-scheduler"), False),  # a daemon without devices
        (pod("p", "n", "default-scheduler", "c", phase="Succeeded"), False),
        (pod("p", "n", "default-scheduler", "admin"), False),  # looks, holds nothing
        (pod("p", "n", "default-scheduler", "unseen"), True),  # the claim's cache lags
        (pod("p", "n", "mizzen", "c"), False),
        (pod("p", "", "default-scheduler", "c"), False),
        (
            pod(
                "p",
                "n",
                "default-scheduler",
                resourceClaimStatuses=[{"name": "x", "resourceClaimName": "c"}],
            ),
            True,
        ),
        (
            pod(
                "p",
                "n",
                "default-scheduler",
                extendedResourceClaimStatus={"resourceClaimName": "c"},
            ),
            True,
        ),
    ],
)
def test_devices_held_for_others_on_our_node(holder: Obj, is_overlap: bool) -> None:
    claims = (claim("c", "d0"), claim("admin", "d0", adminAccess=True))
    known = handover(node("n", OURS, TAINT), claims=claims)
    assert known.learn_pod(holder) == (("n",) if is_overlap else ())
    assert known.is_ours("n") is not is_overlap
    assert known.forget_pod(Key("ns", "p")) == (("n",) if is_overlap else ())
    assert known.is_ours("n")


def test_a_pool_is_ours_when_only_our_nodes_reach_it() -> None:
    zone = {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "rack", "operator": "In", "values": ["r1"]}]}
        ]
    }
    known = handover(node("a", {**OURS, "rack": "r1"}, TAINT), node("b", {"rack": "r2"}))
    assert known.shows_slice(item(nodeName="a"))
    assert not known.shows_slice(item(nodeName="b"))
    assert known.shows_slice(item(nodeSelector=zone))
    assert not known.shows_slice(item(allNodes=True))
    devices = [{"name": "0", "nodeName": "a"}, {"name": "1", "nodeName": "b"}]
    assert not known.shows_slice(item(perDeviceNodeSelection=True, devices=devices))
    assert known.shows_slice(item(perDeviceNodeSelection=True, devices=devices[:1]))
    assert known.slice_problem(item(allNodes=True)) is None, "left to the others, and no fault"
    assert "not handed over: b" in str(known.slice_problem(item(OURS, allNodes=True)))
    known.forget_node("b")
    assert known.shows_slice(item(allNodes=True))


def test_pods_that_concern_us() -> None:
    known = handover(node("a", OURS, TAINT), node("b"))
    assert known.shows_pod(pod("waits"))
    assert not known.shows_pod(pod("theirs", "", "default-scheduler"))
    assert known.shows_pod(pod("daemon", "a", "default-scheduler"))
    assert not known.shows_pod(pod("elsewhere", "b"))


def test_a_device_held_twice_is_found_and_shares_are_not() -> None:
    holders = Holders()
    assert holders.learn(claim("one", "d0", "d1")) == []
    assert holders.learn(claim("looks", "d0", adminAccess=True)) == []
    (double,) = holders.learn(claim("two", "d1"))
    assert double.device == ("d", "p", "d1")
    assert double.claims == (Key("ns", "one"), Key("ns", "two"))
    holders.forget(Key("ns", "one"))
    assert holders.learn(claim("two", "d1")) == []
    assert holders.learn(claim("share-1", "d2", shareID="a")) == []
    assert holders.learn(claim("share-2", "d2", shareID="b")) == []
    assert len(holders.learn(claim("alone", "d2"))) == 1
    holders.learn(claim("alone"))
    assert len(holders) == 2
