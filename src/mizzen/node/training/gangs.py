"""Carries formations to workers and their news back.

Decisions are `core/gang.py`'s; this looks at the rank files (every 15 ms while something is
awaited of a worker, else every 200 ms), and turns commands into signals and pod events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace

from mizzen.base import names, rendezvous, segment
from mizzen.base.objects import (
    Obj,
    annotations_of,
    controller_of,
    has_condition,
    is_terminating,
    key_of,
    labels_of,
    namespace_of,
    uid_of,
)
from mizzen.base.reading import entries
from mizzen.base.resources import TRAIN_JOBS
from mizzen.checkpoints.tier import TIERS
from mizzen.node.context import AgentContext
from mizzen.node.core import gang as core
from mizzen.node.core.events import Exited, GangFailed, GangRestart, KillNow
from mizzen.node.core.gang import Gang, Member
from mizzen.node.core.membership import Attached, AwaitsFormation, ReadyToJoin
from mizzen.node.core.pod import formation_of, is_finished
from mizzen.node.slot import DISRUPTIONS, Slot
from mizzen.node.training.checkpoints import Checkpoints
from mizzen.node.training.folders import JobFolders, owner_of
from mizzen.node.training.job import Job, configure, load, save
from mizzen.node.training.progress import PROGRESS_NS, progress_facts
from mizzen.node.training.rank_files import PodRankFiles, folders_of
from mizzen.node.training.segments import GangPage, RankFile, remove
from mizzen.node.training.watched_time import WatchedTime
from mizzen.node.training.writer import DurableWriter

CLOSE_LOOK_S, EASY_LOOK_S = 0.015, 0.2


class Gangs:
    """All gangs of the node; for pods outside any it keeps their rank files alone."""

    def __init__(self, agent: AgentContext) -> None:
        self._agent = agent
        self._jobs: dict[str, Job] = {}
        self._train_jobs: dict[str, Obj] = {}
        self._late: list[tuple[Slot, Exited]] = []  # ends found at adoption
        self._is_swept = False
        self._wake = asyncio.Event()
        self._time = WatchedTime(agent.clock)
        self._writer = DurableWriter()
        self._folders = JobFolders(agent.config, self._writer.submit)
        self.checkpoints = Checkpoints(agent, self._folders, self._writer, self._object_of)
        self._outside = PodRankFiles(agent.config.shm)

    def statistics(self) -> Mapping[str, int]:
        return {"gangs": len(self._jobs), **self.checkpoints.statistics()}

    def close(self) -> None:
        for job in self._jobs.values():
            self.checkpoints.look(job, self._time.now_ns(), is_last=True)
        self._writer.close()
        for job in self._jobs.values():
            job.is_closed = True
            job.page.close()
            for file in job.files.values():
                file.close()
        self._outside.close()
        for key, train_job in self._train_jobs.items():
            if has_condition(train_job, "Complete") and not self.checkpoints.is_unsaved(key):
                remove(self._agent.config.shm, key)
        self._jobs.clear()

    def remove_pod_files(self) -> None:
        """After the last process ended and its records were read: files of pods outside gangs."""
        self._outside.remove_all()

    # -- pods come, change, go ---------------------------------------------------------------

    def admit(self, slot: Slot) -> None:
        """A pod new to this agent: a member gets its place, its gang its files."""
        if not slot.state.is_member:
            return
        job, rank = self._job_of(slot), rank_of(slot.state.pod)
        if job is None or rank is None:
            return
        if rank not in job.files:
            job.files[rank] = RankFile(job.folder / f"rank-{rank}")
        member = Member(rank, slot.uid, awaits=job.files[rank].get(segment.RANK_OFFSET_AWAITS))
        if not slot.files.root.exists():
            member.awaits = 0
        member.view = job.files[rank].look if member.awaits else core.RankView()
        job.gang.members[rank] = member
        self.refresh(slot)

    def refresh(self, slot: Slot) -> None:
        """Updates the pod's state machine on whether the program has attached, from its file."""
        job, member = self._find(slot)
        if job is not None and member is not None:
            view = job.files[member.rank].look if member.is_live else member.view
            if slot.state.member.is_attached != view.is_attached:
                self._agent.feed(slot, Attached(view.is_attached))

    def observe(self, slot: Slot) -> None:
        """The pod changed: its formation, its deletion."""
        job, member = self._find(slot)
        if job is None or member is None:
            return
        member.is_terminating = is_terminating(slot.state.pod) or slot.state.vanished
        member.is_finished = is_finished(slot.state)
        now = self._time.now_ns()
        self._carry_out(job, core.on_formation(job.gang, formation_of(slot.state.pod), now))
        self._wake.set()

    def forget(self, slot: Slot) -> None:
        """The pod is gone, its process too."""
        self._outside.forget(slot.uid)
        job, member = self._find(slot)
        if job is None or member is None:
            return
        del job.gang.members[member.rank]
        if job.gang.round is not None:
            job.gang.round.ranks.discard(member.rank)
        if not job.gang.members:
            self._drop(job)

    def job_changed(self, kind: str, train_job: Obj) -> None:
        """A TrainJob as the API has it; when it is gone, so are its segments."""
        key = str(key_of(train_job))
        if kind == "DELETED":
            self._train_jobs.pop(key, None)
            if key not in self._jobs:
                self._folders.discard(key, uid_of(train_job))
            return
        self._train_jobs[key] = train_job
        job = self._jobs.get(key)
        if job is not None:
            configure(job.gang, train_job)

    def sweep(self) -> None:
        """After the first lists: segments of jobs that went while no agent ran are removed, and
        the ends of processes found at adoption are judged, now that all members are known."""
        kept = folders_of(self._agent.slots) | self._train_jobs.keys() | self._jobs.keys()
        self._folders.sweep(kept)
        self._is_swept = True
        self._judge_late()

    def _judge_late(self) -> None:
        late, self._late = self._late, []
        for slot, event in late:
            with self._agent.boundary.around(slot.state.pod):
                self.exited(slot, event)

    # -- processes -----------------------------------------------------------------------------

    def variables(self, slot: Slot) -> dict[str, str]:
        """The environment that makes a process a member."""
        if slot.state.is_member and self._find(slot)[1] is None:
            self.admit(slot)  # its folders could not be made when it came
        job, member = self._find(slot)
        if job is None or member is None:
            return {}
        folders = self._folders
        folders.make(job.key)
        return {
            "MIZZEN_SEGMENTS": str(job.folder),
            "MIZZEN_RANK": str(member.rank),
            "MIZZEN_JOB": job.key,
            "MIZZEN_CHECKPOINTS": str(folders.checkpoints(job.key)),
            TIERS: self._agent.config.checkpoint_tiers,
            "MIZZEN_OUTPUT": str(folders.output(job.key)),
            "MIZZEN_RANK_FILE": str(job.files[member.rank].path),
        }

    def rank_file(self, slot: Slot) -> RankFile:
        """The file in which the pod's process may record what it uses its devices for."""
        job, member = self._find(slot)
        if job is not None and member is not None:
            return job.files[member.rank]
        return self._outside.file(slot.uid)

    def before_spawn(self, slot: Slot) -> None:
        """The rank file is made ready: which generation the process may join at the earliest."""
        job, member = self._find(slot)
        if job is None or member is None:
            self._outside.prepare(slot.uid)
            return
        awaits, commands = core.on_spawn(job.gang, slot.uid, self._time.now_ns())
        member.run = _run_of(slot)
        job.files[member.rank].prepare(awaits)
        self._agent.feed(slot, AwaitsFormation(awaits))
        job.finished_copied = False
        self._carry_out(job, commands)
        self._wake.set()

    def adopted(self, slot: Slot) -> None:
        """The member's process runs since before this agent."""
        job, member = self._find(slot)
        if job is not None and member is not None:
            _recognise(job, member, slot)
            member.started_at = self._time.now_ns()
            member.is_ready = bool(slot.state.member.join_ready)
            member.offered = job.gang.generation  # for all that is known
            self._wake.set()

    def ended_before(self, slot: Slot, event: Exited) -> None:
        """The member's process ended while no agent ran; judged in `sweep`, and until then it
        counts as live: who died together falls in one round."""
        job, member = self._find(slot)
        if job is None or member is None:
            return
        _recognise(job, member, slot)
        self._late.append((slot, event))
        if self._is_swept:
            self._judge_late()

    def judge(self, slot: Slot, event: Exited) -> Exited:
        """The end of a process as the pod machine shall see it.

        Exit 0 before the training is over is no success.
        """
        job, member = self._find(slot)
        if job is None or member is None or event.code:
            return event
        member.view = job.files[member.rank].look
        text = core.is_premature(job.gang, member)
        if not text or member.is_terminating:
            return event
        return replace(event, code=1, signal=0, reason="LeftFormation", message=text)

    def exited(self, slot: Slot, event: Exited) -> None:
        """The pod machine has seen the end; now the gang does."""
        job, member = self._find(slot)
        run = slot.state.container(event.container)
        if job is None or member is None or run is None or run.init:
            return
        job.gang.formed = job.page.formed.generation
        for rank, other in job.gang.members.items():
            if other.is_live or other is member:
                other.view = job.files[rank].look  # with the steps since the last look
        now = self._time.now_ns()
        message = event.message
        counts = event.reason not in DISRUPTIONS
        if event.reason != "StartError" and counts:
            message = f"exit code {event.code}: {message}".removesuffix(": ")
        commands = core.on_exit(job.gang, slot.uid, event.code, message, now, counts)
        save(job)
        self._carry_out(job, commands)
        if member.rank == 0:  # the last steps go with the news of the end
            self._report_progress(job, member, now)
        self._wake.set()

    # -- looking -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Looks at the rank files until cancelled."""
        while True:
            now = self._time.now_ns()
            close = False
            for job in list(self._jobs.values()):
                with self._agent.boundary.around(self._object_of(job)):
                    self._look(job, now)
                close = close or core.is_watched_closely(job.gang, now)
            with contextlib.suppress(TimeoutError):
                self._wake.clear()
                async with asyncio.timeout(CLOSE_LOOK_S if close else EASY_LOOK_S):
                    await self._wake.wait()

    def _object_of(self, job: Job) -> Obj:
        """The object to report problems of the job on."""
        known = self._train_jobs.get(job.key)
        if known is not None and uid_of(known) == job.owner_uid:
            return known
        namespace, _, name = job.key.partition("/")
        metadata = {"name": name, "namespace": namespace, "uid": job.owner_uid}
        return {"apiVersion": TRAIN_JOBS.api_version, "kind": "TrainJob", "metadata": metadata}

    def _look(self, job: Job, now: int) -> None:
        live = {m.rank for m in job.gang.live}
        job.gang.formed = job.page.formed.generation
        views = {rank: job.files[rank].look for rank in live}
        commands = core.on_rank_views(job.gang, views, now)
        if commands:
            save(job)
            self._carry_out(job, commands)
        self.checkpoints.look(job, now)
        lead = job.gang.members.get(0)
        if lead is not None and 0 in live and now - job.progress_at >= PROGRESS_NS:
            self._report_progress(job, lead, now)

    def _report_progress(self, job: Job, lead: Member, now: int) -> None:
        slot = self._agent.slots.get(lead.uid)
        if slot is None:
            return
        for fact in progress_facts(job, lead, slot.state.member):
            job.progress_at = now
            self._agent.feed(slot, fact)

    # -- commands -------------------------------------------------------------------------------------

    def _carry_out(self, job: Job, commands: list[core.Command]) -> None:
        now = self._agent.clock.now_ns()
        for command in commands:
            if isinstance(command, core.SetControl):
                control = segment.Control(command.generation, command.size, command.flags)
                job.page.set_control(control, *self._coordinator(job))
                continue
            slot = self._agent.slots.get(command.uid)
            if slot is None:
                continue
            match command:
                case core.Kill():
                    self._agent.feed(slot, KillNow(now, command.reason))
                case core.Restart():
                    pause = command.not_before - self._time.now_ns()
                    restart = GangRestart(now, now + max(pause, 0), command.awaits)
                    self._agent.feed(slot, restart)
                case core.Fail():
                    self._agent.feed(slot, GangFailed(now, command.reason, command.message))
                case core.Ready():
                    self._agent.feed(slot, ReadyToJoin())
                case core.Hung():
                    self._agent.events.event(
                        slot.state.pod, "Warning", "WorkerHung", command.message
                    )

    def _coordinator(self, job: Job) -> tuple[str, int]:
        """The address of rank 0, "" while it has none, and its port."""
        lead = job.gang.members.get(0)
        slot = self._agent.slots.get(lead.uid) if lead is not None else None
        if slot is None:
            return "", rendezvous.PORT
        containers = entries(slot.state.pod, "spec", "containers")
        declared = {e["name"]: e.get("value") for c in containers for e in c.get("env") or ()}
        return slot.state.ip, rendezvous.port_of(declared.get(rendezvous.COORDINATOR) or "")

    # -- jobs ----------------------------------------------------------------------------------------------

    def _find(self, slot: Slot) -> tuple[Job | None, Member | None]:
        owner = controller_of(slot.state.pod) or {}
        job = self._jobs.get(f"{namespace_of(slot.state.pod)}/{owner.get('name')}")
        return job, job.gang.of(slot.uid) if job is not None else None

    def _job_of(self, slot: Slot) -> Job | None:
        owner = controller_of(slot.state.pod)
        if owner is None:
            return None
        key = f"{namespace_of(slot.state.pod)}/{owner['name']}"
        job = self._jobs.get(key)
        if job is not None and job.owner_uid == owner["uid"]:
            return job
        folder = self._folders.segments(key)
        if is_terminating(slot.state.pod) and owner_of(folder) not in ("", owner["uid"]):
            return None  # of a job whose name another has by now: it only has to end
        if job is not None:
            self._drop(job)
        self._folders.take_over(key, owner["uid"])
        page = GangPage(folder / "gang")
        control = page.control
        gang = Gang(control.generation, control.size, control.flags)
        gang.control_at = gang.progress_at = self._time.now_ns()
        job = self._jobs[key] = Job(key, owner["uid"], folder, page, gang)
        load(job)
        for path in folder.glob("rank-*"):
            if path.name[5:].isdecimal():  # workers may write there, too
                job.files[int(path.name[5:])] = RankFile(path)
        gang.steps_done = max((f.look.steps_done for f in job.files.values()), default=0)
        configure(gang, self._train_jobs.get(key))
        return job

    def _drop(self, job: Job) -> None:
        """No pod of the job is left here; its segments stay while the TrainJob does."""
        self.checkpoints.look(job, self._time.now_ns(), is_last=True)
        self._jobs.pop(job.key, None)
        loop = asyncio.get_running_loop()

        def close() -> None:
            self._close_files(job)
            with contextlib.suppress(RuntimeError):  # the loop has ended: the next agent sweeps
                loop.call_soon_threadsafe(self._closed, job)

        self._writer.submit(f"{job.key} (end of {job.owner_uid})", close)

    def _close_files(self, job: Job) -> None:
        """In the writer's thread, after the copies that still read them."""
        job.is_closed = True
        job.page.close()
        for file in job.files.values():
            file.close()

    def _closed(self, job: Job) -> None:
        if job.key not in self._train_jobs and job.key not in self._jobs:
            self._folders.discard(job.key, job.owner_uid)


def rank_of(pod: Obj) -> int | None:
    """The rank that the controller gave the pod, by annotation or label."""
    text = annotations_of(pod).get(names.COMPLETION_INDEX)
    text = text or labels_of(pod).get(names.COMPLETION_INDEX) or ""
    return int(text) if text.isdecimal() else None


def _run_of(slot: Slot) -> int:
    """The number of the pod's run: each run of each container is another."""
    return sum(run.number for run in slot.state.containers if not run.init)


def _recognise(job: Job, member: Member, slot: Slot) -> None:
    """A process of a former agent's time, and whether it is of a failure that was counted."""
    member.is_live, member.run = True, _run_of(slot)
    member.was_counted = job.counted.get(slot.uid) == member.run
