"""The scheduler dies between any two of its writes: what the next one finds is never half a gang."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

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
    with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        await stage.add_gang("train", GANG)
        await stage.until(lambda: all_bound(stage), "the gang is bound")
        await stage.until(lambda: no_intents(stage), "its record is removed")
    await stage.assert_no_device_twice()
    assert len(await stage.held()) == GANG
    kinds = [w.path.rpartition("/")[2] for w in proxy.writes if w.method != "PATCH"]
    assert kinds[0] == "configmaps"
    assert kinds.count("binding") == GANG


# Intent, two writes of each claim, binds, end of the intent; more than there are is no kill.
@pytest.mark.parametrize("is_answered_first", [False, True], ids=["unheard", "unanswered"])
@pytest.mark.parametrize("nth", range(1, 3 * GANG + 3))
async def test_no_half_of_a_gang_remains(
    stage: Stage, proxy: Proxy, nth: int, is_answered_first: bool
) -> None:
    await stage.add_node("ours", devices=GANG)
    executioner = Executioner(proxy, nth, is_answered_first)
    kubeconfig = stage.cluster.kubeconfig(server=proxy.url)
    await stage.add_gang("train", GANG)
    with component("scheduler", kubeconfig) as scheduler:
        executioner.arm(scheduler)
        await stage.until(lambda: dead(scheduler), "it is killed")
    with component("scheduler", stage.cluster.kubeconfig()) as successor:
        await until_ready(successor)
        # It has settled what it found before it decides anything.
        assert len(await stage.bound()) in (0, GANG), successor.log
        await stage.until(lambda: whole(stage), "the gang is bound in the end")
        await stage.until(lambda: no_intents(stage), "no record stays")
    await stage.assert_no_device_twice()


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
