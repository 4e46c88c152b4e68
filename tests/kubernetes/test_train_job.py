"""A TrainJob on a real API server: our controller and our scheduler, the test plays the kubelet."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.names import (
    MIN_NODES,
    PRIORITY_INFERENCE,
    SIMULATED_CLASS,
    SIMULATED_DRIVER,
    SIMULATED_RESOURCE,
)
from mizzen.base.objects import Obj, has_condition
from mizzen.base.resources import POD_GROUPS, RESOURCE_CLAIMS, TRAIN_JOBS
from support.executioner import Executioner
from support.proxy import Proxy
from support.second_home import Stage, component, install, kubeconfig_of, until_ready

RANKS = 3
DEVICES = 4


async def test_runs_shrinks_for_somebody_important_and_completes(stage: Stage) -> None:
    await install(stage)
    await stage.add_node("ours", 0)
    await stage.add_slice("ours", DEVICES, SIMULATED_DRIVER)
    async with (
        component("scheduler", await kubeconfig_of(stage, "mizzen-scheduler")) as scheduler,
        component("controllers", await kubeconfig_of(stage, "mizzen-controllers")) as controllers,
    ):
        await until_ready(scheduler)
        await until_ready(controllers)
        await stage.admin.create(TRAIN_JOBS, train_job(stage.namespace))
        await stage.until(lambda: has_bound(stage, 0, 1, 2), "all ranks are bound")
        group = await stage.admin.get(POD_GROUPS, "train", stage.namespace)
        assert group["spec"]["schedulingPolicy"] == {"gang": {"minCount": 2}}
        for rank in range(RANKS):
            await stage.run_pod(rank_name(rank))
        await stage.assert_no_device_twice()

        await ask_for_two_devices(stage)
        await stage.until(lambda: is_leaving(stage, RANKS - 1), "the highest rank leaves")
        pod = (await stage.pods())[rank_name(RANKS - 1)]
        assert has_condition(pod, "DisruptionTarget")

        async def important_is_bound() -> bool:
            await stage.bury()
            return "important" in await stage.bound()

        await stage.until(important_is_bound, "it gets what was freed for it")
        assert await has_bound(stage, 0, 1), "no more than needed was taken"
        await stage.assert_no_device_twice()

        for rank in range(RANKS - 1):
            await stage.run_pod(rank_name(rank), "Succeeded")

        async def is_complete() -> bool:
            job = await stage.admin.get(TRAIN_JOBS, "train", stage.namespace)
            return has_condition(job, "Complete")

        await stage.until(is_complete, "the job completes with the ranks it has")
        for process in (scheduler, controllers):
            assert "orbidden" not in process.log, process.log


# PodGroup, claims and pods of three ranks, and their statuses, one after the other.
FIRST_WRITES = 9


@pytest.mark.parametrize("is_answered_first", [False, True], ids=["unheard", "unanswered"])
@pytest.mark.parametrize("nth", range(1, FIRST_WRITES + 1, 2))
async def test_a_controller_killed_between_its_writes_converges(
    stage: Stage, proxy: Proxy, nth: int, is_answered_first: bool
) -> None:
    await install(stage)
    await stage.add_node("ours", 0)
    await stage.add_slice("ours", DEVICES, SIMULATED_DRIVER)
    executioner = Executioner(proxy, nth, is_answered_first)
    through_proxy = await kubeconfig_of(stage, "mizzen-controllers", proxy.url)
    async with component("controllers", through_proxy) as controllers:
        await until_ready(controllers)
        executioner.arm(controllers)
        await stage.admin.create(TRAIN_JOBS, train_job(stage.namespace))

        async def is_dead() -> bool:
            return controllers.popen.poll() is not None

        await stage.until(is_dead, "it is killed")
    await stage.end_leases()
    async with (
        component("scheduler", stage.cluster.kubeconfig()) as scheduler,
        component("controllers", stage.cluster.kubeconfig()) as successor,
    ):
        await until_ready(scheduler)
        await until_ready(successor)
        await stage.until(lambda: has_bound(stage, 0, 1, 2), "all ranks are bound")

        async def nothing_is_left_over() -> bool:
            claims, _ = await stage.admin.list(RESOURCE_CLAIMS, stage.namespace)
            return len(claims) == RANKS

        await stage.until(nothing_is_left_over, "one claim for each rank, and no other")
    await stage.assert_no_device_twice()


def train_job(namespace: str) -> Obj:
    trainer: dict[str, Any] = {
        "numNodes": RANKS,
        "image": "example.com/train",
        "command": ["train"],
        "resourcesPerNode": {"limits": {SIMULATED_RESOURCE: 1}},
    }
    metadata = {"name": "train", "namespace": namespace, "annotations": {MIN_NODES: "2"}}
    spec = {"runtimeRef": {"name": "jax-distributed"}, "trainer": trainer}
    return {"metadata": metadata, "spec": spec}


async def ask_for_two_devices(stage: Stage) -> None:
    """One is free: a pod that outranks training wants one more."""
    exactly = {"deviceClassName": SIMULATED_CLASS, "allocationMode": "ExactCount", "count": 2}
    devices = {"requests": [{"name": "devices", "exactly": exactly}]}
    await stage.admin.create(
        RESOURCE_CLAIMS,
        {
            "metadata": {"name": "important", "namespace": stage.namespace},
            "spec": {"devices": devices},
        },
    )
    await stage.add_pod("important", claims=("important",), priorityClassName=PRIORITY_INFERENCE)


def rank_name(rank: int) -> str:
    return f"train-node-0-{rank}"


async def has_bound(stage: Stage, *ranks: int) -> bool:
    bound = await stage.bound()
    return all(rank_name(rank) in bound for rank in ranks)


async def is_leaving(stage: Stage, rank: int) -> bool:
    pod = (await stage.pods()).get(rank_name(rank))
    return pod is not None and bool(pod["metadata"].get("deletionTimestamp"))
