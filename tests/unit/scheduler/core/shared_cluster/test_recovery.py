"""Decisions cut short anywhere, again and again: the end is always whole or nothing."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.objects import Key, Obj, key_of, name_of
from mizzen.base.operations import Bind, Delete, Operation, Patch
from mizzen.base.resources import PODS, RESOURCE_CLAIMS
from mizzen.kinds.patches import merge_patch
from mizzen.scheduler.core.shared_cluster.intent import (
    ClaimIntent,
    Intent,
    PodIntent,
    intent_of,
    read_record,
    record,
)
from mizzen.scheduler.core.shared_cluster.recovery import Existing, recover, stray_reservations
from mizzen.scheduler.core.types import Decision

pytestmark = pytest.mark.slow


NOW_NS = 1_800_000_000_000_000_000


def pod(name: str, node: str = "", uid: str = "") -> Obj:
    spec: Obj = {"schedulerName": "mizzen"} | ({"nodeName": node} if node else {})
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": uid or f"uid-{name}"},
        "spec": spec,
        "status": {"phase": "Pending"},
    }


def allocation(device: str) -> Obj:
    result = {"request": "r", "driver": "d", "pool": "n1", "device": device}
    return {"devices": {"results": [result]}}


def consumer(name: str) -> Obj:
    return {"resource": "pods", "name": name, "uid": f"uid-{name}"}


def claim(name: str, *consumers: str, device: str = "") -> Obj:
    status: Obj = {}
    if device:
        status["allocation"] = allocation(device)
    if consumers:
        status["reservedFor"] = [consumer(c) for c in consumers]
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"claim-{name}",
            "resourceVersion": "1",
        },
        "spec": {},
        "status": status,
    }


class World:
    """Pods and claims as an API server keeps them, as far as recovery writes them."""

    def __init__(self, size: int) -> None:
        self.pods = {key_of(p): p for p in (pod(f"p{i}") for i in range(size))}
        self.claims = {key_of(c): c for c in (claim(f"p{i}") for i in range(size))}

    def existing(self) -> Existing:
        return Existing(dict(self.pods), dict(self.claims), frozenset({"n1"}))

    def write(self, operation: Operation) -> None:
        """Carries one out. Errors: AssertionError for what a server would refuse."""
        if isinstance(operation, Bind):
            key = Key(operation.namespace, operation.name)
            assert not self.pods[key]["spec"].get("nodeName"), "bound twice"
            self.pods[key] = merge_patch(self.pods[key], {"spec": {"nodeName": operation.node}})
        elif isinstance(operation, Delete):
            del self.pods[Key(operation.namespace, operation.name)]
        elif isinstance(operation, Patch):
            objects = self.claims if operation.resource == RESOURCE_CLAIMS else self.pods
            key = Key(operation.namespace, operation.name)
            seen = objects[key]["metadata"].get("resourceVersion", "")
            assert operation.resource_version in ("", seen), "rests on an old version"
            changed: Any = merge_patch(objects[key], operation.patch)
            changed["metadata"]["resourceVersion"] = str(int(seen or 0) + 1)
            objects[key] = changed

    def bound(self) -> list[str]:
        return [name_of(p) for p in self.pods.values() if p["spec"].get("nodeName") == "n1"]

    def held(self) -> list[str]:
        return [name_of(c) for c in self.claims.values() if c["status"].get("allocation")]


def decide(size: int, needed: int) -> Decision:
    """A gang of `size` with a claim each, of which `needed` must run."""
    operations: list[Operation] = []
    for index in range(size):
        name = f"p{index}"
        status = {"allocation": allocation(f"d{index}"), "reservedFor": [consumer(name)]}
        operations.append(
            Patch(
                RESOURCE_CLAIMS,
                "ns",
                name,
                {"status": status},
                "status",
                resource_version="1",
                uid=f"claim-{name}",
            )
        )
    operations += [Bind("ns", f"p{i}", "n1", uid=f"uid-p{i}") for i in range(size)]
    return Decision('gang "ns/g"', tuple(operations), needed=needed)


@given(
    st.integers(2, 5).flatmap(
        lambda size: st.tuples(
            st.just(size),
            st.integers(0, size),
            st.integers(0, 2 * size),
            st.lists(st.integers(0, 8), max_size=4),
            st.sets(st.integers(0, size - 1), max_size=2),
        )
    )
)
@settings(max_examples=300, deadline=None)
def test_cut_short_anywhere_it_ends_whole_or_not_at_all(case: Any) -> None:
    """`first` writes are made; recovery itself is cut after each of `cuts`; `lost` pods vanish."""
    size, needed, first, cuts, lost = case
    world = World(size)
    decision = decide(size, needed)
    intent = intent_of(decision)
    assert intent is not None
    for operation in decision.operations[:first]:
        world.write(operation)
    for index in lost:
        world.pods.pop(Key("ns", f"p{index}"), None)
    for cut in [*cuts, None]:
        recovery = recover(intent, world.existing(), NOW_NS)
        if recovery.why and recovery.operations:
            intent = replace(intent, is_rolling_back=True)  # as the record is marked
        for operation in itertools.islice(recovery.operations, cut):
            world.write(operation)
    for operation in recover(intent, world.existing(), NOW_NS).operations:
        assert isinstance(operation, Patch), "all that is left is to release what members held"
        world.write(operation)
    assert not recover(intent, world.existing(), NOW_NS).operations, "it has come to an end"
    bound = world.bound()
    assert not bound or len(bound) >= needed, (bound, needed)
    # Devices are held by bound members, or by ones that were and are gone: those are released by
    # whoever releases the claims of pods that end.
    were_bound = {f"p{i}" for i in range(max(0, first - size))}
    assert set(world.held()) <= set(bound) | were_bound


def test_members_that_are_lost_are_left_out_where_enough_remain() -> None:
    world = World(3)
    decision = decide(3, needed=2)
    for operation in decision.operations[:4]:
        world.write(operation)
    del world.pods[Key("ns", "p2")]
    intent = intent_of(decision)
    assert intent is not None
    recovery = recover(intent, world.existing(), NOW_NS)
    assert not recovery.why
    assert [o.name for o in recovery.operations if isinstance(o, Bind)] == ["p1"]
    for operation in recovery.operations:
        world.write(operation)
    assert world.bound() == ["p0", "p1"]
    assert world.held() == ["p0", "p1"]


def test_a_member_that_ran_to_its_end_counts_as_bound() -> None:
    world = World(2)
    decision = decide(2, needed=2)
    for operation in decision.operations:
        world.write(operation)
    world.pods[Key("ns", "p0")]["status"]["phase"] = "Succeeded"
    intent = intent_of(decision)
    assert intent is not None
    assert recover(intent, world.existing(), NOW_NS).operations == ()


def test_an_intent_survives_its_record() -> None:
    intent = intent_of(decide(3, needed=2))
    assert intent is not None
    assert read_record(record(intent, "mizzen-system")) == intent
    marked = replace(intent, is_rolling_back=True)
    assert read_record(record(marked, "mizzen-system")) == marked


def test_an_intent_names_only_its_own_consumers() -> None:
    shared = Patch(
        RESOURCE_CLAIMS,
        "ns",
        "shared",
        {"status": {"reservedFor": [consumer("old"), consumer("new")]}},
        "status",
    )
    intent = intent_of(Decision("x", (shared, Bind("ns", "new", "n1", uid="uid-new"))))
    assert intent == Intent(
        "intent-uid-new",
        "x",
        1,
        (PodIntent(Key("ns", "new"), "uid-new", "n1"),),
        (ClaimIntent(Key("ns", "shared"), "", ("uid-new",), None),),
    )


def test_what_only_unbound_pods_of_ours_reserve_is_released() -> None:
    pods = {key_of(p): p for p in (pod("waits"), pod("runs", "n1"), pod("other"))}
    pods[Key("ns", "other")]["spec"]["schedulerName"] = "default-scheduler"
    prepared = claim("prepared", "waits", device="d4")
    results = prepared["status"]["allocation"]["devices"]["results"]
    results[0]["bindingConditions"] = ["Attached"]
    claims = {
        key_of(c): c
        for c in (
            claim("stray", "waits", device="d0"),
            claim("in-use", "waits", "runs", device="d1"),
            claim("theirs", "other", device="d2"),
            claim("gone", "nobody", device="d3"),
            claim("free"),
            prepared,
        )
    }
    released = stray_reservations(pods, claims, ())
    assert [(o.name, o.resource) for o in released if isinstance(o, Patch)] == [
        ("stray", RESOURCE_CLAIMS)
    ]
    assert PODS not in {o.resource for o in released if isinstance(o, Patch)}
