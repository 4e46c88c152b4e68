"""A real shim with real processes: output, ends, limits, and what survives whom."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.host.process import ProcessId, wait_until_gone
from mizzen.node.runtimes.process import shim_client
from mizzen.node.runtimes.process.processes import is_alive, start_ticks
from mizzen.node.runtimes.process.shim_client import Shim
from support.waiting import until

DEADLINE_S = 60.0  # of a busy machine, too


class Bench:
    """A shim and everything it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[dict[str, Any]] = []
        self.shim = Shim(folder, self._hear)
        self._news = asyncio.Event()

    def _hear(self, message: dict[str, Any]) -> None:
        self.said.append(message)
        self._news.set()

    def spawn(self, key: str, *argv: str, **request: Any) -> None:
        name = key.replace("/", "_")
        self.shim.spawn(
            {
                "key": key, "argv": list(argv), "env": {"PATH": os.environ["PATH"]},
                "cwd": str(self.folder), "log": str(self.folder / f"{name}.log"),
                "record": str(self.folder / f"{name}.run.json"), **request,
            }
        )  # fmt: skip

    async def heard(self, test: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for message in self.said:
                    if test(message):
                        return message
                self._news.clear()
                await self._news.wait()

    async def end_of(self, key: str) -> dict[str, Any]:
        return await self.heard(lambda m: m["event"] == "exited" and m["key"] == key)

    def log(self, key: str) -> list[str]:
        return (self.folder / f"{key.replace('/', '_')}.log").read_text().splitlines()


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.shim.connect()
    yield made
    if not made.shim.lost.is_set():
        made.shim.shutdown()
        await asyncio.wait_for(made.shim.lost.wait(), DEADLINE_S)
    await made.shim.close()


async def test_output_exit_code_and_record(bench: Bench) -> None:
    bench.spawn("u/c/0", "sh", "-c", "echo out; echo err >&2; printf half; exit 7")
    end = await bench.end_of("u/c/0")
    assert (end["code"], end["signal"]) == (7, 0) and end["started"] <= end["finished"]
    texts = {line.split(" ", 1)[1] for line in bench.log("u/c/0")}
    assert texts == {"stdout F out", "stderr F err", "stdout P half"}
    record = json.loads((bench.folder / "u_c_0.run.json").read_text())
    assert record["state"] == "exited" and record["code"] == 7


async def test_a_program_that_is_not_there_says_so(bench: Bench) -> None:
    bench.spawn("u/c/0", "no-such-program")
    end = await bench.end_of("u/c/0")
    assert end["code"] == 127 and "cannot run 'no-such-program': No such file" in end["failure"]


async def test_a_start_waits_for_no_other_run(bench: Bench) -> None:
    for number in range(10):
        bench.spawn(f"u/c/{number}", "sleep", "600")
    for number in range(10):
        await bench.heard(lambda m, n=number: m["event"] == "started" and m["key"] == f"u/c/{n}")
    started = [m for m in bench.said if m["event"] in ("started", "exited")]
    assert [m["event"] for m in started] == ["started"] * 10
    assert all(is_alive(m["pid"], m["ticks"]) for m in started)


async def test_affinity_nice_and_session_hold_before_the_program_runs(bench: Bench) -> None:
    cpu = min(os.sched_getaffinity(0))
    program = "import os; print(os.sched_getaffinity(0), os.nice(0), os.getsid(0) == os.getpid())"
    bench.spawn("u/c/0", sys.executable, "-I", "-S", "-c", program, cpus=[cpu], nice=10)
    await bench.end_of("u/c/0")
    nice = max(10, os.nice(0))
    assert bench.log("u/c/0")[0].endswith(f"stdout F {{{cpu}}} {nice} True")


async def test_the_end_of_the_leader_ends_its_group(bench: Bench) -> None:
    bench.spawn("u/c/0", "sh", "-c", "sleep 60 & echo $!")
    await bench.end_of("u/c/0")
    child = int(bench.log("u/c/0")[0].rsplit(" ", 1)[1])
    await until(lambda: not start_ticks(child), "the child ended")


async def test_sigkill_reaches_grandchildren_and_sigterm_the_leader(bench: Bench) -> None:
    bench.spawn("u/a/0", "sleep", "60")
    await bench.heard(lambda m: m["event"] == "started")
    bench.shim.signal("u/a/0", signal.SIGTERM)
    assert (await bench.end_of("u/a/0"))["code"] == 128 + signal.SIGTERM
    bench.spawn("u/b/0", "sh", "-c", "trap '' TERM; sleep 60")
    bench.shim.signal("u/b/0", signal.SIGKILL)
    assert (await bench.end_of("u/b/0"))["signal"] == signal.SIGKILL


async def test_a_captured_command_returns_its_output(bench: Bench) -> None:
    bench.spawn("u/c/0/probe", "sh", "-c", "echo fine", capture=100, record="")
    assert (await bench.end_of("u/c/0/probe"))["output"] == "fine\n"


async def test_runs_outlive_the_agent_and_are_found_again(bench: Bench) -> None:
    os.mkfifo(bench.folder / "fifo")
    bench.spawn("u/c/0", "sh", "-c", "read x < fifo; exit 5")
    started = await bench.heard(lambda m: m["event"] == "started")
    await bench.shim.close()
    second = Bench(bench.folder)
    (found,) = await second.shim.connect()
    assert (found["key"], found["pid"], found["ticks"]) == (
        "u/c/0",
        started["pid"],
        started["ticks"],
    )
    assert second.shim.pid == bench.shim.pid
    (bench.folder / "fifo").write_text("go\n")
    assert (await second.end_of("u/c/0"))["code"] == 5
    second.shim.shutdown()
    await asyncio.wait_for(second.shim.lost.wait(), DEADLINE_S)
    await second.shim.close()


async def test_the_death_of_the_shim_is_noticed(bench: Bench) -> None:
    bench.spawn("u/c/0", "sleep", "60")
    started = await bench.heard(lambda m: m["event"] == "started")
    os.kill(bench.shim.pid, signal.SIGKILL)
    await asyncio.wait_for(bench.shim.lost.wait(), DEADLINE_S)
    assert is_alive(started["pid"], started["ticks"])
    os.kill(started["pid"], signal.SIGKILL)


@pytest.mark.parametrize("is_new", [False, True])
async def test_a_stopped_shim_is_continued(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    """By the agent that it serves and by one that comes; its runs go on."""
    monkeypatch.setattr(shim_client, "PULSE_S", 0.05)
    monkeypatch.setattr(shim_client, "ANSWER_S_MAX", 0.2)
    bench.spawn("u/c/0", "sleep", "60")
    started = await bench.heard(lambda m: m["event"] == "started")
    os.kill(bench.shim.pid, signal.SIGSTOP)
    if is_new:
        await bench.shim.close()
        (run,) = await bench.shim.connect()
        assert run["pid"] == started["pid"]
    else:
        watching = asyncio.create_task(bench.shim.watch())
        bench.spawn("u/c/1", "true")
        assert (await bench.end_of("u/c/1"))["code"] == 0
        watching.cancel()
    assert not bench.shim.lost.is_set() and is_alive(started["pid"], started["ticks"])


@pytest.mark.parametrize("is_new", [False, True])
async def test_a_shim_that_stays_silent_is_killed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    """A new agent leaves none behind that still holds processes, and starts another."""
    monkeypatch.setattr(shim_client, "PULSE_S", 0.05)
    monkeypatch.setattr(shim_client, "ANSWER_S_MAX", 0.1)
    monkeypatch.setattr(shim_client, "SILENT_S_MAX", 0.3)
    monkeypatch.setattr(signal, "SIGCONT", signal.SIGWINCH)  # which does not help it
    pid, ticks = bench.shim.pid, bench.shim.ticks
    os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(DEADLINE_S):
        if is_new:
            await bench.shim.close()
            await bench.shim.connect()
            assert bench.shim.pid != pid
        else:
            await bench.shim.watch()
    assert wait_until_gone(ProcessId(pid, ticks), DEADLINE_S)  # killed, and it may take a moment


@pytest.mark.parametrize("kib", [64, 1024])
async def test_a_flood_of_output_is_whole(bench: Bench, kib: int) -> None:
    program = f"import sys\nfor i in range({kib}): print('x' * 1000, i)"
    bench.spawn("u/c/0", sys.executable, "-I", "-S", "-c", program)
    await bench.end_of("u/c/0")
    numbers = [int(line.rsplit(" ", 1)[1]) for line in bench.log("u/c/0")]
    assert numbers == list(range(kib))


async def test_the_socket_is_the_owners_alone(bench: Bench) -> None:
    assert (bench.folder / "shim.sock").stat().st_mode & 0o777 == 0o600


async def test_many_runs_that_end_at_once_leave_the_shim_and_the_others_alive(bench: Bench) -> None:
    """One turn of the loop holds the news of an end and of pipes that the end closes."""
    bench.spawn("long/c/0", "sleep", "60")
    for round_number in range(4):
        keys = [f"short{n}/c/{round_number}" for n in range(40)]
        for key in keys:
            bench.spawn(key, "true")
        assert {(await bench.end_of(key))["code"] for key in keys} == {0}
    assert (bench.folder / "shim.log").read_text() == ""
    assert [entry["key"] for entry in await bench.shim.runs()] == ["long/c/0"]


async def test_a_reused_descriptor_is_not_taken_for_the_one_before(bench: Bench) -> None:
    """Probes beside ends: what is closed and opened again within a turn has other bytes in it."""
    for number in range(60):
        bench.spawn(f"u{number}/c/0", "sh", "-c", f"echo {number}; echo {number} >&2")
        bench.spawn(f"u{number}/p/0/probe", "echo", str(number), capture=100, record="")
    for number in range(60):
        assert (await bench.end_of(f"u{number}/c/0"))["code"] == 0
        assert (await bench.end_of(f"u{number}/p/0/probe"))["output"] == f"{number}\n"
        texts = [line.split(" ", 3)[3] for line in bench.log(f"u{number}/c/0")]
        assert texts == [str(number)] * 2


@pytest.mark.parametrize(
    "line",
    [
        b"no json", b"[1]", b"null", b'{"op":"spawn"}', b'{"op":"signal"}', b'{"op":"spawn","key":[]}',
        b'{"op":"signal","key":"long/c/0","signal":"x"}', b'{"op":"signal","key":"long/c/0","signal":99}',
        b'{"op":"spawn","key":"k","log":"a\\u0000b","argv":["true"],"env":{},"cwd":"/"}',
        b"[" * 100_000, b"\xff\xfe", b"x" * (17 * 2**20),
    ],
)  # fmt: skip
async def test_no_request_ends_the_shim(bench: Bench, line: bytes) -> None:
    bench.spawn("long/c/0", "sleep", "60")
    await bench.heard(lambda m: m["event"] == "started")
    bench.shim.write(line + b"\n")
    bench.spawn("after/c/0", "true")
    assert (await bench.end_of("after/c/0"))["code"] == 0
    assert [entry["key"] for entry in await bench.shim.runs()] == ["long/c/0"]


async def test_a_request_without_what_it_needs_fails_alone(bench: Bench) -> None:
    bench.shim.spawn({"key": "u/c/0", "argv": ["true"], "env": {}})
    failed = await bench.heard(lambda m: m["event"] == "failed")
    assert failed["key"] == "u/c/0" and "KeyError" in failed["message"]
    bench.shim.spawn({"key": "u/d/0", "argv": ["true"], "env": {}, "log": str(bench.folder / "l")})
    assert "cannot start: KeyError('cwd')" in (await bench.end_of("u/d/0"))["failure"]


@pytest.mark.parametrize("how", ["setsid", "double fork", "clean environment", "deep"])
async def test_what_a_run_leaves_behind_ends_with_it(bench: Bench, how: str) -> None:
    os.mkfifo(bench.folder / "up")
    (bench.folder / "daemon").write_text("echo $$; echo > up; exec sleep 60")
    (bench.folder / "deep").write_text("setsid sh daemon & sleep 60")
    program = {
        "setsid": "setsid sh daemon & ",
        "double fork": "(setsid sh daemon &); ",
        "clean environment": "(setsid env -i sh daemon &); ",
        "deep": "(setsid sh deep &); ",
    }[how] + "read x < up"  # ends once its daemon runs
    bench.spawn("long/c/0", "sh", "-c", "(setsid sleep 60 &); exec sleep 60")
    bench.spawn("u/c/0", "sh", "-c", program)
    await bench.end_of("u/c/0")
    left = [int(line.rsplit(" ", 1)[1]) for line in bench.log("u/c/0")]
    assert left
    await until(lambda: not any(start_ticks(pid) for pid in left), f"{left} ended")
    assert [entry["key"] for entry in await bench.shim.runs()] == ["long/c/0"]
    started = await bench.heard(lambda m: (m["event"], m["key"]) == ("started", "long/c/0"))
    await until(lambda: live_children(started["pid"]), "a daemon of a run that goes on lives")


def live_children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, *_ = path.read_text().rsplit(")", 1)[1].split()
            if state != "Z" and int(parent) == pid:
                found.append(int(path.parent.name))
    return found


async def test_a_flood_that_outlives_its_run_does_not_hold_the_shim(bench: Bench) -> None:
    os.mkfifo(bench.folder / "up")
    bench.spawn("u/c/0", "sh", "-c", "(setsid sh -c 'echo > up; exec yes' &) ; read x < up")
    assert (await bench.end_of("u/c/0"))["code"] == 0
    bench.spawn("u/d/0", "true")
    assert (await bench.end_of("u/d/0"))["code"] == 0


async def test_a_shutdown_leaves_nothing(bench: Bench) -> None:
    program = "(setsid sh -c 'echo $$; exec sleep 60' &); exec sleep 60"
    bench.spawn("u/c/0", "sh", "-c", program)
    log = bench.folder / "u_c_0.log"
    await until(lambda: log.exists() and log.read_bytes(), "the daemon runs")
    daemon = int(bench.log("u/c/0")[0].rsplit(" ", 1)[1])
    bench.shim.shutdown()
    await asyncio.wait_for(bench.shim.lost.wait(), DEADLINE_S)
    assert not start_ticks(daemon)


@pytest.mark.parametrize("name", ["u_c_0.log", "u_c_0.run.json", "u_c_0.run.json.tmp"])
@pytest.mark.parametrize("what", ["pipe", "link", "folder"])
async def test_what_lies_where_a_file_should_be_blocks_nobody(
    bench: Bench, name: str, what: str
) -> None:
    place, victim = bench.folder / name, bench.folder / "victim"
    victim.write_text("mine")
    if what == "pipe":
        os.mkfifo(place)
    elif what == "link":
        place.symlink_to(victim)
    else:
        place.mkdir()
    bench.spawn("u/c/0", "sh", "-c", "echo words; exit 3")
    assert (await bench.end_of("u/c/0"))["code"] == 3
    assert victim.read_text() == "mine"
