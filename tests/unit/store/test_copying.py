"""A copy is whole at any moment; what is put back goes on above it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from mizzen.base.errors import Expired
from mizzen.host.records import Damaged
from mizzen.store import checking, copying
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put

COPY = """
import sys
from pathlib import Path
from mizzen.store import checking, copying
copying.copy(Path(sys.argv[1]), Path(sys.argv[2]))
"""


async def write(store: LocalStore, first: int, count: int) -> None:
    for number in range(first, first + count):
        key = ObjectKey("pods", "ns", f"p{number}")
        obj = {"metadata": {"name": f"p{number}"}, "value": number}
        await store.commit([Put(key, obj, "create")], identity="me", now_ns=number)


async def test_a_copy_taken_while_it_is_written_to_is_a_moment_of_it(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    await write(store, 0, 50)
    writing = asyncio.create_task(write(store, 50, 1_000_000))
    for number in range(3):  # as another process does
        arguments = (str(tmp_path / "store"), str(tmp_path / f"copy{number}"))
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", COPY, *arguments)
        assert await process.wait() == 0
    writing.cancel()
    await asyncio.wait([writing])
    await store.close()
    copies = [checking.verify(tmp_path / f"copy{number}") for number in range(3)]
    for found in copies:  # one object was written by each revision, and each has its record
        assert found.objects == found.records == found.newest
    assert 50 <= copies[0].newest <= copies[1].newest <= copies[2].newest
    assert copies[0].newest < copies[2].newest


async def test_what_is_put_back_gives_no_revision_twice(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    await write(store, 0, 10)
    await store.close()
    copying.copy(tmp_path / "store", tmp_path / "copy")
    store = LocalStore(tmp_path / "store")
    await write(store, 10, 5)  # lost when the copy is put back
    seen = store.revision
    await store.close()

    found = copying.restore(tmp_path / "copy", tmp_path / "new")
    assert (found.objects, found.records) == (10, 10)
    store = LocalStore(tmp_path / "new")
    try:
        assert store.revision > seen
        assert len(store.list("pods").items) == 10
        assert [record.key.name for record in store.history(0, 3)] == ["p0", "p1", "p2"]
        # A client that has seen what is lost must list anew; one that listed now goes on.
        for since in (3, seen):
            with pytest.raises(Expired):
                store.watch("pods", since=since)
        watch = store.watch("pods", since=store.revision)
        await write(store, 20, 1)
        assert [event.stored.key.name for event in watch.take_nowait()] == ["p20"]
        watch.close()
    finally:
        await store.close()
    store = LocalStore(tmp_path / "new")  # it is remembered
    with pytest.raises(Expired):
        store.watch("pods", since=seen)
    await store.close()


async def test_a_copy_of_a_copy_that_was_put_back(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    await write(store, 0, 3)
    await store.close()
    copying.copy(tmp_path / "store", tmp_path / "c1")
    copying.restore(tmp_path / "c1", tmp_path / "s2")
    copying.copy(tmp_path / "s2", tmp_path / "c2")
    found = copying.restore(tmp_path / "c2", tmp_path / "s3")
    assert found.newest == 3 + 2 * copying.REVISIONS_ON and found.objects == 3


async def test_a_damaged_copy_is_not_put_back(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    await write(store, 0, 30)
    await store.close()
    copying.copy(tmp_path / "store", tmp_path / "copy")
    data = tmp_path / "copy" / "data.mdb"
    text = bytearray(data.read_bytes())
    place = text.index(b'"value":17')
    text[place + 9] ^= 1
    data.write_bytes(text)
    with pytest.raises(Damaged):
        copying.restore(tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new").exists()
