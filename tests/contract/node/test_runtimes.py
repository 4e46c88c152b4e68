"""What every runtime keeps, whatever it runs pods by; over all that work on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.base.names import IMAGE_PYTHON
from mizzen.host.clock import RealClock
from mizzen.node.podfiles import PodFiles, read_json
from mizzen.node.runtimes.interface import (
    ContainerSpec,
    Resources,
    RunEnded,
    RunEvent,
    RunStarted,
    Runtime,
    run_key,
)
from mizzen.node.runtimes.registry import DEFAULT_HANDLER, found
from support.waiting import until

UID = "uid-of-pod"
DEADLINE_S = 60.0  # of a busy machine, too


class Node:
    """A runtime, one pod's sandbox in it, and everything that it told."""

    def __init__(self, kind: type[Runtime], folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.files = PodFiles(folder / "pods", UID)
        self.runtime = kind(folder)
        self.told: list[RunEvent] = []
        self.untrue: list[str] = []  # ends that were told before they were on the disk

    async def connect(self) -> None:
        await self.runtime.connect(self._hear)

    async def follow(self) -> None:
        """Another agent comes after this one has gone."""
        await self.runtime.close()
        self.runtime, self.told = self.kind(self.folder), []
        await self.connect()

    def _hear(self, event: RunEvent) -> None:
        self.told.append(event)
        if isinstance(event, RunEnded) and self.record(event.key).get("state") != "exited":
            self.untrue.append(event.key)

    def bundle(self, script: str, **variables: str) -> Any:
        pod = {
            "metadata": {"name": "p", "namespace": "default", "uid": UID},
            "spec": {"containers": []},
        }
        container = {"name": "main", "image": IMAGE_PYTHON, "command": ["sh", "-c", script]}
        shared = {"shared": str(self.files.volume("shared"))}
        spec = ContainerSpec(
            pod, container, {"POD_NAME": "p", "POD_UID": UID}, variables, shared, {}, self.files
        )
        return self.runtime.bundle(spec)

    def start(self, script: str, number: int = 0, **variables: str) -> str:
        self.runtime.create(UID, Resources())
        key = run_key(UID, "main", number)
        log, record = self.files.log("main", number), self.files.record("main", number)
        self.runtime.start(key, self.bundle(script, **variables), log, record)
        return key

    async def running(self, script: str, number: int = 0) -> str:
        """Starts a run; its key, once it says "begun"."""
        key = self.start(f"echo begun; {script}", number)
        await until(lambda: "begun" in self.said(number), f"{key} runs", DEADLINE_S)
        await until(lambda: key in self.runtime.running, f"{key} is known", DEADLINE_S)
        return key

    async def end_of(self, key: str) -> dict[str, Any]:
        def ends() -> list[RunEnded]:
            return [e for e in self.told if isinstance(e, RunEnded) and e.key == key]

        await until(lambda: ends(), f"{key} ended", DEADLINE_S)
        assert key not in self.runtime.running and not self.untrue
        return ends()[0].record

    def record(self, key: str) -> dict[str, Any]:
        return read_json(self.files.record("main", int(key.rsplit("/", 1)[1]))) or {}

    def said(self, number: int = 0) -> list[str]:
        """The lines of the log without their stamps."""
        path = self.files.log("main", number)
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split(" ", 3)[3] for line in lines]


@pytest_asyncio.fixture(
    params=[kind for kind in found() if not kind.probe()], ids=lambda kind: kind.handler
)
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(request.param, tmp_path)
    await made.connect()
    yield made
    await made.runtime.shutdown()
    await made.runtime.close()


async def test_output_end_and_record(node: Node) -> None:
    key = node.start("echo out; echo err >&2; printf half; exit 7")
    end = await node.end_of(key)
    assert (end["code"], end["signal"]) == (7, 0) and end["started"] <= end["finished"]
    assert node.record(key)["code"] == 7
    lines = node.files.log("main", 0).read_text().splitlines()
    assert {line.split(" ", 1)[1] for line in lines} == {
        "stdout F out", "stderr F err", "stdout P half",
    }  # fmt: skip


async def test_a_start_is_told_with_an_id_before_the_end(node: Node) -> None:
    key = node.start("true")
    await node.end_of(key)
    kinds = [type(event) for event in node.told]
    assert kinds == [RunStarted, RunEnded]
    assert isinstance(node.told[0], RunStarted) and node.told[0].id


async def test_a_program_that_is_not_there_is_named(node: Node) -> None:
    key = node.start("exec no-such-program")
    end = await node.end_of(key)
    assert end["code"] and "no-such-program" in f"{end.get('failure')} {node.said()}"


async def test_variables_identity_and_volumes_reach_the_program(node: Node) -> None:
    volume = node.files.volume("shared")
    (volume / "given").write_text("in the volume")
    script = 'echo "$WORD $POD_NAME $(cat "$PLACE/given")"; echo back > "$PLACE/made"'
    await node.end_of(node.start(script, WORD="word", PLACE=str(volume)))
    assert node.said() == ["word p in the volume"]
    assert (volume / "made").read_text() == "back\n"


async def test_the_command_may_refer_to_variables(node: Node) -> None:
    await node.end_of(node.start("echo '$(WORD) $(POD_NAME)'", WORD="word"))
    assert node.said() == ["word $(POD_NAME)"]


async def test_a_signal_reaches_the_first_process(node: Node) -> None:
    key = await node.running("trap 'exit 3' TERM; echo trapped; while :; do sleep 0.02; done")
    await until(lambda: "trapped" in node.said(), "it takes the signal", DEADLINE_S)
    node.runtime.signal(key, signal.SIGTERM)
    assert (await node.end_of(key))["code"] == 3


async def test_what_ignores_the_signal_has_until_it_is_killed(node: Node) -> None:
    key = await node.running("trap '' TERM; echo deaf; while :; do sleep 0.02; done")
    await until(lambda: "deaf" in node.said(), "it ignores the signal", DEADLINE_S)
    node.runtime.signal(key, signal.SIGTERM)
    bundle = node.bundle("true")
    beside = await node.runtime.exec(key, "check", bundle, ["true"], DEADLINE_S)
    assert beside.code == 0 and key in node.runtime.running
    node.runtime.signal(key, signal.SIGKILL)
    end = await node.end_of(key)
    assert (end["code"], end["signal"]) == (137, 9)


@pytest.mark.parametrize("is_killed", [True, False])
async def test_an_end_takes_all_along_that_was_started(node: Node, is_killed: bool) -> None:
    """Daemons with sessions of their own, too: each would keep the pipe open."""
    pipe = node.files.volume("shared") / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    last = "exec sleep 600" if is_killed else "exit 0"
    script = f"exec 3>'{pipe}'; (setsid sleep 600 >&3 2>&3 &); sleep 600 & echo daemon; {last}"
    key = node.start(script)
    if is_killed:
        await until(lambda: "daemon" in node.said(), "it has started all", DEADLINE_S)
        node.runtime.signal(key, signal.SIGKILL)
    await node.end_of(key)

    def is_closed() -> bool:
        try:
            return not os.read(reader, 100)
        except BlockingIOError:
            return False

    await until(is_closed, "nobody has the pipe open", DEADLINE_S)
    os.close(reader)


async def test_a_command_beside_a_run(node: Node) -> None:
    key = await node.running("exec sleep 600")
    bundle = node.bundle("", WORD="word")
    done = await node.runtime.exec(
        key, "probe", bundle, ["sh", "-c", "echo $WORD; exit 4"], DEADLINE_S
    )
    assert (done.code, done.output.strip()) == (4, "word")
    with pytest.raises(TimeoutError):
        await node.runtime.exec(key, "slow", bundle, ["sleep", "600"], 0.2)
    await until(lambda: list(node.runtime.running) == [key], "it was killed", DEADLINE_S)
    assert not [event for event in node.told if isinstance(event, RunEnded)]


async def test_the_next_agent_takes_over_what_runs(node: Node) -> None:
    key = await node.running('read line < "$POD_UID.pipe" || true; exec sleep 600')
    before = dict(node.runtime.running)
    await node.follow()
    assert dict(node.runtime.running) == before == {key: before[key]}
    node.runtime.create(UID, Resources())
    node.runtime.signal(key, signal.SIGKILL)
    assert (await node.end_of(key))["code"] == 137


async def test_what_ends_while_no_agent_looks_is_in_its_record(node: Node) -> None:
    go = node.files.volume("shared") / "go"
    key = await node.running(f"while [ ! -e '{go}' ]; do sleep 0.02; done; exit 6")
    await node.runtime.close()
    go.touch()
    await until(lambda: node.record(key).get("state") == "exited", "it ended", DEADLINE_S)
    await node.follow()
    assert node.record(key)["code"] == 6 and not node.runtime.running


async def test_cpu_time_is_counted_and_stays_with_the_sandbox(node: Node) -> None:
    key = await node.running("while :; do :; done")
    await until(lambda: node.runtime.stats(UID).cpu_ns > 20_000_000, "it works", DEADLINE_S)
    node.runtime.signal(key, signal.SIGKILL)
    await node.end_of(key)
    assert node.runtime.stats(UID).cpu_ns > 20_000_000


async def test_a_resize_moves_what_runs_and_holds_for_what_starts(node: Node) -> None:
    core = max(os.sched_getaffinity(0))
    show = "import os; print(sorted(os.sched_getaffinity(0)), flush=True)"
    loop = f"{sys.executable} -c '{show}'; sleep 0.05"
    await node.running(f"while :; do {loop}; done")
    node.runtime.resize(UID, Resources(cpu_milli=500, cpus=(core,)))
    await until(lambda: node.said()[-1] == f"[{core}]", "it was moved", DEADLINE_S)
    key = run_key(UID, "main", 1)
    log, record = node.files.log("main", 1), node.files.record("main", 1)
    bundle = node.bundle(f"{sys.executable} -c '{show}'")
    node.runtime.start(key, bundle, log, record)
    await node.end_of(key)
    assert node.said(1) == [f"[{core}]"]


async def test_a_sandbox_that_is_removed_takes_its_runs_along(node: Node) -> None:
    key = await node.running("exec sleep 600")
    assert node.runtime.pids(UID)
    node.runtime.remove(UID)
    assert (await node.end_of(key))["code"] == 137
    node.runtime.remove(UID)
    assert not node.runtime.pids(UID)


async def test_a_run_that_nobody_holds_is_killed_by_its_record(node: Node) -> None:
    key = await node.running("exec sleep 600")
    node.runtime.kill_lost(UID, {**node.record(key), "state": "running"})
    assert (await node.end_of(key))["code"] == 137
    for odd in ({}, {"pid": 1, "ticks": 1}, {"pid": "1"}, {"pid": -1, "ticks": 5}):
        node.runtime.kill_lost(UID, odd)


async def test_pods_are_ended_from_outside_where_no_agent_is(node: Node) -> None:
    key = await node.running("exec sleep 600")
    await node.runtime.close()
    said = await asyncio.to_thread(node.kind.end_all, node.folder, RealClock())
    assert said and node.files.interrupted_at
    assert node.record(key)["state"] == "exited"
    await node.follow()
    assert not node.runtime.running
    await node.runtime.shutdown()
    await node.runtime.close()
    assert await asyncio.to_thread(node.kind.end_all, node.folder, RealClock()) == ""
    await node.follow()


def test_what_is_guaranteed_is_said(node: Node) -> None:
    guarantees = node.runtime.guarantees
    assert guarantees.isolation and guarantees.limits


def test_handlers_are_names_and_each_its_own() -> None:
    handlers = [kind.handler for kind in found()]
    assert DEFAULT_HANDLER in handlers and len(set(handlers)) == len(handlers)
    assert all(handler.replace("-", "").isalnum() for handler in handlers)
