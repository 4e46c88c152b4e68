"""Churn and faults for half an hour, then quiet, then what must hold.

    python tests/soak/run.py [--minutes 30] [--seed 1] [--disk-mib 2048]

Two thirds of the time faults strike every few seconds; in the last third the load goes on alone,
and no process may grow. As root the instance lives on a file system of its own that faults fill up
(in a mount namespace that goes with this process); otherwise disk faults are left out, and it says
so. At the end: every acknowledged write is there, uids and revisions are unique, owners there, quotas
exact, managed fields sets, the history is what is listed, no job failed or hung, no device is given twice,
the ledger sums, the store is whole, and nothing is left of the instance. Exits 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from checkers import allocations, history, invariants
from mizzen.base.resources import EVENTS, NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, Resource
from mizzen.client.client import Client
from mizzen.host.home import Home
from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds
from soak.faults import Faults
from soak.load import Load
from support.instance import Instance
from support.tiny_gguf import write_tiny_gguf

FAULTY = 2 / 3  # of the time
PAUSE_S = (2.0, 12.0)  # between faults
SAMPLE_S = 5.0
SETTLED_S = 30.0  # for garbage to be collected
GROWTH = 1.15  # of a process's memory in the quiet third, first against last samples
BETWEEN_QUARTERS = 3 / 4  # of the third, from the middle of its first quarter to that of its last
BESIDE_OBJECT_BYTES = 350  # its key, its revision, its place in the tables
GROWTH_BYTES = 12 << 20  # and this much besides: small processes waver
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--disk-mib", type=int, default=2048)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mizzen-soak-") as name:
        folder = Path(name)
        with file_system(folder, arguments.disk_mib) as disk:
            return asyncio.run(Soak(folder, disk, arguments.minutes, arguments.seed).run())


@contextlib.contextmanager
def file_system(folder: Path, mebibytes: int) -> Iterator[Path | None]:
    """A small file system at `folder` that only this process and its children see."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or libc.unshare(CLONE_NEWNS):
        print("not root: the disk is never filled", flush=True)
        yield None
        return
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "soak", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def own_bytes(pid: int | None) -> int:
    """Memory that is this process's own, 0 if it is gone: not the pages of the store's file that it
    has looked at, which the kernel takes back as it likes. Source: proc(5), RssAnon."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
    return 0


def _kinds() -> list[Kind]:
    return list(builtin_kinds().values())


def _name(resource: Resource) -> str:
    """As the history calls it."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


class Soak:
    def __init__(self, folder: Path, disk: Path | None, minutes: float, seed: int) -> None:
        self._instance = Instance(folder / "home")
        self._home = Home.locate(str(self._instance.home), {})
        self._seconds = minutes * 60
        chance = Random(seed)
        self._chance = chance
        model = write_tiny_gguf(folder / "tiny.gguf")
        self._load = Load(self._home, model, Random(seed + 1))
        self._faults = Faults(self._instance, Random(seed + 2), disk)
        self._struck: Counter[str] = Counter()
        self._wrong: list[str] = []
        self._memory: dict[str, list[int]] = defaultdict(list)
        self._peak: Counter[str] = Counter()

    async def run(self) -> int:
        self._instance.ok("up", "--detach")
        began = time.monotonic()
        load = asyncio.create_task(self._load.run())
        sampling = asyncio.create_task(self._sample(began))
        try:
            await self._strike(began + self._seconds * FAULTY)
            await asyncio.to_thread(self._faults.settle)
            stored = await self._events_bytes()
            self._memory.clear()
            before = Counter(self._load.interrupted)
            done = Counter(self._load.counts)
            await self._wait(began + self._seconds)
            for name, _ in self._load.loops():
                if self._load.counts[name] == done[name]:
                    self._wrong.append(f"{name}: nothing came to its end in the quiet third")
            quiet = self._load.interrupted - before
            if quiet:
                self._wrong.append(f"interrupted although nothing struck: {dict(quiet)}")
        finally:
            for task in (load, sampling):
                task.cancel()
            ended = await asyncio.gather(load, sampling, return_exceptions=True)
        self._wrong += [repr(e) for e in ended if isinstance(e, Exception)]
        self._judge_memory(await self._events_bytes() - stored)
        try:
            await self._judge_objects()
            self._judge_instance()
        finally:
            self._instance.run("down")
        return self._report()

    async def _strike(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(self._chance.uniform(*PAUSE_S))
            try:
                self._struck[await asyncio.to_thread(self._faults.strike)] += 1
            except (AssertionError, OSError, subprocess.SubprocessError, ValueError) as error:
                said = " ".join(str(error).split())[:400]
                self._wrong.append(f"a fault was not survived: {type(error).__name__}: {said}")
                print(f"WRONG  {self._wrong[-1]}", flush=True)
                await asyncio.to_thread(self._faults.settle)
            self._say(until)

    async def _wait(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(min(60.0, max(0.1, until - time.monotonic())))
            self._say(until)

    def _say(self, until: float) -> None:
        left = max(0.0, until - time.monotonic())
        done = ", ".join(f"{k} {v}" for k, v in sorted(self._load.counts.items()))
        wrong = len(self._wrong) + len(self._load.wrong)
        print(f"{left:5.0f} s  faults {self._struck.total()}  {done}  wrong {wrong}", flush=True)

    async def _sample(self, began: float) -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            try:
                status = await asyncio.to_thread(self._instance.status)
            except (ValueError, subprocess.SubprocessError):
                continue  # between two lives
            for process in status["processes"]:
                if held := own_bytes(process["pid"]):
                    self._memory[process["role"]].append(held)
                    self._peak[process["role"]] = max(self._peak[process["role"]], held)

    async def _events_bytes(self) -> int:
        """What the API server holds of Events: it keeps them for an hour, whatever else is gone."""
        held = 0
        async with self._load.client() as client:
            async for page, _ in client.pages(EVENTS):
                held += sum(len(json.dumps(each)) + BESIDE_OBJECT_BYTES for each in page)
        return held

    def _judge_memory(self, events_bytes: int) -> None:
        """`events_bytes`: by so much the Events grew in the quiet third."""
        for role, samples in self._memory.items():
            part = max(1, len(samples) // 4)
            first = statistics.median(samples[:part])
            last = statistics.median(samples[-part:])
            if role == "apiserver":
                last -= events_bytes * BETWEEN_QUARTERS
            if last > first * GROWTH + GROWTH_BYTES:
                self._wrong.append(
                    f"{role} grew from {first / (1 << 20):.0f} to {last / (1 << 20):.0f} MiB"
                )

    async def _judge_objects(self) -> None:
        """Every acknowledged write, every device, from the API alone."""
        load = self._load
        async with load.client() as client:
            for name in sorted(load.unsure):
                await load.settle(client, name)
            await load.check(client)
            listed = [(await client.list(r))[0] for r in (NODES, RESOURCE_SLICES, RESOURCE_CLAIMS)]
            pods = (await client.list(PODS))[0]
            self._wrong += allocations.faults(*listed, pods)
            await self._judge_invariants(client)

    async def _judge_invariants(self, client: Client) -> None:
        """Of every object of every kind, and of the history. What is on its way out of the world
        when the load ends is given some seconds to go."""
        end = time.monotonic() + SETTLED_S
        while True:
            lists = {kind.resource: await client.list(kind.resource) for kind in _kinds()}
            everything = [(_name(r), obj) for r, (items, _) in lists.items() for obj in items]
            found = invariants.faults(everything)
            if not found or time.monotonic() > end:
                break
            await asyncio.sleep(1)
        self._wrong += found
        seen = {_name(resource): int(revision) for resource, (_, revision) in lists.items()}
        records = [json.loads(line) async for line in client.lines("/mizzen/v1/history")]
        self._wrong += history.faults(
            [r for r in records if r["revision"] <= seen.get(r["resource"], 0)], everything
        )

    def _judge_instance(self) -> None:
        checked = self._instance.run("cost", "--check")
        if checked.returncode:
            self._wrong.append(f"the ledger: {checked.stdout[-400:]} {checked.stderr[-400:]}")
        self._instance.ok("down")
        whole = self._instance.run("check")
        if whole.returncode:
            self._wrong.append(f"the store: {whole.stdout[-400:]} {whole.stderr[-400:]}")
        if left := self._instance.processes():
            commands = [Path(f"/proc/{p}/cmdline").read_bytes()[:80] for p in left]
            self._wrong.append(f"left after down: {commands}")

    def _report(self) -> int:
        load = self._load
        print("\nfaults:", json.dumps(self._struck, sort_keys=True))
        print("load:", json.dumps(load.counts, sort_keys=True))
        print("interrupted:", json.dumps(load.interrupted, sort_keys=True))
        for role, samples in sorted(self._memory.items()):
            now = samples[-1] / (1 << 20)
            print(f"{role:<14}{now:6.0f} MiB at the end, {self._peak[role] >> 20} MiB at most")
        wrong = self._wrong + load.wrong
        for line in wrong:
            print(f"WRONG  {line}")
        print(f"\nsoak: {self._struck.total()} faults, {len(wrong)} wrong")
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
