"""Cases of the sheet that are easy to miss, in our own order and with all features on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra.allocate import Refusal, Shortage
from mizzen.scheduler.core.dra.allocate import allocate as search
from mizzen.scheduler.core.dra.claim_spec import read_class, read_request
from mizzen.scheduler.core.dra.features import ALL
from mizzen.scheduler.core.dra.held import Held
from mizzen.scheduler.core.dra.matching import Matching
from mizzen.scheduler.core.dra.model import (
    Allocation,
    AllocationError,
    ClaimRequest,
    Device,
    DeviceId,
)
from mizzen.scheduler.core.dra.pools import SliceIndex, gather
from mizzen.scheduler.core.dra.slices import Shapes, read_slice
from mizzen.scheduler.core.types import NodeView
from mizzen.scheduler.core.views import node_view
from support.scheduler_world import DRIVER, device_class, exactly, halves, node, resource_slice

NODE = node_view(node())
ANY = device_class("any", "")


class Everything:
    """Selectors without CEL: all devices match."""

    def reads(self, expression: str) -> frozenset[str] | None:
        return None

    def matches(self, expression: str, device: Device) -> bool:
        return True


def allocate(
    claims: list[ClaimRequest],
    slices: list[Obj],
    held: Iterable[DeviceId] | Held = (),
    *,
    at: NodeView = NODE,
    classes: tuple[Obj, ...] = (ANY,),
    prefer: Callable[[Device], tuple[int, ...]] | None = None,
) -> tuple[Allocation, ...] | Shortage | Refusal:
    shapes = Shapes()
    index = SliceIndex([read_slice(item, shapes) for item in slices])
    return search(
        claims,
        at,
        gather(index.near(at.name, ALL), at, ALL, index.of_pool),
        held if isinstance(held, Held) else Held.of(held),
        classes={c.name: c for c in map(read_class, classes)},
        matching=Matching(Everything(), ALL),
        order="pack",
        prefer=prefer,
    )


def claim_request(spec: dict[str, Any]) -> ClaimRequest:
    return read_request(spec)


def ids(found: object) -> list[str]:
    assert isinstance(found, tuple), found
    return [r.id.device for a in found for r in a.results]


# -- cases ------------------------------------------------------------------------------------


def test_takes_devices_in_published_order_and_pools_by_driver_and_name() -> None:
    slices = [
        resource_slice("n1", [{"name": "a"}], driver="z.dev"),
        resource_slice("n1", [{"name": "b"}, {"name": "c"}], driver="a.dev"),
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any", 3)]}})
    assert ids(allocate([request], slices)) == ["b", "c", "a"]


def test_an_incomplete_pool_is_not_used_and_said_to_be() -> None:
    known = [resource_slice("n1", [{"name": "a"}], count=2)]
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    found = allocate([request], known)
    assert isinstance(found, Shortage)
    assert "1 of 2 slices of generation 1" in found.problem


def test_only_the_newest_generation_counts() -> None:
    known = [
        resource_slice("n1", [{"name": "old"}], name="s1", generation=1),
        resource_slice("n1", [{"name": "new"}], name="s2", generation=2),
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    assert ids(allocate([request], known)) == ["new"]


def test_two_devices_of_one_name_make_the_pool_unusable() -> None:
    known = [resource_slice("n1", [{"name": "a"}, {"name": "a"}])]
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    with pytest.raises(AllocationError, match="duplicate device name a"):
        allocate([request], known)


def test_devices_that_nobody_can_share_are_preferred_to_those_that_may_be() -> None:
    known = [
        resource_slice(
            "n1",
            [{"name": "a", "allowMultipleAllocations": True}, {"name": "b"}],
        )
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    assert ids(allocate([request], known)) == ["b"]


def test_a_tainted_device_needs_a_toleration() -> None:
    taint = {"key": "broken", "effect": "NoExecute"}
    known = [resource_slice("n1", [{"name": "a", "taints": [taint]}])]
    plain = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    tolerant = claim_request(
        {
            "devices": {
                "requests": [
                    exactly("r", "any", tolerations=[{"key": "broken", "operator": "Exists"}])
                ]
            }
        }
    )
    refusal = allocate([plain], known)
    assert isinstance(refusal, Refusal)
    assert refusal.word == "DeviceTaintNotTolerated"
    assert "tainted broken=:NoExecute" in refusal.detail
    assert ids(allocate([tolerant], known)) == ["a"]


def test_network_devices_follow_the_slices_node_selector() -> None:
    term = {"matchExpressions": [{"key": "rack", "operator": "In", "values": ["r1"]}]}
    slices = [
        resource_slice("", [{"name": "a"}], pool="net", nodeSelector={"nodeSelectorTerms": [term]})
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    near = node_view(node("n2", labels={"rack": "r1"}))
    found = allocate([request], slices, at=near)
    assert isinstance(found, tuple)
    assert isinstance(found[0], Allocation)
    assert found[0].selector is not None
    assert found[0].selector[0][0].key == "rack"
    assert isinstance(allocate([request], slices), Shortage)


def test_a_shortage_counts_what_is_in_use() -> None:
    known = [halves()]
    request = claim_request({"devices": {"requests": [exactly("r", "any", 2)]}})
    used = {DeviceId(DRIVER, "n1", f"core-{c}-half-0") for c in (0, 1)} | {
        DeviceId(DRIVER, "n1", "core-0-half-1")
    }
    found = allocate([request], known, used)
    assert found == Shortage("any", 2, 4, 3, 4)


def test_configuration_of_class_and_claim_is_merged_with_its_source() -> None:
    opaque = {"opaque": {"driver": DRIVER, "parameters": {"a": 1}}}
    any_class = device_class("any", "", config=[opaque])
    spec = {
        "devices": {
            "requests": [exactly("r", "any"), exactly("s", "any")],
            "config": [{"requests": ["s"], **opaque}, {"requests": ["other"], **opaque}],
        }
    }
    found = allocate([claim_request(spec)], [halves()], classes=(any_class,))
    assert isinstance(found, tuple)
    assert [(c["source"], c["requests"]) for c in found[0].config] == [
        ("FromClass", ["r", "s"]),
        ("FromClaim", ["s"]),
    ]


def test_what_no_node_can_satisfy_is_an_error_with_its_reason() -> None:
    unknown = claim_request({"devices": {"requests": [exactly("r", "nope")]}})
    with pytest.raises(AllocationError, match='DeviceClass "nope" does not exist; there are: any'):
        allocate([unknown], [])
    many = claim_request({"devices": {"requests": [exactly("r", "any", 33)]}})
    with pytest.raises(AllocationError, match="33 exceeds the limit of 32"):
        allocate([many], [resource_slice("n1", [{"name": f"d{i}"} for i in range(40)])])


def test_partitions_of_one_device_share_its_counters() -> None:
    def part(name: str, slots: int) -> dict[str, object]:
        counters = {"slots": {"value": str(slots)}}
        return {"name": name, "consumesCounters": [{"counterSet": "gpu0", "counters": counters}]}

    sets = [{"name": "gpu0", "counters": {"slots": {"value": "4"}}}]
    known = [
        resource_slice("n1", [], name="a", count=2, nodeName="n1", sharedCounters=sets),
        resource_slice(
            "n1", [part("whole", 4), part("half-0", 2), part("half-1", 2)], name="b", count=2
        ),
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    assert ids(allocate([request, request], known)) == ["half-0", "half-1"]
    held = {DeviceId(DRIVER, "n1", "half-0")}
    assert ids(allocate([request], known, held)) == ["half-1"]
    assert isinstance(allocate([request, request], known, held), Refusal)


def test_shares_of_a_device_add_up_to_its_capacity() -> None:
    shared = {"name": "nic", "allowMultipleAllocations": True, "capacity": {"bw": {"value": "10"}}}
    known = [resource_slice("n1", [shared])]
    asked = {"capacity": {"requests": {"bw": "4"}}}
    request = claim_request({"devices": {"requests": [exactly("r", "any", **asked)]}})
    held = Held()
    for _ in range(2):
        found = allocate([request], known, held)
        assert isinstance(found, tuple)
        held.hold(found[0])
    assert not isinstance(allocate([request], known, held), tuple)
    held.hold(found[0], -1)
    assert ids(allocate([request], known, held)) == ["nic"]


def test_all_devices_of_a_node_are_refused_while_a_pool_of_it_is_incomplete() -> None:
    known = [
        resource_slice("n1", [{"name": "a"}]),
        resource_slice("n1", [{"name": "b"}], driver="z.dev", count=2),
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any", allocationMode="All")]}})
    with pytest.raises(AllocationError, match=r"resource pool z\.dev/n1 is incomplete"):
        allocate([request], known)
    assert ids(allocate([request], known[:1])) == ["a"]


def test_who_only_watches_takes_nothing_and_sees_what_is_taken() -> None:
    known = [resource_slice("n1", [{"name": "a"}])]
    watching = claim_request({"devices": {"requests": [exactly("r", "any", adminAccess=True)]}})
    held = Held()
    held.devices[DeviceId(DRIVER, "n1", "a")] += 1
    found = allocate([watching], known, held)
    assert ids(found) == ["a"]
    assert isinstance(found, tuple)
    assert found[0].results[0].admin
    held.hold(found[0])
    assert sum(held.devices.values()) == 1


def test_a_request_stays_within_one_numa_node_and_leaves_the_larger_one_whole() -> None:
    def gpu(index: int, numa: int) -> Obj:
        return {"name": f"g{index}", "attributes": {"numaNode": {"int": numa}}}

    gpus = [gpu(i, 0) for i in range(4)] + [gpu(i, 1) for i in range(4, 6)]
    request = claim_request({"devices": {"requests": [exactly("r", "any", 2)]}})
    assert ids(allocate([request], [resource_slice("n1", gpus)])) == ["g4", "g5"]


def test_a_partition_goes_to_the_device_that_is_broken_up_already() -> None:
    def part(gpu: int, at: int) -> Obj:
        use = {"counterSet": f"gpu{gpu}", "counters": {"slots": {"value": "1"}}}
        return {"name": f"gpu{gpu}-{at}", "consumesCounters": [use]}

    sets = [{"name": f"gpu{g}", "counters": {"slots": {"value": "4"}}} for g in range(2)]
    known = [
        resource_slice("n1", [], name="a", count=2, nodeName="n1", sharedCounters=sets),
        resource_slice("n1", [part(g, i) for g in range(2) for i in range(4)], name="b", count=2),
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    held = {DeviceId(DRIVER, "n1", "gpu1-2")}
    assert ids(allocate([request], known, held)) == ["gpu1-0"]
