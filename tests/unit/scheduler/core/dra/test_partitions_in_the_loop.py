"""Partitions, shares and pools of several nodes through the scheduler's loop: nothing is overdrawn.

Claims come and go at random; what they hold is added up from what was written, and whoever waits is
asked of the allocator, in upstream's order, on every node.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base import quantity
from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra.compat.case import answer, read_case
from mizzen.scheduler.device_selectors import CelSelectors
from support.scheduler_world import World, claim, device_class, exactly, node, pod, resource_slice

pytestmark = pytest.mark.slow


GPU, FABRIC, LINK = "gpu.dev", "fabric.dev", "link.dev"
SLICES = 4  # of one GPU; a partition takes some that are neighbours
MASKS = {"gpu": 0b1111, "half-0": 0b0011, "half-2": 0b1100} | {
    f"quarter-{i}": 1 << i for i in range(SLICES)
}
FEATURES = "DRAPartitionableDevices+DRAConsumableCapacity+DRAPrioritizedList"


def mib(amount: int) -> Obj:
    return {"value": f"{amount}Mi"}


def partitions(gpu: str) -> list[Obj]:
    """A whole GPU and its partitions, by the slices of memory that each has."""
    return [
        {
            "name": f"{gpu}-{name}",
            "attributes": {"profile": {"string": name.partition("-")[0]}},
            "consumesCounters": [
                {
                    "counterSet": gpu,
                    "counters": {
                        "memory": mib(10 * mask.bit_count()),
                        **{f"s{i}": {"value": "1"} for i in range(SLICES) if mask >> i & 1},
                    },
                }
            ],
        }
        for name, mask in MASKS.items()
    ]


def counter_set(gpu: str) -> Obj:
    each = {f"s{i}": {"value": "1"} for i in range(SLICES)}
    return {"name": gpu, "counters": {"memory": mib(10 * SLICES), **each}}


def gpu_pool(name: str, gpus: int) -> list[Obj]:
    sets = resource_slice(name, [], driver=GPU, name=f"{name}-sets", count=2)
    del sets["spec"]["devices"]
    sets["spec"]["sharedCounters"] = [counter_set(f"g{i}") for i in range(gpus)]
    devices = [device for i in range(gpus) for device in partitions(f"g{i}")]
    return [sets, resource_slice(name, devices, driver=GPU, name=f"{name}-gpus", count=2)]


def fabric_pool(nodes: list[str], memory: int) -> list[Obj]:
    """Devices of several nodes, and one that all reach, on one counter set of one pool."""
    pool: dict[str, Any] = {"driver": FABRIC, "pool": "fabric", "count": len(nodes) + 2}
    sets = resource_slice("", [], **pool, name="fabric-sets", allNodes=True)
    del sets["spec"]["devices"]
    sets["spec"]["sharedCounters"] = [{"name": "pooled", "counters": {"memory": mib(memory)}}]

    def drawing(name: str, amount: int) -> Obj:
        uses = [{"counterSet": "pooled", "counters": {"memory": mib(amount)}}]
        return {"name": name, "consumesCounters": uses}

    far = resource_slice("", [drawing("far", 3)], **pool, name="fabric-far", allNodes=True)
    near = [
        resource_slice(
            "", [drawing(f"{n}-{i}", 2) for i in (0, 1)], **pool, name=f"fabric-{n}", nodeName=n
        )
        for n in nodes
    ]
    return [sets, far, *near]


def link_pool(name: str, *, is_local: bool) -> Obj:
    """A device that many share, 1 to 4 of its 10 units each; asked for nothing, it gives 2."""
    policy = {"default": "2", "validRange": {"min": "1", "max": "4", "step": "1"}}
    device: Obj = {
        "name": "port",
        "allowMultipleAllocations": True,
        "capacity": {"bandwidth": {"value": "10", "requestPolicy": policy}},
    }
    where: Obj = {"nodeName": name} if is_local else {"allNodes": True}
    return resource_slice(name, [device], driver=LINK, **where)


def device_request(kind: str) -> Obj:
    match kind:
        case "gpu" | "half" | "quarter":
            return exactly("r", "gpu", 1, f'device.attributes["{GPU}"].profile == "{kind}"')
        case "two":
            return exactly("r", "gpu", 2, f'device.attributes["{GPU}"].profile == "quarter"')
        case "any":
            alternatives = [device_request("half")["exactly"], device_request("quarter")["exactly"]]
            return {
                "name": "r",
                "firstAvailable": [{"name": f"a{i}", **a} for i, a in enumerate(alternatives)],
            }
        case "fabric":
            return exactly("r", "fabric")
        case _:
            requests = {"bandwidth": kind} if kind != "link" else {}
            return exactly("r", "link", 1, capacity={"requests": requests})


KINDS = ["gpu", "half", "quarter", "two", "any", "fabric", "link", "3", "4"]
events = st.one_of(
    st.tuples(st.just("come"), st.integers(0, 99), st.sampled_from(KINDS)),
    st.tuples(st.just("go"), st.integers(0, 99), st.just("")),
    st.tuples(st.just("restart"), st.just(0), st.just("")),
)


@settings(max_examples=60, deadline=None)
@given(
    gpus=st.lists(st.integers(0, 2), min_size=1, max_size=3),
    memory=st.integers(1, 8),
    is_local=st.booleans(),
    history=st.lists(events, min_size=3, max_size=16),
)
def test_no_counter_and_no_capacity_is_ever_overdrawn(
    gpus: list[int], memory: int, is_local: bool, history: list[tuple[str, int, str]]
) -> None:
    names = [f"n{i}" for i in range(len(gpus))]
    world = World(
        nodes=[node(name) for name in names],
        slices=[
            *(s for n, count in zip(names, gpus, strict=True) if count for s in gpu_pool(n, count)),
            *fabric_pool(names, memory),
            *(
                [link_pool(n, is_local=True) for n in names]
                if is_local
                else [link_pool("net", is_local=False)]
            ),
        ],
        classes=[
            device_class(name, f'device.driver == "{driver}"')
            for name, driver in (("gpu", GPU), ("fabric", FABRIC), ("link", LINK))
        ],
    )
    for number, (what, x, kind) in enumerate(history):
        there = sorted(name for k, name in world.objects if k == "Pod")
        if what == "come":
            name = f"p{number:02}"
            world.add(claim(name, device_request(kind)), pod(name, claims=(name,)))
        elif what == "restart":
            world.forget()
        elif there:
            world.end(there[x % len(there)])
        world.run()
        assert_not_overdrawn(world)
        assert_nobody_waits_in_vain(world, names)


def results(world: World) -> list[Obj]:
    claims = [c for (kind, _), c in world.objects.items() if kind == "ResourceClaim"]
    found = [c["status"]["allocation"] for c in claims if c["status"].get("allocation")]
    return [result for allocation in found for result in allocation["devices"]["results"]]


def device_name(result: Obj) -> str:
    return f"{result['driver']}/{result['pool']}/{result['device']}"


def assert_not_overdrawn(world: World) -> None:
    held = results(world)
    devices = {
        f"{s['spec']['driver']}/{s['spec']['pool']['name']}/{d['name']}": d
        for s in world.slices
        for d in s["spec"].get("devices", ())
    }
    alone = Counter(device_name(r) for r in held if not r.get("shareID"))
    assert all(count == 1 for count in alone.values()), alone
    shares = [r["shareID"] for r in held if r.get("shareID")]
    assert len(shares) == len(set(shares))
    limits: dict[tuple[str, str, str], int] = {}
    for item in world.slices:
        for counters in item["spec"].get("sharedCounters", ()):
            for name, counter in counters["counters"].items():
                key = (item["spec"]["pool"]["name"], counters["name"], name)
                limits[key] = quantity.to_int(counter["value"])
    drawn: Counter[tuple[str, str, str]] = Counter()
    consumed: Counter[str] = Counter()
    for result in held:
        device = devices[device_name(result)]
        for use in device.get("consumesCounters", ()):
            for name, counter in use["counters"].items():
                key = (result["pool"], use["counterSet"], name)
                drawn[key] += quantity.to_int(counter["value"])
        assert bool(result.get("shareID")) == bool(device.get("allowMultipleAllocations"))
        amounts: Obj = result.get("consumedCapacity") or {}
        consumed[device_name(result)] += quantity.to_int(amounts.get("bandwidth", "0"))
    assert all(amount <= limits[key] for key, amount in drawn.items()), drawn
    assert all(amount <= 10 for amount in consumed.values()), consumed


def assert_nobody_waits_in_vain(world: World, names: list[str]) -> None:
    held = results(world)
    capacity: dict[str, Counter[str]] = {}
    for result in held:
        for name, amount in (result.get("consumedCapacity") or {}).items():
            counts = capacity.setdefault(device_name(result), Counter())
            counts[name] += quantity.to_int(amount)
    told = {
        "classes": world.classes,
        "slices": world.slices,
        "features": [FEATURES],
        "allocatedDevices": [device_name(r) for r in held if not r.get("shareID")],
        "allocatedShared": [f"{device_name(r)}/{r['shareID']}" for r in held if r.get("shareID")],
        "allocatedCapacity": {
            device: {name: str(amount) for name, amount in counts.items()}
            for device, counts in capacity.items()
        },
    }
    for (kind, name), obj in world.objects.items():
        if kind != "Pod" or obj["spec"].get("nodeName"):
            continue
        wanted = [{"spec": world.get("ResourceClaim", name)["spec"]}]
        for where in names:
            question = {**told, "claims": wanted, "node": {"metadata": {"name": where}}}
            assert answer(read_case(question), CelSelectors(), ()).get("results") is None, name
