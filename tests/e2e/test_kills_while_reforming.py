"""Processes are killed while a gang forms for the first time, shrinks and grows.

What must hold afterwards is what `test_kills.py` says: the job goes on, at its full size again, and
no completed step is lost or computed a second time.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.test_kills import PATIENCE_S, STEPS, Workload, container_pid, kill, train_job
from mizzen.base import segment
from mizzen.base.resources import PODS, TRAIN_JOBS, USAGE_RECORDS
from support.instance import Instance
from support.waiting import until


class Gang(Workload):
    """The job of two ranks, seen through the memory that its workers share with the agent."""

    before = 0  # the generation that was wanted when the gang was last made to change

    def word(self, file: str, offset: int) -> int:
        try:
            with (self.home.shm / "default" / "kills" / file).open("rb") as page:
                page.seek(offset)
                word = page.read(segment.WORD.size)
        except FileNotFoundError:
            return 0
        # None yet in a file that is just being made.
        return segment.WORD.unpack(word)[0] if len(word) == segment.WORD.size else 0

    def state(self, rank: int) -> int:
        return self.word(f"rank-{rank}", segment.RANK_OFFSET_STATE)

    def generation(self, rank: int) -> int:
        return self.word(f"rank-{rank}", segment.RANK_OFFSET_GENERATION)

    @property
    def wanted(self) -> segment.Control:
        return segment.unpack_control(self.word("gang", segment.GANG_OFFSET_CONTROL))

    def is_wanted_anew(self) -> bool:
        """Another formation is wanted than before."""
        return self.wanted.generation > self.before

    def is_whole_anew(self) -> bool:
        """Both ranks run in the formation that is wanted, which is another than before."""
        wanted, joined = self.wanted, segment.RankState.JOINED
        return (wanted.size == 2 and self.is_wanted_anew()) and all(
            self.state(rank) == joined and self.generation(rank) == wanted.generation
            for rank in (0, 1)
        )

    async def kill_worker(self, rank: int) -> None:
        kill(container_pid(await self.pod(f"kills-node-0-{rank}")))

    async def shrink(self) -> None:
        """Takes rank 1 away; its successor comes by itself, so that the gang grows afterwards."""
        self.before = self.wanted.generation
        async with self.client() as client:
            await client.delete(PODS, "kills-node-0-1", "default")

    async def succeeds(self, what: str) -> None:
        """What was killed is back; the gang is whole again, in another formation than before, and
        makes steps."""
        await self.roles_return()
        await until(self.is_whole_anew, f"both ranks train again after {what}", PATIENCE_S)
        step = self.step()
        await until(lambda: self.step() >= step + 2, f"two more steps after {what}", PATIENCE_S)

    async def recorded(self) -> tuple[set[int], set[int]]:
        """Steps on the ledger: completed, and completed a second time."""
        async with self.client() as client:
            records, _ = await client.list(USAGE_RECORDS)
        found: dict[str, set[int]] = {"usefulStep": set(), "redoneStep": set()}
        for record in records:
            for interval in record["spec"]["intervals"]:
                if interval["line"] in found:
                    found[interval["line"]].add(interval["step"])
        return found["usefulStep"], found["redoneStep"]


@pytest.fixture
async def gang(tmp_path: Path) -> AsyncIterator[Gang]:
    instance = Instance(tmp_path / "i")
    instance.ok("up", "--detach")
    gang = Gang(instance)
    try:
        async with gang.client() as client:
            await client.create(TRAIN_JOBS, train_job(STEPS, gang.told_to_end))
        yield gang
    finally:
        instance.run("down")
    assert instance.processes() == []
    shutil.rmtree(gang.home.shm, ignore_errors=True)  # kept for a job that was cut short


async def test_kills_while_the_gang_changes(gang: Gang) -> None:
    # Whoever looks too rarely, on a busy machine, finds it joined already.
    awaits_or_joined = (segment.RankState.AWAITING, segment.RankState.JOINED)
    await until(lambda: gang.state(0) in awaits_or_joined, "rank 0 waits to join", PATIENCE_S)
    await gang.kill_worker(0)
    await gang.succeeds("kill -9 of rank 0 before the first formation")

    await gang.shrink()
    await gang.kill_worker(0)
    await gang.succeeds("kill -9 of rank 0 while rank 1 leaves")

    await gang.shrink()
    gang.kill_role("node")
    await gang.succeeds("kill -9 of the agent while rank 1 leaves")

    await gang.shrink()
    await until(gang.is_wanted_anew, "a formation without rank 1", PATIENCE_S)
    gang.kill_role("controllers")
    gang.kill_role("scheduler")
    await until(
        lambda: gang.state(1) == segment.RankState.AWAITING or gang.is_whole_anew(),
        "rank 1's successor waits to join",
        PATIENCE_S,
    )
    gang.kill_role("apiserver")
    await gang.succeeds("kill -9 of API server, controllers and scheduler while the gang changes")

    await gang.shrink()
    await until(gang.is_wanted_anew, "a formation without rank 1", PATIENCE_S)
    await until(lambda: gang.wanted.size == 2, "a formation with its successor", PATIENCE_S)
    gang.before = gang.wanted.generation
    await gang.kill_worker(1)
    await gang.succeeds("kill -9 of rank 1 as it joins")
    await check(gang)


async def check(gang: Gang) -> None:
    """Every step up to now is recorded as completed, and none as computed again."""
    steps = gang.step()
    async with gang.client() as client:
        await client.delete(TRAIN_JOBS, "kills", "default")
    end = time.monotonic() + PATIENCE_S
    while True:
        useful, redone = await gang.recorded()
        missing = set(range(steps)) - useful
        if not missing or time.monotonic() > end:
            break
        await asyncio.sleep(0.5)  # records are written every few seconds
    assert not missing, f"steps missing: {sorted(missing)}"
    assert not redone, f"completed steps were computed again: {sorted(redone)}"
