"""A real shim with real processes: output, ends, limits, and what survives whom."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.node.processes import is_alive, start_ticks
from mizzen.node.shim_client import Shim
from support.waiting import until

DEADLINE_S = 10.0


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
    assert texts == {"stdout F out", "stderr F err", "stdout F half"}
    record = json.loads((bench.folder / "u_c_0.run.json").read_text())
    assert record["state"] == "exited" and record["code"] == 7


async def test_a_program_that_is_not_there_says_so(bench: Bench) -> None:
    bench.spawn("u/c/0", "no-such-program")
    end = await bench.end_of("u/c/0")
    assert end["code"] == 127 and "cannot run 'no-such-program': No such file" in end["failure"]


async def test_spawning_is_quick(bench: Bench) -> None:
    took: list[float] = []
    for number in range(10):
        key = f"u/c/{number}"
        began = time.perf_counter()
        bench.spawn(key, "sleep", "60")
        await bench.heard(lambda m, key=key: m["event"] == "started" and m["key"] == key)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.01, took


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
    bench.spawn("u/c/0", "sh", "-c", "read x < fifo; exit 5")
    os.mkfifo(bench.folder / "fifo")
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


@pytest.mark.parametrize("kib", [64, 1024])
async def test_a_flood_of_output_is_whole(bench: Bench, kib: int) -> None:
    program = f"import sys\nfor i in range({kib}): print('x' * 1000, i)"
    bench.spawn("u/c/0", sys.executable, "-I", "-S", "-c", program)
    await bench.end_of("u/c/0")
    numbers = [int(line.rsplit(" ", 1)[1]) for line in bench.log("u/c/0")]
    assert numbers == list(range(kib))


async def test_the_socket_is_the_owners_alone(bench: Bench) -> None:
    assert (bench.folder / "shim.sock").stat().st_mode & 0o777 == 0o600
