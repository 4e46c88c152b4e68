"""The scheduler dies between any two of its writes: what the next one finds is never half a gang."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from mizzen.base.errors import AlreadyExists
from mizzen.base.resources import PODS, PRIORITY_CLASSES
from support.executioner import Executioner
from support.proxy import Proxy
from support.second_home import Process, Stage, component, until_ready

GANG = 3


async def test_a_gang_is_bound_with_its_claims_and_no_record_stays(
    stage: Stage, proxy: Proxy
) -> None:
    await stage.add_node("ours", devices=GANG)
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        await stage.add_gang("train", GANG)
        await stage.until(lambda: all_bound(stage), "the gang is bound")
        await stage.until(lambda: no_intents(stage), "its record is removed")
    await stage.assert_no_device_twice()
    assert len(await stage.held()) == GANG
    kinds = [w.path.rpartition("/")[2] for w in proxy.writes if w.method != "PATCH"]
    assert kinds[0] == "configmaps"
    assert kinds.count("binding") == GANG


# The intent, two writes of each claim, the binds, the intent's end.
WRITES = 1 + 2 * GANG + GANG + 1
HOW = pytest.mark.parametrize("is_answered_first", [False, True], ids=["unheard", "unanswered"])


@HOW
@pytest.mark.parametrize("nth", range(1, WRITES + 1))
async def test_the_next_scheduler_places_the_whole_gang(
    stage: Stage, proxy: Proxy, nth: int, is_answered_first: bool
) -> None:
    await stage.add_node("ours", devices=GANG)
    await stage.add_gang("train", GANG)
    await die_at(stage, Executioner(proxy, nth, is_answered_first))
    async with component("scheduler", stage.cluster.kubeconfig()) as successor:
        await until_ready(successor)
        await stage.until(lambda: whole(stage), "the gang is bound in the end")
        await stage.until(lambda: no_intents(stage), "no record stays")
    await stage.assert_no_device_twice()
    assert len(await stage.held()) == GANG


@HOW
@pytest.mark.parametrize("nth", range(1 + 2 * GANG, WRITES + 1))
async def test_what_cannot_be_finished_is_undone(
    stage: Stage, proxy: Proxy, nth: int, is_answered_first: bool
) -> None:
    await stage.add_node("ours", devices=GANG)
    await stage.add_gang("train", GANG)
    await die_at(stage, Executioner(proxy, nth, is_answered_first))
    unbound = sorted(set(await stage.pods()) - set(await stage.bound()))
    for name in unbound[:1]:  # and nobody makes it anew
        await stage.admin.delete(PODS, name, stage.namespace, grace_period_s=0)
    async with component("scheduler", stage.cluster.kubeconfig()) as successor:
        await until_ready(successor)
        assert len(await stage.bound()) == (0 if unbound else GANG)
        await stage.until(lambda: no_intents(stage), "no record stays")
        await stage.until(lambda: nothing_held_but_by(stage, 0 if unbound else GANG), "all is free")
    await stage.assert_no_device_twice()


PRIORITIES = {"low": 10, "high": 1000}
# Two victims: condition, cause and deletion of each; then the nomination of who displaces them.
EVICTION_WRITES = 7


@HOW
@pytest.mark.parametrize("nth", range(1, EVICTION_WRITES + 1))
async def test_an_eviction_cut_short_takes_no_more_than_needed(
    stage: Stage, proxy: Proxy, nth: int, is_answered_first: bool
) -> None:
    for name, value in PRIORITIES.items():
        with contextlib.suppress(AlreadyExists):
            await stage.admin.create(PRIORITY_CLASSES, {"metadata": {"name": name}, "value": value})
    await stage.add_node("ours", devices=4)
    executioner = Executioner(proxy, nth, is_answered_first)
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        for index in range(4):
            await stage.add_claim(f"low-{index}")
            await stage.add_pod(f"low-{index}", claims=(f"low-{index}",), priorityClassName="low")
        await stage.until(lambda: bound_are(stage, 4), "the node is full")
        await stage.add_claim("high", count=2)
        executioner.arm(scheduler)
        await stage.add_pod("high", claims=("high",), priorityClassName="high")
        await stage.until(lambda: dead(scheduler), "it is killed")
    await stage.end_leases()
    async with component("scheduler", stage.cluster.kubeconfig()) as successor:
        await until_ready(successor)

        async def high_is_bound() -> bool:
            await stage.bury()
            return "high" in await stage.bound()

        await stage.until(high_is_bound, "it gets its devices in the end")
    assert len(await stage.bound()) == 3, "two of four made way"
    await stage.assert_no_device_twice()


async def bound_are(stage: Stage, count: int) -> bool:
    return len(await stage.bound()) == count


async def die_at(stage: Stage, executioner: Executioner) -> None:
    """Runs a scheduler up to the write at which it is killed."""
    kubeconfig = stage.cluster.kubeconfig(server=executioner.proxy.url)
    async with component("scheduler", kubeconfig) as scheduler:
        executioner.arm(scheduler)
        await stage.until(lambda: dead(scheduler), "it is killed")
    await stage.end_leases()


async def nothing_held_but_by(stage: Stage, members: int) -> bool:
    """Plays kubelet and claim controller for the members that were taken back."""
    await stage.bury()
    return len(await stage.held()) == members


async def all_bound(stage: Stage) -> bool:
    return len(await stage.bound()) == GANG


async def whole(stage: Stage) -> bool:
    """Plays the controller of the gang as well: members that were taken back are made anew."""
    await stage.bury()
    pods = await stage.pods()
    for rank in range(GANG):
        if f"train-{rank}" not in pods:
            await stage.add_pod(f"train-{rank}", claims=(f"train-{rank}",), gang="train")
    return await all_bound(stage)


async def no_intents(stage: Stage) -> bool:
    return not await stage.intents()


async def dead(process: Process) -> bool:
    await asyncio.sleep(0)
    return process.popen.poll() is not None
