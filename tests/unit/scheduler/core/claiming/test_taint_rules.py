"""Taints that administrators put on devices."""

from __future__ import annotations

import pytest

from mizzen.base.objects import Obj
from mizzen.scheduler.core.claiming.taint_rules import read_rules, tainted
from support.scheduler_world import CORE, DRIVER, World, claim, exactly, halves, pod


def rule(name: str = "r", effect: str = "NoSchedule", **selector: str) -> Obj:
    taint = {"key": "broken.io/x", "effect": effect, "timeAdded": "2027-01-15T07:00:00Z"}
    metadata = {"name": name, "uid": name, "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"deviceSelector": selector, "taint": taint}}


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ({}, 4),
        ({"driver": DRIVER, "pool": "n1"}, 4),
        ({"device": "core-0-half-1"}, 1),
        ({"driver": "other"}, 0),
        ({"pool": "n2", "device": "core-0-half-1"}, 0),
    ],
)
def test_rules_taint_what_they_select(selector: dict[str, str], count: int) -> None:
    item = halves()
    found = tainted(item, read_rules([rule(**selector)]))
    with_taints = [d for d in found["spec"]["devices"] if d.get("taints")]
    assert len(with_taints) == count
    assert (found is item) == (count == 0)
    assert not any(d.get("taints") for d in item["spec"]["devices"])  # not changed itself


def test_a_rule_without_a_selector_selects_nothing() -> None:
    lame = rule()
    del lame["spec"]["deviceSelector"]
    assert read_rules([lame]) == ()


def test_taints_come_after_those_of_the_driver_and_by_name() -> None:
    item = halves()
    own = {"key": "own", "effect": "NoSchedule"}
    item["spec"]["devices"][0]["taints"] = [own]
    found = tainted(item, read_rules([rule("b", "NoExecute"), rule("a")]))
    taints = found["spec"]["devices"][0]["taints"]
    assert [t["effect"] for t in taints] == ["NoSchedule", "NoSchedule", "NoExecute"]
    assert taints[0] == own


def test_tainted_devices_are_given_to_who_tolerates_them() -> None:
    world = World(
        taint_rules=[rule(name, device=name) for name in ("core-0-half-0", "core-0-half-1")]
    )
    tolerant = [{"key": "broken.io/x", "operator": "Exists"}]
    for name in "abc":
        world.add(claim(name), pod(name, claims=(name,)))
    world.add(
        claim("t", exactly("r", CORE, 1, tolerations=tolerant)),
        pod("t", claims=("t",), priority=-1),
    )
    world.run()
    given = world.bound()
    assert sorted(d for name in "abc" for d in given.get(name, [])) == [
        "core-1-half-0",
        "core-1-half-1",
    ]
    assert given["t"][0].startswith("core-0")
    world.taint_rules = []
    world.run()
    assert len({d for devices in world.bound().values() for d in devices}) == 4
