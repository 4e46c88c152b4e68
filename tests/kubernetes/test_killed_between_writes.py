"""The scheduler dies between any two of its writes: what the next one finds is never half a gang."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from mizzen.base.resources import PODS
from support.proxy import Proxy, Write
from support.second_home import Process, Stage, component, until_ready

GANG = 3


@dataclass
class Executioner:
    """Kills a process at its n-th write, before the server has it or before the answer is heard.

    Other writes are under way at the same time; whether they arrive is left to chance, as it is
    in life.
    """

    proxy: Proxy
    nth: int
    is_answered_first: bool
    process: Process | None = None
    is_done: bool = False

    def arm(self, process: Process) -> None:
        self.process = process
        self.proxy.writes.clear()
        if self.is_answered_first:
            self.proxy.after = self._strike
        else:
            self.proxy.before = self._strike_before

    def _strike_before(self, write: Write) -> tuple[int, bytes] | None:
        self._strike(write)
        return (503, b"{}") if self.is_done and write.number == self.nth else None

    def _strike(self, write: Write) -> None:
        if write.number == self.nth and not self.is_done and self.process is not None:
            self.is_done = True
            self.process.kill()


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
