"""Acknowledged means on disk: writers are killed, unsynced bytes dropped, the store reopened."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from mizzen.store.local import LocalStore
from support import unsynced

WRITER = Path(unsynced.__file__).parent / "store_writer.py"


def run_until_killed(
    folder: Path, acknowledged: int, concurrent: int = 4, env: dict[str, str] | None = None
) -> list[int]:
    """Runs the writer, kills it soon after that many acknowledgements; returns all it gave."""
    child = subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), str(concurrent)],
        stdout=subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    assert child.stdout is not None
    try:
        seen = b""
        while seen.count(b"\n") < acknowledged:
            more = os.read(child.stdout.fileno(), 4096)
            assert more, "the writer ended by itself"
            seen += more
    finally:
        child.kill()
        seen += child.communicate()[0]
    return [int(line) for line in seen.split(b"\n") if line]


def check(folder: Path, acknowledged: list[int]) -> int:
    """Every acknowledged transaction is there, none is there in part. Returns how many are."""

    async def look() -> int:
        store = LocalStore(folder)
        left = {s.key.name[2:] for s in store.list("left").items}
        right = {s.key.name[2:] for s in store.list("right").items}
        assert left == right, f"half transactions: {left ^ right}"
        lost = {str(n) for n in acknowledged} - left
        assert not lost, f"acknowledged and lost: {sorted(lost)}"
        records = store.history(store.oldest, 10_000)
        assert [r.revision for r in records] == sorted({r.revision for r in records})
        if records:
            assert records[-1].revision == store.revision
            assert all(a.time_ns <= b.time_ns for a, b in pairwise(records))
        await store.close()
        return len(left)

    return asyncio.run(look())


def test_kill_9_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    moments = random.Random(7)
    acknowledged: list[int] = []
    for _ in range(4):
        acknowledged += run_until_killed(tmp_path / "s", moments.randrange(1, 150))
        check(tmp_path / "s", acknowledged)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unsynced.build(tmp_path_factory.mktemp("native"))


@pytest.mark.parametrize("share_kept", [0.0, 0.5, 0.9])
def test_bytes_not_yet_synced_may_vanish(tmp_path: Path, library: Path, share_kept: float) -> None:
    """None of them, or any subset of sectors, survives; what was acknowledged always does."""
    moments = random.Random(int(share_kept * 10) + 1)
    folder = tmp_path / "s"
    acknowledged: list[int] = []
    dropped = 0
    for round in range(3):
        journal = tmp_path / f"journal-{round}"
        env = {
            "LD_PRELOAD": str(library),
            "UNSYNCED_DIR": str(folder),
            "UNSYNCED_JOURNAL": str(journal),
        }
        acknowledged += run_until_killed(folder, moments.randrange(1, 100), env=env)
        dropped += unsynced.forget(journal, lambda: moments.random() < share_kept)
        check(folder, acknowledged)


def test_a_sync_that_fails_acknowledges_nothing_that_is_not_on_the_disk(
    tmp_path: Path, library: Path
) -> None:
    """Afterwards the kernel takes for clean what was never written: no later sync brings it back."""
    moments = random.Random(5)
    folder = tmp_path / "s"
    check(folder, [])  # makes it
    acknowledged: list[int] = []
    failed = 0
    for round in range(2):
        journal = tmp_path / f"journal-{round}"
        failing = sorted(moments.sample(range(3, 60), 12))
        env = {
            "LD_PRELOAD": str(library),
            "UNSYNCED_DIR": str(folder),
            "UNSYNCED_JOURNAL": str(journal),
            "UNSYNCED_FAILING": f",{','.join(map(str, failing))},",
        }
        acknowledged += run_until_killed(folder, 60, env=env)
        failed += sum(r.kind == unsynced.FAILED_SYNC for r in unsynced.records(journal))
        unsynced.forget(journal, lambda: moments.random() < 0.5)
        check(folder, acknowledged)
    assert failed > 5


def test_the_forgetful_disk_does_forget(tmp_path: Path, library: Path) -> None:
    """The layer under test above drops what a program wrote without a sync, and nothing else."""
    folder = tmp_path / "s"
    folder.mkdir()
    program = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "os.pwrite(fd, b'A' * 8192, 0); os.fdatasync(fd); os.pwrite(fd, b'B' * 8192, 4096)\n"
        "ds = os.open(sys.argv[1], os.O_WRONLY | os.O_DSYNC); os.pwrite(ds, b'C', 1)\n"
    )
    env = {"LD_PRELOAD": str(library), "UNSYNCED_DIR": str(folder),
           "UNSYNCED_JOURNAL": str(tmp_path / "j")}  # fmt: skip
    subprocess.run(
        [sys.executable, "-c", program, str(folder / "f")], check=True, env={**os.environ, **env}
    )
    assert (folder / "f").read_bytes() == b"AC" + b"A" * 4094 + b"B" * 8192
    assert unsynced.forget(tmp_path / "j", lambda: False) == 2
    assert (folder / "f").read_bytes() == b"AC" + b"A" * 8190


def test_after_a_sync_that_failed_it_forgets_what_a_later_one_would_have_kept(
    tmp_path: Path, library: Path
) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    program = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "os.pwrite(fd, b'A' * 8192, 0); os.fdatasync(fd); os.pwrite(fd, b'B' * 4096, 0)\n"
        "try: os.fdatasync(fd)\n"
        "except OSError: os.pwrite(fd, b'C' * 4096, 4096)\n"
        "os.fdatasync(fd)\n"
    )
    env = {"LD_PRELOAD": str(library), "UNSYNCED_DIR": str(folder), "UNSYNCED_FAILING": ",2,",
           "UNSYNCED_JOURNAL": str(tmp_path / "j")}  # fmt: skip
    subprocess.run(
        [sys.executable, "-c", program, str(folder / "f")], check=True, env={**os.environ, **env}
    )
    assert unsynced.forget(tmp_path / "j", lambda: False) == 1
    assert (folder / "f").read_bytes() == b"A" * 4096 + b"C" * 4096


def test_a_sync_comes_before_each_acknowledgement(tmp_path: Path, library: Path) -> None:
    """Between two acknowledgements: data written, fdatasync, then the root written O_DSYNC."""
    trace = _traced(tmp_path) if shutil.which("strace") else _journalled(tmp_path, library)
    acknowledgements = trace.count("a")
    assert acknowledgements >= 20
    # The first stretch also holds the opening of the store; from then on every one is alike.
    for stretch in trace.split("a")[:acknowledgements]:
        assert re.search(r"w+sd+$", stretch), f"acknowledged after {stretch!r}, in {trace!r}"


def _traced(tmp_path: Path) -> str:
    """The writer's system calls: w = write to the store, s = sync, d = O_DSYNC write, a = ack."""
    folder, log = tmp_path / "s", tmp_path / "strace"
    calls = "trace=openat,pwrite64,pwritev,writev,fdatasync,fsync,write"
    command = ["strace", "-f", "-y", "-e", calls, "-o", str(log)]
    child = subprocess.Popen(
        [*command, sys.executable, str(WRITER), str(folder), "1"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        for _ in range(25):
            assert child.stdout.readline()
    finally:
        os.killpg(child.pid, signal.SIGKILL)  # the writer too, which strace alone would free
        child.communicate()
    letters: list[str] = []
    synced: set[str] = set()
    data = re.escape(str(folder / "data.mdb"))
    for line in log.read_text().splitlines():
        if re.search(rf'openat\(.*"{data}".*O_DSYNC', line):
            synced.add(re.search(r"= (\d+)", line)[1])  # type: ignore[index]
        elif match := re.search(rf"writev?(?:64)?\((\d+)<{data}>", line):
            letters.append("d" if match[1] in synced else "w")
        elif re.search(rf"f(data)?sync\(\d+<{data}>\)\s+= 0", line):
            letters.append("s")
        elif re.search(r"write\(1<", line):
            letters.append("a")
    return "".join(letters)


def _journalled(tmp_path: Path, library: Path) -> str:
    env = {"LD_PRELOAD": str(library), "UNSYNCED_DIR": str(tmp_path / "s"),
           "UNSYNCED_JOURNAL": str(tmp_path / "j")}  # fmt: skip
    run_until_killed(tmp_path / "s", 25, concurrent=1, env=env)
    letters = {unsynced.SYNC: "s", unsynced.ACKNOWLEDGE: "a", unsynced.TRUNCATE: ""}
    return "".join(
        ("d" if r.durable else "w") if r.kind == unsynced.WRITE else letters[r.kind]
        for r in unsynced.records(tmp_path / "j")
    )


def test_both_traces_tell_the_same(tmp_path: Path, library: Path) -> None:
    trace = _journalled(tmp_path, library)
    for stretch in trace.split("a")[: trace.count("a")]:
        assert re.search(r"w+sd+$", stretch), f"acknowledged after {stretch!r}"
