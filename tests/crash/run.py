"""Cuts, flips, kills, fills and fails a store, and compares with what was acknowledged.

    python tests/crash/run.py [--minutes 5] [--seed 1]

In turn, until the time is over:
 - damage: a store's file is cut at a random byte, has bits flipped, pages zeroed, swapped, written
   twice, its tail repeated or in another order. It is whole or refused, by file, place and advice.
 - kill: SIGKILL at the n-th system call that touches the store, each n in turn (strace).
 - full, failed: ENOSPC, EIO at the n-th write, EIO at the n-th sync; then writes go on, then a kill.
Nothing that was acknowledged is lost, no transaction is there in part. Exits 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mizzen.store import inspection
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey
from support import store_writer, torn

WRITER = Path(store_writer.__file__)
CALLS = "openat,ftruncate,fallocate,pwrite64,pwritev,writev,fdatasync,fsync,rename,close"
SYNCS, WRITES = "fdatasync,fsync", "pwrite64,pwritev,writev"
ENOUGH = 40  # acknowledgements, after which a run that nothing ended is killed
RUN_S_MAX = 12.0
DAMAGES_PER_TURN = 40


class Crash:
    """One home of stores, what was tried, and what was not as promised."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._chance = Random(seed)
        self.tried: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self, until: float) -> None:
        turns = cycle((self._damage, self._kills, self._errors))
        for turn in turns:
            for _ in turn():
                if time.monotonic() > until:
                    return

    # -- damage -----------------------------------------------------------------

    def _damage(self) -> Iterator[None]:
        """A store of some acknowledged transactions, damaged in many ways."""
        store = self._fresh("damaged")
        self._write(store, [], stop_after=self._chance.randrange(1, ENOUGH))
        data, before = torn.used(store / inspection.DATA), torn.served(store)
        asyncio.run(LocalStore(store).close())
        ever = set(before[0].items()) | _history(store)
        for number in range(DAMAGES_PER_TURN):
            damage = self._chance.choice(torn.DAMAGES)
            seed = self._chance.randrange(1 << 32)
            damaged = bytearray(data)
            damage(damaged, Random(seed))
            (store / inspection.DATA).write_bytes(damaged)
            try:
                verdict = torn.judge(store, before, ever)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                self._found(f"{damage.__name__}, seed {seed}, number {number}: {error!r}", store)
                verdict = "wrong"
            self.tried[f"{damage.__name__}: {verdict}"] += 1
            yield

    # -- kills and errors -------------------------------------------------------

    def _kills(self) -> Iterator[None]:
        """At each call in turn, from the making of the store on."""
        store, acknowledged = self._fresh("killed"), list[int]()
        for number in count(self._chance.randrange(1, 12), 7):
            if number > 130:
                return
            inject = f"inject={CALLS}:signal=KILL:when={number}"
            if self._chance.random() < 0.3:  # some begin anew, others go on
                store, acknowledged = self._fresh("killed"), []
            acknowledged += self._write(store, [inject])
            self._judge(store, acknowledged, f"killed at call {number}")
            self.tried["killed at a system call"] += 1
            yield

    def _errors(self) -> Iterator[None]:
        for calls, error in (
            (WRITES, "ENOSPC"),
            (WRITES, "EIO"),
            (SYNCS, "EIO"),
            (SYNCS, "ENOSPC"),
        ):
            store = self._fresh("failed")
            asyncio.run(LocalStore(store).close())
            first = self._chance.randrange(1, 40)
            when = self._chance.choice((f"{first}", f"{first}+{self._chance.randrange(2, 9)}"))
            acknowledged = self._write(store, [f"inject={calls}:error={error}:when={when}"])
            self._judge(store, acknowledged, f"{error} at {calls} {when}")
            self.tried[f"{error} of {calls.partition(',')[0]}"] += 1
            acknowledged += self._write(store, [], stop_after=5)  # and it goes on
            self._judge(store, acknowledged, f"after {error} at {calls} {when}")
            yield

    def _write(self, store: Path, injected: list[str], stop_after: int = ENOUGH) -> list[int]:
        """Runs the writer until it dies or has enough acknowledgements; returns all it gave."""
        command = [sys.executable, str(WRITER), str(store), "3"]
        if injected:
            paths = (store / inspection.DATA, store / inspection.WRITER, store)
            watched = [word for path in paths for word in ("-P", str(path))]
            options = ["-f", "-qq", "-o", "/dev/null", "-e", f"trace={CALLS}", *watched]
            command = ["strace", *options, *(w for i in injected for w in ("-e", i)), *command]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        assert child.stdout is not None and child.stderr is not None
        seen: list[int] = []
        timer = threading.Timer(RUN_S_MAX, _kill, [child])  # where every write fails
        timer.start()
        try:
            while len(seen) < stop_after:
                line = child.stdout.readline()
                if not line.endswith(b"\n"):
                    break
                seen.append(int(line))
        finally:
            timer.cancel()
            _kill(child)
        rest, said = child.communicate()
        seen += [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
        if b"Traceback" in said and b"OSError" not in said and b"Damaged" not in said:
            self._found(f"the writer: {said.decode(errors='replace')[-400:]}", store)
        return seen

    def _judge(self, store: Path, acknowledged: list[int], what: str) -> None:
        try:
            asyncio.run(_look(store, acknowledged))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._found(f"{what}: {error!r}", store)

    def _fresh(self, name: str) -> Path:
        shutil.rmtree(self._folder / name, ignore_errors=True)
        return self._folder / name

    def _found(self, text: str, store: Path) -> None:
        kept = self._folder.with_name(f"{self._folder.name}-finding-{len(self.wrong)}")
        shutil.copytree(store, kept, dirs_exist_ok=True)
        self.wrong.append(f"{text} (kept: {kept})")
        print(f"WRONG  {self.wrong[-1]}", flush=True)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """The writer, too, which would go on without strace."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _history(store: Path) -> set[tuple[ObjectKey, bytes]]:
    async def read() -> set[tuple[ObjectKey, bytes]]:
        opened = LocalStore(store)
        records = opened.history(opened.oldest, 100_000)
        await opened.close()
        return {(record.key, record.data) for record in records}

    return asyncio.run(read())


async def _look(folder: Path, acknowledged: list[int]) -> None:
    """Every acknowledged transaction is there, none is there in part; revisions only grow."""
    store = LocalStore(folder)
    try:
        left = {int(s.key.name[2:]) for s in store.list("left").items}
        right = {int(s.key.name[2:]) for s in store.list("right").items}
        assert left == right, f"in part: {sorted(left ^ right)}"
        assert left >= set(acknowledged), f"lost: {sorted(set(acknowledged) - left)}"
        revisions = [record.revision for record in store.history(store.oldest, 100_000)]
        assert revisions == sorted(set(revisions)), "revisions out of order"
    finally:
        await store.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if shutil.which("strace") is None:
        raise SystemExit(
            "system calls are failed by strace: install it (Debian: apt install strace)"
        )
    with tempfile.TemporaryDirectory(prefix="mizzen-crash-") as name:
        crash = Crash(Path(name) / "s", arguments.seed)
        (Path(name) / "s").mkdir()
        crash.run(time.monotonic() + 60 * arguments.minutes)
        for what, number in sorted(crash.tried.items()):
            print(f"{number:6} {what}")
        for line in crash.wrong:
            print(f"WRONG  {line}")
    print(f"crash: {crash.tried.total()} tried, {len(crash.wrong)} wrong; seed {arguments.seed}")
    return 1 if crash.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
