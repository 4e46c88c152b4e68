"""Two schedulers in one cluster: each keeps to its nodes, and no device is ever handed out twice."""

from __future__ import annotations

import json
from typing import Any

from mizzen.base.names import HANDED_OVER, HANDED_OVER_TO, UNSCHEDULABLE
from mizzen.base.objects import Obj
from mizzen.base.resources import EVENTS, NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from support.second_home import DRIVER, Stage, component, until_ready

NODES_EACH = 2
DEVICES = 4
# More pods than devices on either side: the last ones must wait, not share.
PODS_EACH = NODES_EACH * DEVICES + 2


async def test_a_mixed_load_is_placed_without_sharing_a_device(stage: Stage) -> None:
    for index in range(NODES_EACH):
        await stage.add_node(f"ours-{index}", DEVICES)
        await stage.add_node(f"theirs-{index}", DEVICES, ours=False)
    with stage.cluster.kube_scheduler():
        async with component("scheduler", stage.cluster.kubeconfig()) as mizzen:
            await until_ready(mizzen)
            await stage.add_gang("train", 3)
            for index in range(PODS_EACH):
                for whose, scheduler in (("ours", "mizzen"), ("theirs", "default-scheduler")):
                    name = f"{whose}-{index}"
                    await stage.add_claim(name)
                    await stage.add_pod(name, claims=(name,), scheduler=scheduler)
                    await stage.add_pod(f"plain-{name}", scheduler=scheduler)

            async def all_devices_are_used() -> bool:
                return len(await stage.held()) == 2 * NODES_EACH * DEVICES

            async def plain_pods_are_bound() -> bool:
                bound = await stage.bound()
                return sum(name.startswith("plain-") for name in bound) == 2 * PODS_EACH

            await stage.until(all_devices_are_used, "every device is allocated")
            await stage.until(plain_pods_are_bound, "every pod without a device is bound")
        assert "allocated to ResourceClaims" not in mizzen.log
    await stage.assert_no_device_twice()
    for name, node in (await stage.bound()).items():
        assert node.startswith("theirs" if "theirs" in name else "ours"), (name, node)


async def test_a_node_without_the_taint_is_an_overlap_at_the_start(stage: Stage) -> None:
    await stage.add_node("ours")
    await stage.admin.patch(NODES, "ours", {"spec": {"taints": None}})
    log = await refusal(stage)
    assert 'Node "ours" is labelled for Mizzen but lacks its taint' in log
    assert "kubectl taint node ours mizzen.dev/scheduler=mizzen:NoSchedule" in log


async def test_a_foreign_pod_with_a_device_is_an_overlap_at_the_start(stage: Stage) -> None:
    await stage.add_node("ours")
    await hold_by_another(stage, "ours")
    log = await refusal(stage)
    assert "pods of other schedulers hold devices there: stage/foreign" in log


async def test_a_labelled_pool_that_others_reach_is_an_overlap_at_the_start(stage: Stage) -> None:
    await stage.add_node("ours", 0)
    await stage.add_node("theirs", 0, ours=False)
    await add_network_pool(stage, {"metadata": {"labels": {HANDED_OVER: HANDED_OVER_TO}}})
    log = await refusal(stage)
    assert 'ResourceSlice "fabric"' in log
    assert "reached by nodes that are not handed over: theirs" in log


async def test_a_pool_that_others_reach_is_left_to_them(stage: Stage) -> None:
    await stage.add_node("ours", 0)
    await stage.add_node("theirs", 0, ours=False)
    await add_network_pool(stage, {})
    async with component("scheduler", stage.cluster.kubeconfig()) as mizzen:
        await until_ready(mizzen)
        await stage.add_claim("one")
        await stage.add_pod("one", claims=("one",))
        await stage.until(lambda: is_refused(stage, "one"), "it is told why")
        assert not await stage.held()
        await stage.admin.delete(NODES, "theirs")  # now nobody else reaches it

        async def is_bound() -> bool:
            return "one" in await stage.bound()

        await stage.until(is_bound, "the pool is ours now")


async def test_a_node_that_becomes_shared_is_left_alone_until_it_is_mended(stage: Stage) -> None:
    await stage.add_node("ours")
    async with component("scheduler", stage.cluster.kubeconfig()) as mizzen:
        await until_ready(mizzen)
        await hold_by_another(stage, "ours")

        async def event_on_the_node() -> bool:
            events, _ = await stage.admin.list(EVENTS, "default")
            return any(
                e["reason"] == "SchedulersOverlap" and e["involvedObject"]["name"] == "ours"
                for e in events
            )

        await stage.until(event_on_the_node, "the Event says so")
        await stage.add_pod("late")
        await stage.until(lambda: is_refused(stage, "late"), "nothing is placed there")
        await stage.admin.delete(PODS, "foreign", stage.namespace, grace_period_s=0)

        async def is_bound() -> bool:
            return "late" in await stage.bound()

        await stage.until(is_bound, "the node is ours again")


async def test_a_device_allocated_twice_is_reported(stage: Stage) -> None:
    await stage.add_node("ours")
    async with component("scheduler", stage.cluster.kubeconfig()) as mizzen:
        await until_ready(mizzen)
        for name in ("first", "second"):
            await stage.add_claim(name)
            await allocate(stage, name, "ours", "gpu-0")

        async def events_on_both() -> bool:
            events, _ = await stage.admin.list(EVENTS, stage.namespace)
            told = {
                e["involvedObject"]["name"] for e in events if e["reason"] == "DeviceAllocatedTwice"
            }
            return told == {"first", "second"}

        await stage.until(events_on_both, "Events on both claims")
        assert 'allocated to ResourceClaims "stage/first" and "stage/second"' in mizzen.log


async def refusal(stage: Stage) -> str:
    """What the scheduler says as it refuses to start."""
    async with component("scheduler", stage.cluster.kubeconfig()) as mizzen:

        async def has_ended() -> bool:
            return mizzen.popen.poll() is not None

        await stage.until(has_ended, "it refuses to start")
        assert not mizzen.is_ready.is_set()
    assert mizzen.popen.returncode == 1
    return mizzen.log


async def hold_by_another(stage: Stage, node: str) -> None:
    """A running pod of kube-scheduler's that has a device of the node."""
    await stage.add_claim("foreign")
    await allocate(stage, "foreign", node, "gpu-0")
    await stage.add_pod(
        "foreign", claims=("foreign",), scheduler="default-scheduler", nodeName=node
    )


async def allocate(stage: Stage, claim: str, pool: str, device: str) -> None:
    result = {"request": "gpu", "driver": DRIVER, "pool": pool, "device": device}
    status: Obj = {"allocation": {"devices": {"results": [result]}}}
    await stage.admin.patch(
        RESOURCE_CLAIMS, claim, {"status": status}, stage.namespace, subresource="status"
    )


async def add_network_pool(stage: Stage, more: dict[str, Any]) -> None:
    spec = {
        "driver": DRIVER,
        "allNodes": True,
        "pool": {"name": "fabric", "generation": 1, "resourceSliceCount": 1},
        "devices": [{"name": "port-0"}],
    }
    metadata = {"name": "fabric", **more.get("metadata", {})}
    await stage.admin.create(RESOURCE_SLICES, {"metadata": metadata, "spec": spec})


async def is_refused(stage: Stage, name: str) -> bool:
    """It waits, and says why: to people in a condition, to programs in an annotation."""
    pod = (await stage.pods())[name]
    conditions = pod["status"].get("conditions") or ()
    if "nodeName" in pod["spec"] or not any(
        c["type"] == "PodScheduled" and c["status"] == "False" for c in conditions
    ):
        return False
    record = json.loads(pod["metadata"]["annotations"][UNSCHEDULABLE])
    assert record["reasons"]
    return True
