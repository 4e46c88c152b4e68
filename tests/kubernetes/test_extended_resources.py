"""Resources asked for by name on a real API server: the claim, its status, the pod's status, the bind.

The scheduler makes the claim itself, so that a kill may leave one that nobody is bound with.
"""

from __future__ import annotations

import contextlib

import pytest

from mizzen.base.errors import AlreadyExists
from mizzen.base.objects import Obj
from mizzen.base.resources import DEVICE_CLASSES, POD_GROUPS, RESOURCE_CLAIMS
from support.executioner import Executioner
from support.proxy import Proxy
from support.second_home import DRIVER, Stage, component, until_ready

RESOURCE = "example.com/gpu"
SINGLE_WRITES = 4  # the claim, its allocation, the pod's status, the bind
GANG = 2
GANG_WRITES = 1 + SINGLE_WRITES * GANG + 1  # an intent first, and its end


async def set_up(stage: Stage, devices: int) -> None:
    selector = {"cel": {"expression": f'device.driver == "{DRIVER}"'}}
    spec = {"selectors": [selector], "extendedResourceName": RESOURCE}
    with contextlib.suppress(AlreadyExists):
        await stage.admin.create(DEVICE_CLASSES, {"metadata": {"name": "by-name"}, "spec": spec})
    await stage.add_node("ours", devices=devices)


async def add_asking(stage: Stage, name: str, gang: str = "") -> None:
    amounts = {RESOURCE: "1"}
    container = {
        "name": "main",
        "image": "example.com/none",
        "resources": {"requests": amounts, "limits": amounts},
    }
    await stage.add_pod(name, gang=gang, containers=[container])


async def claims(stage: Stage) -> list[Obj]:
    return (await stage.admin.list(RESOURCE_CLAIMS, stage.namespace))[0]


async def assert_whole(stage: Stage, count: int) -> None:
    """Every pod has one claim of its own, which its status names; nothing else is held."""
    made = {claim["metadata"]["name"]: claim for claim in await claims(stage)}
    pods = await stage.pods()
    assert len(made) == len(pods) == count
    for name, pod in pods.items():
        claim = made[pod["status"]["extendedResourceClaimStatus"]["resourceClaimName"]]
        assert claim["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
        assert [c["name"] for c in claim["status"]["reservedFor"]] == [name]
    assert len(await stage.held()) == count
    await stage.assert_no_device_twice()


@pytest.mark.parametrize("is_answered_first", [False, True], ids=["unheard", "unanswered"])
@pytest.mark.parametrize("nth", range(1, SINGLE_WRITES + 1))
async def test_the_next_scheduler_binds_with_one_claim(
    stage: Stage, proxy: Proxy, nth: int, is_answered_first: bool
) -> None:
    await set_up(stage, devices=1)
    await add_asking(stage, "asking")
    await killed(stage, Executioner(proxy, nth, is_answered_first))
    await recovers(stage, 1)


@pytest.mark.parametrize("nth", range(1, GANG_WRITES + 1))
async def test_the_next_scheduler_binds_the_whole_gang(
    stage: Stage, proxy: Proxy, nth: int
) -> None:
    await set_up(stage, devices=GANG)
    policy = {"gang": {"minCount": GANG}}
    metadata = {"name": "g", "namespace": stage.namespace}
    await stage.admin.create(
        POD_GROUPS, {"metadata": metadata, "spec": {"schedulingPolicy": policy}}
    )
    for index in range(GANG):
        await add_asking(stage, f"g-{index}", "g")
    await killed(stage, Executioner(proxy, nth, is_answered_first=False))
    await recovers(stage, GANG)


async def killed(stage: Stage, executioner: Executioner) -> None:
    kubeconfig = stage.cluster.kubeconfig(server=executioner.proxy.url)
    async with component("scheduler", kubeconfig) as scheduler:
        executioner.arm(scheduler)

        async def is_dead() -> bool:
            return scheduler.popen.poll() is not None

        await stage.until(is_dead, "it is killed")
    await stage.end_leases()


async def recovers(stage: Stage, count: int) -> None:
    async with component("scheduler", stage.cluster.kubeconfig()) as successor:
        await until_ready(successor)

        async def is_bound() -> bool:
            return len(await stage.bound()) == count

        await stage.until(is_bound, f"{count} pods are bound: {await stage.pods()}", 15)
    await assert_whole(stage, count)
