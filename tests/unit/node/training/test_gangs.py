"""Gangs with real processes that speak through real rank files, against a real API server."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.base import names, segment
from mizzen.base.objects import Obj, annotations_of, has_condition
from mizzen.base.resources import EVENTS, PODS, TRAIN_JOBS
from mizzen.checkpoints import choice
from mizzen.checkpoints.tier import TIERS, Checkpoint, Tier
from mizzen.host.clock import RealClock
from mizzen.node.agent import Agent
from mizzen.node.runtimes.process.processes import start_ticks
from mizzen.node.training.segments import GangPage, RankFile
from support.api_in_process import api_server
from support.waiting import until
from unit.node.test_agent import World, parent_of, phase, processes_of, state

BUFFERS_AT = 1 << 20
WORKER = """
import os, sys, time
from pathlib import Path
from mizzen.base import segment as s
from mizzen.node.training.segments import GangPage, RankFile
gang = GangPage(Path(os.environ["MIZZEN_SEGMENTS"]) / "gang")
rank, me = RankFile(Path(os.environ["MIZZEN_RANK_FILE"])), int(os.environ["MIZZEN_RANK"])
rank.set(s.RANK_OFFSET_STATE, s.RankState.STARTING)
rank.set(s.RANK_OFFSET_STATE, s.RankState.AWAITING)
awaits = rank.get(s.RANK_OFFSET_AWAITS)
while True:
    control = gang.control
    if rank.get(s.RANK_OFFSET_GENERATION) and (me >= control.size or control.flags):
        rank.set(s.RANK_OFFSET_STATE, s.RankState.LEFT)
    elif control.generation >= awaits and me < control.size:
        rank.set(s.RANK_OFFSET_GENERATION, control.generation)
        rank.set(s.RANK_OFFSET_STATE, s.RankState.JOINED)
        rank.set(s.RANK_OFFSET_STEPS_DONE, rank.get(s.RANK_OFFSET_STEPS_DONE) + 1)
    time.sleep(0.005)
"""
SAVER = """
import os, signal, sys, time
from pathlib import Path
output = Path(os.environ["MIZZEN_OUTPUT"])
def save(number, frame):
    time.sleep(0.3)  # longer than the agent takes to look again
    (output / "saved").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
(output / "begun").touch()
while True:
    time.sleep(60)
"""


class Gang(World):
    """Plays the TrainJob controller for a job of three ranks."""

    program = WORKER

    async def make(self, size: int) -> None:
        job = {
            "metadata": {"name": "job", "namespace": "default"},
            "spec": {"runtimeRef": {"name": "jax-distributed"}, "trainer": {"numNodes": size}},
        }
        self.owner = await self.client.create(TRAIN_JOBS, job)
        for rank in range(size):
            await self.rank_pod(rank)

    async def rank_pod(self, rank: int) -> None:
        metadata = self.owner["metadata"]
        owner = {
            "apiVersion": TRAIN_JOBS.api_version, "kind": "TrainJob", "name": "job",
            "uid": metadata["uid"], "controller": True,
        }  # fmt: skip
        container = {"name": "node", "image": names.IMAGE_PYTHON, "args": ["-c", self.program]}
        pod = {
            "metadata": {
                "name": f"job-{rank}", "namespace": "default", "ownerReferences": [owner],
                "annotations": {names.COMPLETION_INDEX: str(rank)},
            },
            "spec": {
                "nodeName": "testnode", "restartPolicy": "OnFailure", "containers": [container],
                "terminationGracePeriodSeconds": 60,
            },
        }  # fmt: skip
        await self.client.create(PODS, pod)

    async def form(self, generation: int, size: int, told: int) -> None:
        notes = {names.FORMATION_GENERATION: str(generation), names.FORMATION_SIZE: str(size)}
        for rank in reversed(range(told)):  # who is to leave is gone as soon as anybody knows
            patch = {"metadata": {"annotations": notes}}
            await self.client.patch(PODS, f"job-{rank}", patch, "default")

    async def ready(self, rank: int, awaits: int) -> Obj:
        def test(pod: Obj) -> bool:
            is_due = annotations_of(pod).get(names.AWAITS_GENERATION) == str(awaits)
            return is_due and has_condition(pod, names.JOIN_READY)

        return await self.until(f"job-{rank}", test)

    async def joined(self, rank: int, generation: int) -> None:
        file = RankFile(self.config.shm / "default" / "job" / f"rank-{rank}")
        await until(lambda: file.look.generation == generation, f"rank {rank} joined {generation}")
        file.close()

    def pid(self, pod: Obj) -> int:
        status: Any = pod["status"]["containerStatuses"][0]
        return int(status["containerID"].removeprefix("process://"))


@pytest_asyncio.fixture
async def gang(tmp_path: Path) -> Any:
    async with api_server(tmp_path / "home") as client:
        made = Gang(client, tmp_path)
        await made.start()
        yield made
        await made.stop()


async def formed(gang: Gang, size: int) -> list[int]:
    """A gang of `size` that runs as generation 1; its pids."""
    await gang.make(size)
    pods = [await gang.ready(rank, 1) for rank in range(size)]
    await gang.form(1, size, size)
    for rank in range(size):
        await gang.joined(rank, 1)
    return [gang.pid(pod) for pod in pods]


async def test_a_gang_forms_and_reports_progress(gang: Gang) -> None:
    await formed(gang, 2)
    pod = await gang.until("job-0", lambda p: names.PROGRESS in annotations_of(p))
    assert int(annotations_of(pod)[names.STEP]) > 0
    page = GangPage(gang.config.shm / "default" / "job" / "gang")
    assert page.control == segment.Control(1, 2)
    assert page.get(segment.GANG_OFFSET_COORDINATOR_IP) >> 24 == 127
    page.close()


async def test_what_is_durable_is_reported_beside_what_is_done(tmp_path: Path) -> None:
    async with api_server(tmp_path / "home") as client:
        gang = Gang(client, tmp_path)
        gang.config = replace(gang.config, durable_interval_s=0.2)
        await gang.start()
        try:
            await formed(gang, 1)
            stage(gang.config.shm / "default" / "job" / "rank-0", 1)
            pod = await gang.until("job-0", lambda p: names.CHECKPOINT_STEP in annotations_of(p))
        finally:
            await gang.stop()
    notes = annotations_of(pod)
    assert notes[names.CHECKPOINT_STEP] == "1"
    assert int(notes[names.STEP]) >= 1


async def test_what_cannot_be_made_durable_is_told_until_it_can(tmp_path: Path) -> None:
    def condition(pod: Obj) -> Obj:
        found = (c for c in pod["status"]["conditions"] if c["type"] == names.CHECKPOINTS_DURABLE)
        return next(found, {})

    async with api_server(tmp_path / "home") as client:
        gang = Gang(client, tmp_path)
        gang.config = replace(gang.config, durable_interval_s=0.1)
        await gang.start()
        try:
            await formed(gang, 1)
            place = gang.config.checkpoints / "default" / "job"
            (place / "owner").unlink()
            (place / "owner").mkdir()  # in the way of the file that says whose the folder is
            late = place / "step-9"
            late.mkdir()
            (late / "manifest.json").write_text("[]")
            segments = gang.config.shm / "default" / "job"
            stage(segments / "rank-0", 1)
            pod = await gang.until("job-0", lambda p: condition(p).get("status") == "False")
            assert "the state after step 1 is not durable" in condition(pod)["message"]
            file = RankFile(segments / "rank-0")
            assert file.get(segment.RANK_OFFSET_NOT_DURABLE)
            (place / "owner").rmdir()
            await gang.until("job-0", lambda p: condition(p).get("status") == "True")
            assert not file.get(segment.RANK_OFFSET_NOT_DURABLE)
            file.close()
            assert (place / "owner").read_text() == gang.owner["metadata"]["uid"]
            assert (place / "step-1").exists() and late.exists()
            about: dict[str, Obj] = {}
            async with asyncio.timeout(10):
                while not {"CheckpointDamaged", names.CHECKPOINT_FAILED} <= about.keys():
                    told, _ = await client.list(EVENTS, "default")
                    ours = (e for e in told if e["involvedObject"]["kind"] == "TrainJob")
                    about = {e["reason"]: e for e in ours}
        finally:
            await gang.stop()
    assert "step-9: its manifest is no object" in about["CheckpointDamaged"]["message"]
    assert "is not durable" in about[names.CHECKPOINT_FAILED]["message"]


async def test_state_whose_copy_failed_is_unsaved_though_an_earlier_copy_ended_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a completed job's segments would go with the instance, and its last state with them."""
    go_on, kept = threading.Event(), list[int]()

    def keep(tier: Tier, found: Checkpoint, whole: set[int]) -> bool:
        kept.append(found.step)
        if len(kept) == 2:
            raise OSError(28, "No space left on device")
        return go_on.wait(10)

    monkeypatch.setattr(choice, "keep", keep)
    async with api_server(tmp_path / "home") as client:
        gang = Gang(client, tmp_path)
        agent = Agent(client, gang.config, RealClock(), processes_of(gang.config), [], {})
        gang.config.pods_dir.mkdir(parents=True, exist_ok=True)
        await agent.start()
        await gang.make(1)
        agent.observe("ADDED", await client.get(PODS, "job-0", "default"))
        try:
            (job,) = agent.gangs._jobs.values()  # pyright: ignore[reportPrivateUsage]
            for step in (1, 2):
                stage(job.folder / "rank-0", step)
                agent.gangs.checkpoints.look(job, 0, is_last=True)
                await until(lambda: kept, "the first copy is under way")
            go_on.set()
            await until(lambda: kept == [1, 2], "the second copy")
            await until(lambda: agent.gangs.checkpoints.statistics().get("done") == 2, "both ended")
            assert agent.gangs.checkpoints.is_unsaved(job.key)
        finally:
            await agent.stop()


async def test_state_without_a_durable_tier_stays_unsaved(
    tmp_path: Path,
) -> None:
    """Else a completed job's segments, the only copy there is, would be removed."""
    async with api_server(tmp_path / "home") as client:
        gang = Gang(client, tmp_path)
        config = replace(gang.config, checkpoint_tiers="memory")
        agent = Agent(client, config, RealClock(), processes_of(config), [], {})
        gang.config.pods_dir.mkdir(parents=True, exist_ok=True)
        await agent.start()
        await gang.make(1)
        agent.observe("ADDED", await client.get(PODS, "job-0", "default"))
        try:
            (job,) = agent.gangs._jobs.values()  # pyright: ignore[reportPrivateUsage]
            stage(job.folder / "rank-0", 1)
            agent.gangs.checkpoints.look(job, 0, is_last=True)
            await until(lambda: agent.gangs.checkpoints.statistics().get("done") == 1, "it ended")
            assert agent.gangs.checkpoints.is_unsaved(job.key)
            assert job.durable_word == 0
            (slot,) = agent.slots.values()
            assert agent.gangs.variables(slot)[TIERS] == "memory"  # the library's are the same
        finally:
            await agent.stop()


def stage(path: Path, step: int) -> None:
    """What a worker does that has staged its state after a step."""
    with path.open("r+b") as file:
        file.truncate(BUFFERS_AT + 128)
    rank = RankFile(path)
    rank.set(segment.RANK_OFFSET_BUFFERS_AT, BUFFERS_AT)
    rank.set(segment.RANK_OFFSET_STATE_BYTES, 64)
    rank.set(segment.RANK_OFFSET_LENGTH0, 64)
    rank.set(segment.RANK_OFFSET_BUFFER0, step + 1)
    rank.close()


async def test_a_file_where_a_jobs_folder_should_be_is_the_reason_of_its_pods(gang: Gang) -> None:
    place = gang.config.checkpoints / "default"
    place.parent.mkdir(parents=True)
    place.write_text("a file")
    await gang.make(1)
    pod = await gang.until("job-0", lambda p: "CreateContainerError" in str(p.get("status")))
    assert str(place) in state(pod)["waiting"]["message"]
    await gang.pod("other", "true")
    await gang.until("other", phase("Succeeded"))
    place.unlink()
    await gang.ready(0, 1)


async def test_a_pod_that_cannot_be_handled_says_so_and_others_go_on(gang: Gang) -> None:
    """Annotations are anybody's, and the agent reads this one as a number."""
    await formed(gang, 1)
    odd = {"metadata": {"annotations": {names.FORMATION_GENERATION: "not a number"}}}
    await gang.client.patch(PODS, "job-0", odd, "default")
    pod = await gang.until("job-0", lambda p: p["status"].get("reason") == "FailedSync")
    assert "not a number" in pod["status"]["message"]
    await gang.pod("other", "true")
    await gang.until("other", phase("Succeeded"))
    await gang.form(2, 1, 1)
    await gang.until("job-0", lambda p: "reason" not in p["status"])
    await gang.joined(0, 2)


async def test_a_death_restarts_all_in_place(gang: Gang) -> None:
    pids = await formed(gang, 3)
    os.kill(pids[1], signal.SIGKILL)
    pods = [await gang.ready(rank, 2) for rank in range(3)]
    assert not any(start_ticks(pid) for pid in pids)
    assert [p["status"]["containerStatuses"][0]["restartCount"] for p in pods] == [1, 1, 1]
    await gang.form(2, 3, 3)
    for rank in range(3):
        await gang.joined(rank, 2)


async def test_who_leaves_is_gone_long_before_its_grace(gang: Gang) -> None:
    pids = await formed(gang, 3)
    await gang.client.delete(PODS, "job-2", "default")
    await gang.form(2, 2, 3)
    await gang.until_gone("job-2")
    assert not start_ticks(pids[2])
    for rank in range(2):
        await gang.joined(rank, 2)
        assert start_ticks(pids[rank])


async def saving(gang: Gang) -> Path:
    """A job of one plain script that saves when it is asked to end; the folder of its output."""
    gang.program = SAVER
    await gang.make(1)
    output = gang.config.outputs / "default" / "job"
    await until((output / "begun").exists, "the script runs")
    return output


async def test_a_plain_script_that_is_deleted_saves_first(gang: Gang) -> None:
    output = await saving(gang)
    pid = gang.pid(await gang.until("job-0", lambda p: "containerID" in str(p.get("status"))))
    await gang.client.delete(PODS, "job-0", "default")
    await gang.until_gone("job-0")
    assert (output / "saved").exists() and not start_ticks(pid)


async def test_a_plain_script_saves_when_the_instance_goes_down_and_runs_again(gang: Gang) -> None:
    output = await saving(gang)
    await gang.stop()
    assert (output / "saved").exists()
    (output / "begun").unlink()
    await gang.start()
    await until((output / "begun").exists, "the script runs again")
    pod = await gang.until("job-0", lambda p: "running" in state(p))
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1


async def test_what_is_swept_is_ours_and_no_link_is_followed(tmp_path: Path) -> None:
    """Whoever can write there, a pod for instance, leads the agent to nobody's files."""
    victim, shm = tmp_path / "victim", tmp_path / "shm"
    for folder in ("victim/docs", "shm/gone/job", "shm/.pods/uid", "shm/default"):
        (tmp_path / folder).mkdir(parents=True)
    (shm / "space").symlink_to(victim)
    (shm / "default" / "job").symlink_to(victim)
    (shm / "gone" / "job" / "link").symlink_to(victim)
    async with api_server(tmp_path / "home") as client:
        gang = Gang(client, tmp_path)
        await gang.start()
        await gang.stop()
    assert (victim / "docs").is_dir()
    assert not (shm / "gone").exists() and not (shm / ".pods").exists()


async def test_a_job_that_is_deleted_stops_and_its_segments_go(gang: Gang) -> None:
    pids = await formed(gang, 2)
    for rank in range(2):
        await gang.client.delete(PODS, f"job-{rank}", "default")
    for rank in range(2):
        await gang.until_gone(f"job-{rank}")
    assert not any(start_ticks(pid) for pid in pids)
    folder = gang.config.shm / "default" / "job"
    assert folder.exists()
    await gang.client.delete(TRAIN_JOBS, "job", "default")
    await until(lambda: not folder.exists(), "the segments are removed")


async def test_a_complete_job_holds_no_memory_once_the_agent_ends(gang: Gang) -> None:
    await gang.make(1)
    moment = "2026-01-01T00:00:00Z"
    done = {"type": "Complete", "status": "True", "reason": "JobsCompleted", "message": "all"}
    change = {"status": {"conditions": [{**done, "lastTransitionTime": moment}]}}
    await gang.client.patch(TRAIN_JOBS, "job", change, "default", subresource="status")
    await gang.ready(0, 1)
    folder = gang.config.shm / "default" / "job"
    assert folder.exists()
    await gang.stop()
    assert not folder.exists()


async def test_failures_without_progress_fail_the_pods(gang: Gang) -> None:
    await formed(gang, 1)
    for attempt in range(3):
        pod = await gang.until("job-0", lambda p: "running" in state(p) and "containerID" in str(p))
        pid = gang.pid(pod)
        if attempt == 0:
            await gang.until("job-0", lambda p: names.PROGRESS in annotations_of(p))
        os.kill(pid, signal.SIGKILL)
        await gang.until(
            "job-0", lambda p, pid=pid: str(pid) not in str(state(p)) and not start_ticks(pid)
        )
        await gang.until(
            "job-0",
            lambda p, pid=pid: phase("Failed")(p) or ("running" in state(p) and gang.pid(p) != pid),
        )
    pod = await gang.until("job-0", phase("Failed"))
    assert pod["status"]["reason"] == "TooManyFailures"


def failures(gang: Gang) -> int:
    """How many the agent has counted, as the next one would find it."""
    path = gang.config.shm / "default" / "job" / "agent.json"
    return int(json.loads(path.read_text())["failures"])


async def next_agent(gang: Gang) -> None:
    """Another agent takes over from one that left everything running."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Agent, "stop", Agent.close)
        await gang.stop()
    await gang.start()


async def test_a_death_is_one_failure_however_many_agents_find_it(gang: Gang) -> None:
    """Who takes over before the gang is back finds the same records of ended runs again."""
    pids = await formed(gang, 2)
    pods = [await gang.client.get(PODS, f"job-{rank}", "default") for rank in range(2)]
    works = [gang.config.pods_dir / p["metadata"]["uid"] / "node" / "work" for p in pods]
    for work in works:
        work.rmdir()
        work.touch()  # nothing starts again for now
    os.kill(pids[1], signal.SIGKILL)
    for rank in range(2):
        await gang.until(f"job-{rank}", lambda p: "CreateContainerError" in str(state(p)))
    for _ in range(3):
        await next_agent(gang)
    for work in works:
        work.unlink()
    for rank in range(2):
        await gang.ready(rank, 2)
    assert failures(gang) == 1


async def test_ranks_that_died_while_no_agent_looked_are_one_failure(gang: Gang) -> None:
    pids = await formed(gang, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Agent, "stop", Agent.close)
        await gang.stop()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not any(map(start_ticks, pids)), "all are dead")
    await gang.start()
    for rank in range(3):
        await gang.ready(rank, 2)
    assert failures(gang) == 1


async def test_a_shim_that_dies_is_no_failure_of_what_it_ran(gang: Gang) -> None:
    pids = await formed(gang, 2)
    for death in range(1, 4):
        os.kill(parent_of(pids[0]), signal.SIGKILL)

        def again(pod: Obj, death: int = death) -> bool:
            runs = pod["status"]["containerStatuses"][0]["restartCount"]
            return phase("Failed")(pod) or (runs == death and "running" in state(pod))

        pods = [await gang.until(f"job-{rank}", again) for rank in range(2)]
        assert [phase("Failed")(pod) for pod in pods] == [False, False]
        pids = [gang.pid(pod) for pod in pods]
    assert failures(gang) == 0


async def test_a_machine_that_can_start_no_process_is_no_failure_of_the_program(gang: Gang) -> None:
    pids = await formed(gang, 1)
    shim = parent_of(pids[0])
    limits = resource.prlimit(shim, resource.RLIMIT_NOFILE)
    resource.prlimit(shim, resource.RLIMIT_NOFILE, (4, limits[1]))
    os.kill(pids[0], signal.SIGKILL)

    def is_refused(pod: Obj) -> bool:
        status = pod["status"]["containerStatuses"][0]
        return phase("Failed")(pod) or status["restartCount"] == 3

    pod = await gang.until("job-0", is_refused)
    resource.prlimit(shim, resource.RLIMIT_NOFILE, limits)
    assert not phase("Failed")(pod)
    last = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("CreateContainerError", 128)
    await gang.ready(0, 2)
    assert failures(gang) == 1


async def test_what_workers_write_over_the_agents_notes_hinders_no_takeover(gang: Gang) -> None:
    pids = await formed(gang, 1)
    path = gang.config.shm / "default" / "job" / "agent.json"
    path.write_text('{"failures": [2], "best_step": -7, "counted": ["x"], "last_failure": {}}')
    await next_agent(gang)
    os.kill(pids[0], signal.SIGKILL)
    await gang.ready(0, 2)
    assert failures(gang) == 1


async def test_a_pod_that_goes_as_it_comes_leaves_no_gang(tmp_path: Path) -> None:
    """An agent that lagged hears both at once, before it has prepared anything."""
    async with api_server(tmp_path / "home") as client:
        gang = Gang(client, tmp_path)
        agent = Agent(client, gang.config, RealClock(), processes_of(gang.config), [], {})
        gang.config.pods_dir.mkdir(parents=True, exist_ok=True)
        await agent.start()
        await gang.make(2)
        pods = [await client.get(PODS, f"job-{rank}", "default") for rank in range(2)]
        for pod in pods:
            pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
        for kind, pod in (("ADDED", pods[0]), ("DELETED", pods[0]), ("ADDED", pods[1])):
            agent.observe(kind, pod)
        await until(lambda: agent.runtimes.running, "the other one runs")
        agent.observe("DELETED", pods[1])
        await until(lambda: not agent.slots, "it has ended")
        assert agent.gangs.statistics()["gangs"] == 0
        await agent.stop()


async def test_a_job_made_anew_under_the_name_starts_from_nothing(gang: Gang) -> None:
    await formed(gang, 1)
    first = gang.owner["metadata"]["uid"]
    place = gang.config.checkpoints / "default" / "job"
    for kept in ("step-5", "programs"):
        (place / kept).mkdir()
    output = gang.config.outputs / "default" / "job"
    (output / "model").write_text("the first job's")
    await gang.client.delete(TRAIN_JOBS, "job", "default")
    await gang.until_gone("job-0")
    await gang.make(1)
    await gang.ready(0, 1)
    assert (place / "owner").read_text() == gang.owner["metadata"]["uid"] != first
    assert not (place / "step-5").exists() and (place / "programs").exists()
    assert place.with_name(f"job.{first[:8]}").joinpath("step-5").exists()
    assert list(output.iterdir()) == []
    assert output.with_name(f"job.{first[:8]}").joinpath("model").exists()
    file = RankFile(gang.config.shm / "default" / "job" / "rank-0")
    assert file.look.generation == 0
    file.close()
