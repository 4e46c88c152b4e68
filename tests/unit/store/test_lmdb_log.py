"""Room: history goes by bytes, the map grows, and a write of unknown fate is looked up."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mizzen.base.errors import Unavailable
from mizzen.store import lmdb_file
from mizzen.store.inspection import inspect
from mizzen.store.lmdb_file import LmdbFile, NoRoom
from mizzen.store.lmdb_log import LmdbLog
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put, Record

KEEP = 1_000_000


def record(revision: int, name: str = "a", size: int = 1000, *, kind: str = "MODIFIED") -> Record:
    data = b'"%s"' % (b"x" * size)
    key = ObjectKey("r", "", name)
    return Record(revision, revision, "i", "update", key, "", kind, 0, data)  # type: ignore[arg-type]


def test_history_is_pruned_by_bytes(tmp_path: Path) -> None:
    log = LmdbLog(tmp_path, KEEP, keep_bytes=2_000_000)
    revision = 0
    for _ in range(40):
        batch = [record(revision + n, f"n{n}", 10_000) for n in range(1, 21)]
        assert log.append([batch]) == [""]
        revision += 20
    kept = log.read(log.oldest, 10_000, 1 << 30)
    assert kept[0].revision == log.oldest + 1 and kept[-1].revision == 800
    assert 1_700_000 < sum(len(each.data) for each in kept) < 2_300_000
    assert (tmp_path / "data.mdb").stat().st_size < 30_000_000
    log.close()
    found = inspect(tmp_path)
    assert (found.oldest, found.totals.newest, len(found.objects)) == (log.oldest, 800, 20)


def test_the_map_grows(tmp_path: Path) -> None:
    file = LmdbFile(tmp_path, ("t",), map_bytes=1 << 20)
    for n in range(100):
        file.write([("t", b"%d" % n, b"x" * 50_000)])
    assert len(list(file.scan("t", b""))) == 100
    file.close()
    again = LmdbFile(tmp_path, ("t",), map_bytes=1 << 20)
    assert len(list(again.scan("t", b""))) == 100
    again.close()


def test_a_map_that_may_not_grow_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_file, "MAP_BYTES_MAX", 1 << 20)
    file = LmdbFile(tmp_path, ("t",), map_bytes=1 << 20)
    with pytest.raises(NoRoom, match=r"the map of the store \(1048576 bytes\)"):
        for n in range(100):
            file.write([("t", b"%d" % n, b"x" * 50_000)])
    file.close()


@pytest.mark.parametrize("on_disk", [True, False])
def test_the_fate_of_a_write_that_broke_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_disk: bool
) -> None:
    """A disk that fails at the root: it may be written or not, and LMDB gives the file up."""
    log = LmdbLog(tmp_path, KEEP, KEEP)
    assert log.append([[record(1)]]) == [""]
    write = LmdbFile.write

    def fails(self: LmdbFile, puts: Sequence[object], deletes: Sequence[object] = ()) -> None:
        if on_disk:
            monkeypatch.undo()  # what was written is confirmed by one more root
            write(self, puts, deletes)  # type: ignore[arg-type]
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(LmdbFile, "write", fails)
    (why,) = log.append([[record(2)]])
    monkeypatch.undo()
    assert ("Input/output error" in why) != on_disk
    assert log.append([[record(3)]]) == [""]
    revisions = [each.revision for each in log.read(0, 10, 1 << 20)]
    assert revisions == ([1, 2, 3] if on_disk else [1, 3])
    log.close()
    assert inspect(tmp_path).totals.newest == 3


async def test_nothing_is_acknowledged_by_a_store_that_was_removed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    key = ObjectKey("configmaps", "ns", "a")
    await store.commit([Put(key, {"metadata": {"name": "a"}}, "create")], identity="i", now_ns=1)
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(Unavailable, match="was removed while the API server runs"):
        await store.commit([Put(key, {"metadata": {"name": "a"}, "b": 1}, "update")],
                           identity="i", now_ns=2)  # fmt: skip
    found = store.get(key)
    assert found is not None and found.revision == 1
    await store.close()


async def test_a_log_that_breaks_is_told_to_all_who_wait(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)

    def put(name: str) -> asyncio.Future[object]:
        writes = [Put(ObjectKey("r", "", name), {"metadata": {"name": name}}, "create")]
        return store.commit(writes, identity="i", now_ns=1)  # type: ignore[return-value]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LmdbFile, "write", None)  # any bug
        with pytest.raises(TypeError):
            await put("a")
    assert store.peek(ObjectKey("r", "", "a")) is None
    await put("a")
    await store.close()


def test_too_little_address_space_is_told_with_what_to_do(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from mizzen.store.lmdb_file import LmdbFile\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "try: LmdbFile(Path(sys.argv[1]), ['a'])\n"
        "except OSError as error: print(error.filename, error.strerror)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.startswith(f"{tmp_path} the store needs 16 GiB of address space")
