"""The allocator against its oracle, and the cases of the sheet that are easy to miss."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.scheduler.core.claims import pools
from mizzen.scheduler.core.devices import Catalogue, Refusal, Shortage, allocate, refusal
from mizzen.scheduler.core.dra.claim_spec import read_class as class_view
from mizzen.scheduler.core.dra.claim_spec import read_request as claim_request
from mizzen.scheduler.core.dra.held import Held
from mizzen.scheduler.core.dra.model import (
    Allocation,
    ClaimRequest,
    Device,
    DeviceId,
    DeviceRequest,
    MatchAttribute,
    SubRequest,
)
from mizzen.scheduler.core.views import node_view
from support.scheduler_world import DRIVER, device_class, exactly, halves, node, resource_slice

NODE = node_view(node())


class AttributeEquals:
    """Selectors without CEL: "x=1" looks at attribute x; "" matches all."""

    def matches(self, expression: str, device: Device) -> bool:
        name, _, wanted = expression.partition("=")
        return not name or str(device.attributes.get(f"{DRIVER}/{name}")) == wanted


def catalogue(slices: Sequence[object]) -> Catalogue:
    classes = {"any": class_view(device_class("any", ""))}
    return Catalogue(pools(slices), classes, AttributeEquals(), {NODE.name: NODE})  # type: ignore[arg-type]


def ids(found: object) -> list[str]:
    assert isinstance(found, tuple), found
    return [r.id.device for a in found for r in a.results]


# -- property -------------------------------------------------------------

attributes = st.fixed_dictionaries(
    {}, optional={"x": st.integers(0, 1), "y": st.booleans(), "z": st.integers(0, 1)}
)


def wire(values: dict[str, object]) -> dict[str, object]:
    return {
        name: {"bool": value} if isinstance(value, bool) else {"int": value}
        for name, value in values.items()
    }


subs = st.builds(
    lambda selector, count, every: SubRequest("", "any", selector, count, every),
    st.sampled_from([(), ("x=1",), ("x=0",), ("y=True",), ("x=1", "y=False")]),
    st.integers(1, 3),
    st.booleans(),
)


@st.composite
def claim_requests(draw: st.DrawFn) -> ClaimRequest:
    requests: list[DeviceRequest] = []
    for index in range(draw(st.integers(1, 2))):
        alternatives = draw(st.lists(subs, min_size=1, max_size=2))
        name = f"r{index}"
        named = tuple(
            SubRequest(
                name if len(alternatives) == 1 else f"{name}/{i}",
                s.device_class,
                s.selectors,
                s.count,
                s.all_devices,
            )
            for i, s in enumerate(alternatives)
        )
        requests.append(DeviceRequest(name, named))
    constraints = draw(
        st.lists(
            st.builds(
                MatchAttribute,
                st.sampled_from([f"{DRIVER}/x", f"{DRIVER}/z"]),
                st.sampled_from([(), ("r0",), ("r0", "r1"), ("r0/1",)]),
            ),
            max_size=1,
        )
    )
    return ClaimRequest(tuple(requests), tuple(constraints))


@settings(max_examples=80, deadline=None)
@given(
    devices=st.lists(attributes, min_size=0, max_size=5),
    claims=st.lists(claim_requests(), min_size=1, max_size=2),
    order=st.permutations(range(5)),
)
def test_a_preference_changes_which_devices_but_never_whether_it_fits(
    devices: list[dict[str, object]], claims: list[ClaimRequest], order: list[int]
) -> None:
    listed = [{"name": f"d{i}", "attributes": wire(a)} for i, a in enumerate(devices)]
    known = catalogue([resource_slice("n1", listed)])
    plain = allocate(claims, NODE, known, ())
    liked = allocate(claims, NODE, known, (), lambda d: (order[int(d.id.device[1:])],))
    assert isinstance(plain, tuple) == isinstance(liked, tuple)
    if isinstance(liked, tuple):
        chosen = [r.id for a in liked for r in a.results]
        assert len(chosen) == len(set(chosen))


# -- cases ------------------------------------------------------------------------------------


def test_takes_devices_in_published_order_and_pools_by_driver_and_name() -> None:
    slices = [
        resource_slice("n1", [{"name": "a"}], driver="z.dev"),
        resource_slice("n1", [{"name": "b"}, {"name": "c"}], driver="a.dev"),
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any", 3)]}})
    assert ids(allocate([request], NODE, catalogue(slices), ())) == ["b", "c", "a"]


def test_an_incomplete_pool_is_not_used_and_said_to_be() -> None:
    known = catalogue([resource_slice("n1", [{"name": "a"}], count=2)])
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    found = allocate([request], NODE, known, ())
    assert isinstance(found, Shortage)
    assert "1 of 2 slices of generation 1" in found.problem


def test_only_the_newest_generation_counts() -> None:
    known = catalogue(
        [
            resource_slice("n1", [{"name": "old"}], name="s1", generation=1),
            resource_slice("n1", [{"name": "new"}], name="s2", generation=2),
        ]
    )
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    assert ids(allocate([request], NODE, known, ())) == ["new"]


def test_two_devices_of_one_name_make_the_pool_unusable() -> None:
    (pool,) = pools([resource_slice("n1", [{"name": "a"}, {"name": "a"}])])
    assert "same name" in pool.problem


def test_devices_that_nobody_can_share_are_preferred_to_those_that_may_be() -> None:
    known = catalogue(
        [
            resource_slice(
                "n1",
                [{"name": "a", "allowMultipleAllocations": True}, {"name": "b"}],
            )
        ]
    )
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    assert ids(allocate([request], NODE, known, ())) == ["b"]


def test_a_tainted_device_needs_a_toleration() -> None:
    taint = {"key": "broken", "effect": "NoExecute"}
    known = catalogue([resource_slice("n1", [{"name": "a", "taints": [taint]}])])
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
    assert isinstance(allocate([plain], NODE, known, ()), Shortage)
    assert ids(allocate([tolerant], NODE, known, ())) == ["a"]


def test_network_devices_follow_the_slices_node_selector() -> None:
    term = {"matchExpressions": [{"key": "rack", "operator": "In", "values": ["r1"]}]}
    slices = [
        resource_slice("", [{"name": "a"}], pool="net", nodeSelector={"nodeSelectorTerms": [term]})
    ]
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    near = node_view(node("n2", labels={"rack": "r1"}))
    found = allocate([request], near, catalogue(slices), ())
    assert isinstance(found, tuple)
    assert isinstance(found[0], Allocation)
    assert found[0].selector is not None
    assert found[0].selector[0][0].key == "rack"
    assert isinstance(allocate([request], NODE, catalogue(slices), ()), Shortage)


def test_a_shortage_counts_what_is_in_use() -> None:
    known = catalogue([halves()])
    request = claim_request({"devices": {"requests": [exactly("r", "any", 2)]}})
    used = {DeviceId(DRIVER, "n1", f"core-{c}-half-0") for c in (0, 1)} | {
        DeviceId(DRIVER, "n1", "core-0-half-1")
    }
    found = allocate([request], NODE, known, used)
    assert found == Shortage("any", 2, 4, 3, 4)


def test_configuration_of_class_and_claim_is_merged_with_its_source() -> None:
    opaque = {"opaque": {"driver": DRIVER, "parameters": {"a": 1}}}
    classes = {"any": class_view(device_class("any", "", config=[opaque]))}
    known = Catalogue(pools([halves()]), classes, AttributeEquals(), {NODE.name: NODE})
    spec = {
        "devices": {
            "requests": [exactly("r", "any"), exactly("s", "any")],
            "config": [{"requests": ["s"], **opaque}, {"requests": ["other"], **opaque}],
        }
    }
    found = allocate([claim_request(spec)], NODE, known, ())
    assert isinstance(found, tuple)
    assert [(c["source"], c["requests"]) for c in found[0].config] == [
        ("FromClass", ["r", "s"]),
        ("FromClaim", ["s"]),
    ]


def test_what_no_node_can_satisfy_is_refused_with_its_reason() -> None:
    unknown = claim_request({"devices": {"requests": [exactly("r", "nope")]}})
    found = refusal([unknown], catalogue([]).classes)
    assert found is not None
    assert 'DeviceClass "nope"' in found.detail
    assert "there are: any" in found.detail


def test_a_claim_that_makes_no_sense_is_refused_with_its_reason() -> None:
    known = catalogue([resource_slice("n1", [{"name": f"d{i}"} for i in range(40)])])
    spec = {"devices": {"requests": [exactly("r", "any", 33)]}}
    found = allocate([claim_request(spec)], NODE, known, ())
    assert isinstance(found, Refusal)
    assert "33 exceeds the limit of 32" in found.detail


def test_partitions_of_one_device_share_its_counters() -> None:
    def part(name: str, slots: int) -> dict[str, object]:
        counters = {"slots": {"value": str(slots)}}
        return {"name": name, "consumesCounters": [{"counterSet": "gpu0", "counters": counters}]}

    sets = [{"name": "gpu0", "counters": {"slots": {"value": "4"}}}]
    known = catalogue(
        [
            resource_slice("n1", [], name="a", count=2, nodeName="n1", sharedCounters=sets),
            resource_slice(
                "n1", [part("whole", 4), part("half-0", 2), part("half-1", 2)], name="b", count=2
            ),
        ]
    )
    request = claim_request({"devices": {"requests": [exactly("r", "any")]}})
    assert ids(allocate([request, request], NODE, known, ())) == ["half-0", "half-1"]
    held = {DeviceId(DRIVER, "n1", "half-0")}
    assert ids(allocate([request], NODE, known, held)) == ["half-1"]
    assert isinstance(allocate([request, request], NODE, known, held), Refusal)


def test_shares_of_a_device_add_up_to_its_capacity() -> None:
    shared = {"name": "nic", "allowMultipleAllocations": True, "capacity": {"bw": {"value": "10"}}}
    known = catalogue([resource_slice("n1", [shared])])
    asked = {"capacity": {"requests": {"bw": "4"}}}
    request = claim_request({"devices": {"requests": [exactly("r", "any", **asked)]}})
    held = Held()
    for _ in range(2):
        found = allocate([request], NODE, known, held)
        assert isinstance(found, tuple)
        held.hold(found[0])
    assert not isinstance(allocate([request], NODE, known, held), tuple)
    held.hold(found[0], -1)
    assert ids(allocate([request], NODE, known, held)) == ["nic"]
