"""Strikes a running instance with every family, for a bounded time, and says what held.

    python tests/attack/run.py [--seconds 600] [--seed 1] [--only FAMILY ...] [--home DIR]

First every named attack once, then generated ones of all families in turn until the time is over.
The instance lives in a folder of its own and, where this machine lets us, in a memory group of
5 GB: who would take all memory is killed, and counted. Exits 1 when anything did not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[1]))

from attack.stage import BYSTANDER, NAMESPACE, Attack, Stage
from mizzen.host.home import Home
from support.instance import Instance

FOLDER = Path(__file__).parent
NOT_A_FAMILY = ("__init__", "run", "stage")
MEMORY_BYTES_MAX = 5 << 30
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")  # cgroup v1; elsewhere it runs without a group
PEAK_BYTES_MAX = 1 << 30  # of one process
REPORTED_CHARS = 400
REPORTED_LINES = 20  # of what the supervisor wrote during a strike that did not hold


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    names = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in NOT_A_FAMILY)
    parser.add_argument("--only", nargs="+", choices=names, metavar="FAMILY")
    parser.add_argument("--home", type=Path, help="keep the instance's folder here")
    parser.add_argument("--list", action="store_true", help="name the families and end")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(names))
        return 0
    chosen = arguments.only or names
    families = {name: importlib.import_module(f"attack.{name}") for name in chosen}
    with contextlib.ExitStack() as stack:
        folder = arguments.home or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="mizzen-attack-"))
        )
        stage = stack.enter_context(standing(folder, arguments.seed))
        return Campaign(stage, families, arguments.seconds).run()


@contextlib.contextmanager
def standing(folder: Path, seed: int) -> Iterator[Stage]:
    """An instance with a pod that nobody has anything against."""
    instance = Instance(folder)
    stage = Stage(instance, Home.locate(str(folder), {}), seed)
    with memory_group():
        instance.ok("up", "--detach", "--simulated-devices", "4")
    try:
        created = stage.create_pod(BYSTANDER, ["/bin/sleep", "100000"])
        assert created.status == 201, created.said
        stage.until(lambda: stage.pod(BYSTANDER)["status"].get("phase") == "Running", BYSTANDER)
        yield stage
    finally:
        instance.run("down")
        with contextlib.suppress(OSError):
            _group().rmdir()


def _group() -> Path:
    return MEMORY_GROUPS / f"mizzen-attack-{os.getpid()}"


@contextlib.contextmanager
def memory_group() -> Iterator[None]:
    """What is started inside shares a bound on memory, if this machine's groups can be made."""
    group = _group()
    try:
        group.mkdir(exist_ok=True)
        (group / "memory.limit_in_bytes").write_text(str(MEMORY_BYTES_MAX))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        print(f"no memory group ({error}): memory is not bounded", file=sys.stderr)
        yield
        return
    try:
        yield
    finally:
        (MEMORY_GROUPS / "cgroup.procs").write_text(str(os.getpid()))


class Campaign:
    """All strikes of one run, and what came of them."""

    def __init__(self, stage: Stage, families: dict[str, ModuleType], seconds: float) -> None:
        self._stage = stage
        self._families = families
        self._end = time.monotonic() + seconds
        self._tried: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._failed: list[str] = []

    def run(self) -> int:
        for name, family in self._families.items():
            for attack in family.attacks(self._stage):
                self._strike(name, attack)
            self._say(name)
        self._generate()
        return self._report()

    def _generate(self) -> None:
        streams = {
            name: family.generated(self._stage, self._stage.chance(name))
            for name, family in self._families.items()
            if hasattr(family, "generated")
        }
        while streams and time.monotonic() < self._end:
            for name, stream in streams.items():
                if time.monotonic() >= self._end:
                    break
                self._strike(name, next(stream))
        for name in streams:
            self._say(name)

    def _strike(self, family: str, attack: Attack) -> None:
        before = self._stage.facts()
        noted = len(self._stage.supervisor_log())
        self._tried[family] += 1
        try:
            attack.strike()
            self._stage.stands(before)
        except (AssertionError, OSError, subprocess.SubprocessError, ValueError) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:REPORTED_CHARS]
            self._failed.append(f"{family}: {attack.name}: {said}")
            print(f"NOT HELD  {self._failed[-1]}", flush=True)
            for line in self._stage.supervisor_log()[noted:][:REPORTED_LINES]:
                print(f"          {line}", flush=True)
            self._recover()
        else:
            self._held[family] += 1

    def _recover(self) -> None:
        """The next strike meets an instance that stands, whatever the last one left."""
        stage = self._stage
        with contextlib.suppress(AssertionError, OSError, ValueError, KeyError):
            stage.stands(stage.facts())
            if stage.pod(BYSTANDER)["status"]["phase"] == "Running":
                return
        stage.instance.run("down")
        with memory_group():
            stage.instance.ok("up", "--detach")
        with contextlib.suppress(AssertionError, OSError):
            for pod in stage.request("GET", f"{NAMESPACE}/pods").json["items"]:
                stage.delete(f"{NAMESPACE}/pods/{pod['metadata']['name']}")
        stage.create_pod(BYSTANDER, ["/bin/sleep", "100000"])
        stage.until(lambda: stage.pod(BYSTANDER)["status"].get("phase") == "Running", BYSTANDER)

    def _say(self, family: str) -> None:
        print(f"{family}: tried {self._tried[family]}, held {self._held[family]}", flush=True)

    def _report(self) -> int:
        peaks = self._stage.peak_bytes
        print("\nFAMILY        TRIED   HELD")
        for name in self._families:
            print(f"{name:<12}{self._tried[name]:>7}{self._held[name]:>7}")
        print("\nPROCESS       MEMORY'S HIGH-WATER MARK")
        for role, peak in sorted(peaks.items()):
            print(f"{role:<14}{peak / (1 << 20):.0f} MiB")
        fat = [f"{r} held {p >> 20} MiB" for r, p in peaks.items() if p > PEAK_BYTES_MAX]
        for line in self._failed + fat:
            print(f"NOT HELD  {line}")
        tried, held = self._tried.total(), self._held.total()
        print(f"\nattack: tried {tried}, held {held}, not held {tried - held + len(fat)}")
        return 1 if tried != held or fat else 0


if __name__ == "__main__":
    sys.exit(main())
