"""Decides when staged state is made durable, and reports the outcome.

The copies are `mizzen.checkpoints`', in a thread of their own. A copy that fails, and an earlier one
that turns out damaged, is told to people: an Event on the TrainJob, a condition on the pod of rank
0, a word in the rank files that makes the workers say it in their logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mizzen.base import names, segment
from mizzen.base.objects import Obj
from mizzen.checkpoints import choice
from mizzen.checkpoints.tier import TIERS, Damaged, Entry, Gone, Places, Tier, open_tiers
from mizzen.host.logs import about
from mizzen.node.context import AgentContext
from mizzen.node.core.membership import Checkpointed
from mizzen.node.training.folders import JobFolders, claim, owner_of
from mizzen.node.training.job import Job
from mizzen.node.training.writer import DurableWriter

log = logging.getLogger("mizzen.node")


class Checkpoints:
    """Durable copies for all gangs of the node; `object_of`: where people look for a job."""

    def __init__(
        self,
        agent: AgentContext,
        folders: JobFolders,
        writer: DurableWriter,
        object_of: Callable[[Job], Obj],
    ) -> None:
        self._agent = agent
        self._folders = folders
        self._writer = writer
        self._object_of = object_of
        self._unsaved: set[str] = set()  # jobs whose newest staged state is not copied yet

    def statistics(self) -> Mapping[str, int]:
        return {"unsaved": len(self._unsaved), **self._writer.statistics()}

    def is_unsaved(self, key: str) -> bool:
        """True if the job's newest state exists in shared memory alone."""
        return key in self._unsaved

    def look(self, job: Job, now: int, is_last: bool = False) -> None:
        """Has the newest staged state copied, where that is due."""
        finished = any(f.look.state == segment.RankState.FINISHED for f in job.files.values())
        final = finished and not job.finished_copied
        interval = int(self._agent.config.durable_interval_s * 1e9)
        if not (is_last or final or now - job.durable_at >= interval):
            return
        job.durable_at = now
        job.finished_copied = job.finished_copied or final
        if job.staged_word > job.durable_word:
            loop = asyncio.get_running_loop()
            self._unsaved.add(job.key)
            self._writer.submit(job.key, lambda: self._copy(loop, job))

    # -- in the writer's thread ----------------------------------------------------------------

    def _copy(self, loop: asyncio.AbstractEventLoop, job: Job) -> None:
        # What is newest by now: a request that waited stands for all that came after it. Marked
        # again, since the copy before this one has ended meanwhile and took the mark away.
        self._unsaved.add(job.key)
        target = self._folders.checkpoints(job.key)
        variables = {**os.environ, TIERS: self._agent.config.checkpoint_tiers}
        tiers = open_tiers(Places(job.folder, target, variables=variables))
        newest = choice.newest_first([tier for tier in tiers if not tier.is_durable])[:1]
        if not newest:
            return

        def tell(done: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to tell
                loop.call_soon_threadsafe(done)

        source, entry = newest[0]
        try:
            if not self._is_own(job, target):
                return  # the folder is another job's by now
            durable = [tier for tier in tiers if tier.is_durable]
            if not durable or not all(  # without a durable tier it stays unsaved
                self._keep(job, number, tier, source, entry, tell)
                for number, tier in enumerate(durable)
            ):
                return
        except Gone:
            return  # it was written over meanwhile
        except (OSError, Damaged) as error:
            fault = error
            tell(lambda: self._failed(job, entry.step, fault))
        else:
            self._unsaved.discard(job.key)
            tell(lambda: self._copied(job, entry.step + 1))

    def _is_own(self, job: Job, target: Path) -> bool:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = owner_of(target)
        if not owner:
            claim(target, job.owner_uid)  # somebody removed the file that says whose it is
        return owner in ("", job.owner_uid)

    def _keep(
        self,
        job: Job,
        number: int,
        tier: Tier,
        source: Tier,
        entry: Entry,
        tell: Callable[[Callable[[], None]], None],
    ) -> bool:
        """True if the tier has the checkpoint now; what it had before is read once in an agent's
        life. Errors: OSError, Gone, Damaged."""
        if number not in job.whole:
            job.whole[number], damaged = choice.examine(tier)
            if damaged:
                tell(lambda: self._damaged(job, damaged))
        whole = job.whole[number]
        return entry.step in whole or choice.keep(tier, source.get(entry), whole)

    # -- in the agent's loop ------------------------------------------------------------------------

    def _copied(self, job: Job, word: int) -> None:
        job.durable_word = max(job.durable_word, word)
        self._mark(job, segment.RANK_OFFSET_NOT_DURABLE, 0)
        self._report(job, "")

    def _failed(self, job: Job, step: int, error: Exception) -> None:
        have = f"step {job.durable_word - 1}" if job.durable_word else "none of this run"
        text = f"the state after step {step} is not durable: {error}; the newest that is: {have}"
        log.error("%s", text, extra=about(object=job.key))
        self._agent.events.event(self._object_of(job), "Warning", names.CHECKPOINT_FAILED, text)
        self._mark(job, segment.RANK_OFFSET_NOT_DURABLE, getattr(error, "errno", None) or errno.EIO)
        self._report(job, text)

    def _damaged(self, job: Job, damaged: Mapping[int, str]) -> None:
        folder = self._folders.checkpoints(job.key)
        told = "; ".join(f"step-{step}: {why}" for step, why in sorted(damaged.items()))
        text = f"durable checkpoints in {folder} are damaged and not used: {told}"
        log.error("%s", text, extra=about(object=job.key))
        self._agent.events.event(self._object_of(job), "Warning", "CheckpointDamaged", text)

    def _mark(self, job: Job, offset: int, word: int) -> None:
        if not job.is_closed:
            for file in job.files.values():
                file.set(offset, word)

    def _report(self, job: Job, problem: str) -> None:
        """On the pod of rank 0: the newest durable step, and what keeps later ones from it."""
        lead = job.gang.members.get(0)
        slot = self._agent.slots.get(lead.uid) if lead is not None else None
        if slot is None:
            return
        self._agent.feed(slot, Checkpointed(max(job.durable_word - 1, 0), problem))
