"""A damaged store is refused with a sentence, wherever the damage is, and what can be is saved."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mizzen.compose import settings
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.host.records import Damaged
from mizzen.store import building, checking
from mizzen.store.lmdb_file import LmdbFile
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put, Remove
from support import old_store

OBJECTS = 120
PAGE_BYTES = 4096


def key(name: str) -> ObjectKey:
    return ObjectKey("configmaps", "ns", name)


def put(name: str, value: str) -> Put:
    return Put(key(name), {"metadata": {"name": name}, "value": value}, "update")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with values of all sizes, free pages, a history."""
    folder = tmp_path_factory.mktemp("whole") / "store"

    async def fill() -> None:
        store = LocalStore(folder)
        sizes = random.Random(1)
        for turn in range(3):
            for first in range(0, OBJECTS, 20):
                await store.commit(
                    [
                        put(f"n{n}", f"AMOUNT-{turn}-" + "x" * sizes.choice((10, 900, 3000, 9000)))
                        for n in range(first, first + 20)
                    ],
                    identity="i",
                    now_ns=turn,
                )
        for n in range(0, OBJECTS, 7):
            await store.commit(
                [Remove(key(f"n{n}"), {"metadata": {"name": f"n{n}"}})], identity="i", now_ns=9
            )
        await store.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    shutil.copytree(whole, tmp_path / "store")
    return tmp_path / "store"


def contents(folder: Path) -> Any:
    """All of it, as it would be served."""

    async def read() -> Any:
        store = LocalStore(folder)
        try:
            objects = [(s.key, s.revision, s.data) for s in store.list("configmaps").items]
            return objects, store.revision, store.history(store.oldest, 10_000)
        finally:
            await store.close()

    return asyncio.run(read())


def change(folder: Path, edit: Callable[[bytearray], None]) -> None:
    data = bytearray((folder / "data.mdb").read_bytes())
    edit(data)
    (folder / "data.mdb").write_bytes(data)


def used_bytes(folder: Path) -> int:
    data = (folder / "data.mdb").read_bytes()
    return len(data.rstrip(b"\0"))


@pytest.mark.parametrize("copy", ["first", "last"])
def test_one_byte_of_an_object(whole: Path, store: Path, copy: str) -> None:
    """The file has it twice, among the objects and in the history."""
    data = contents(whole)[0][0][2]

    def edit(file: bytearray) -> None:
        at = file.index(data) if copy == "first" else file.rindex(data)
        file[at + data.index(b"AMOUNT")] = ord("B")

    change(store, edit)
    with pytest.raises(Damaged, match=r"data\.mdb is damaged: .*(object|revision) .*checksum"):
        contents(store)


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bits_are_found_or_do_not_matter(whole: Path, store: Path, seed: int) -> None:
    """Where nobody looks (free pages, gaps) a flip is no damage; else nothing is served."""
    chance = random.Random(seed)
    original = (whole / "data.mdb").read_bytes()
    expected, found, size = contents(whole), 0, used_bytes(whole)
    for round in range(12):
        at, bit = chance.randrange(size), chance.randrange(8)
        if round < 4:  # the heads of pages, where most of the meaning is
            at = at // PAGE_BYTES * PAGE_BYTES + chance.randrange(200)
        data = bytearray(original)
        data[at] ^= 1 << bit
        (store / "data.mdb").write_bytes(data)
        try:
            assert contents(store) == expected
        except Damaged as error:
            assert str(store / "data.mdb") in str(error)
            found += 1
    assert found > 2


@pytest.mark.parametrize("seed", range(4))
def test_zeroed_pages(whole: Path, store: Path, seed: int) -> None:
    chance = random.Random(seed)
    expected, pages = contents(whole), used_bytes(whole) // PAGE_BYTES
    original = (whole / "data.mdb").read_bytes()
    found = 0
    for _ in range(10):
        number = chance.randrange(pages)
        data = bytearray(original)
        data[number * PAGE_BYTES : (number + 1) * PAGE_BYTES] = bytes(PAGE_BYTES)
        (store / "data.mdb").write_bytes(data)
        try:
            assert contents(store) == expected
        except Damaged:
            found += 1
    assert found > 2


@pytest.mark.parametrize("part", ["page", "half", "two pages", "500 bytes", "10 bytes"])
def test_a_file_that_was_cut_off(store: Path, part: str) -> None:
    size = used_bytes(store) // PAGE_BYTES * PAGE_BYTES
    left = {"page": size - PAGE_BYTES, "half": size // 2, "two pages": 2 * PAGE_BYTES,
            "500 bytes": 500, "10 bytes": 10}[part]  # fmt: skip
    with (store / "data.mdb").open("r+b") as file:
        file.truncate(left)
    with pytest.raises(Damaged, match="damaged"):
        contents(store)


def test_an_empty_file_or_none_where_there_was_a_store(store: Path) -> None:
    (store / "data.mdb").write_bytes(b"")
    with pytest.raises(Damaged, match="is empty, and there was one"):
        contents(store)
    (store / "data.mdb").unlink()
    with pytest.raises(Damaged, match="is missing, and there was one"):
        contents(store)
    assert not (store / "data.mdb").exists()


def test_a_store_whose_whole_folder_is_gone(tmp_path: Path) -> None:
    """What says that there was one does not go with the folder."""
    folder, mark = tmp_path / "store", tmp_path / "store.begun"
    asyncio.run(LocalStore(folder, mark=mark).close())
    assert mark.stat().st_mode & 0o777 == 0o600
    shutil.copytree(folder, tmp_path / "copy")
    with pytest.raises(FileExistsError, match=r"is there: .* move it away first"):
        checking.begin_anew(folder, mark)
    for _ in range(2):  # the first attempt makes the folder again
        shutil.rmtree(folder)
        with pytest.raises(Damaged, match=r"is missing, and there was one.*up --new-store"):
            LocalStore(folder, mark=mark)
        with pytest.raises(Damaged, match="is missing, and there was one"):
            checking.check(folder, mark)
        with pytest.raises(Damaged, match="is missing, and there was one"):
            checking.salvage(folder, tmp_path / "saved", mark)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)  # put back
    asyncio.run(LocalStore(folder, mark=mark).close())
    shutil.rmtree(folder)
    checking.begin_anew(folder, mark)
    asyncio.run(LocalStore(folder, mark=mark).close())
    assert checking.check(folder, mark).objects == 0


def test_what_was_saved_takes_the_place_of_a_store(store: Path, tmp_path: Path) -> None:
    """And between both moves nothing begins anew."""
    mark = tmp_path / "store.begun"
    asyncio.run(LocalStore(store, mark=mark).close())
    expected = contents(store)[0]
    checking.salvage(store, tmp_path / "saved", mark)
    store.rename(tmp_path / "store.damaged")
    with pytest.raises(Damaged, match="there was one"):
        LocalStore(store, mark=mark)
    shutil.rmtree(store)
    (tmp_path / "saved").rename(store)
    assert contents(store)[0] == expected


@pytest.mark.parametrize("tables", [None, [], ["objects"], ["objects", "history"]])
def test_a_creation_that_was_cut_short_is_begun_again(
    tmp_path: Path, tables: list[str] | None
) -> None:
    (tmp_path / "writer").touch()
    mark = tmp_path.with_suffix(".begun")
    if tables is None:
        (tmp_path / "data.mdb").touch()
    else:
        LmdbFile(tmp_path, tables).close()
    asyncio.run(LocalStore(tmp_path, mark=mark).close())
    assert mark.exists()
    assert contents(tmp_path)[1] == 0
    LmdbFile(tmp_path, ["objects", "history"]).close()
    assert contents(tmp_path)[1] == 0


def test_a_store_that_is_new_again_is_refused(store: Path) -> None:
    (store / "data.mdb").unlink()
    LmdbFile(store, ["objects"]).close()
    with pytest.raises(Damaged, match="there is nothing in it, and there was"):
        contents(store)


def test_an_older_copy_of_one_page_is_found(whole: Path, store: Path) -> None:
    """A write that the disk lost: each page is sound by itself, together they are not."""

    async def write_on() -> None:
        made = LocalStore(store)
        for n in range(1, 4):
            await made.commit([put(f"n{n}", "newest")], identity="i", now_ns=20)
        await made.close()

    asyncio.run(write_on())
    old, new = (whole / "data.mdb").read_bytes(), (store / "data.mdb").read_bytes()
    expected = contents(store)
    found = 0
    for at in range(2 * PAGE_BYTES, used_bytes(store), PAGE_BYTES):
        if old[at : at + PAGE_BYTES] != new[at : at + PAGE_BYTES]:
            (store / "data.mdb").write_bytes(
                new[:at]
                + old[at : at + PAGE_BYTES].ljust(PAGE_BYTES, b"\0")
                + new[at + PAGE_BYTES :]
            )
            try:
                assert contents(store) == expected
            except Damaged:
                found += 1
    assert found > 2


@pytest.mark.parametrize("seed", range(3))
def test_what_can_be_read_is_saved_and_nothing_else(
    whole: Path, store: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    objects, _, history = contents(whole)
    known = {(k, data) for k, _, data in objects} | {(r.key, r.data) for r in history}

    def edit(data: bytearray) -> None:
        for _ in range(6):
            number = chance.randrange(2, used_bytes(whole) // PAGE_BYTES)
            data[number * PAGE_BYTES + 1000] ^= 255

    change(store, edit)
    saved = building.salvage(store, tmp_path / "saved")
    found, revision, kept = contents(tmp_path / "saved")
    assert {(k, data) for k, _, data in found} <= known
    assert {record.revision: record for record in history}.items() >= {
        record.revision: record for record in kept
    }.items()
    assert len(found) > len(objects) // 2 and revision
    assert (len(found) == len(objects) and len(kept) == len(history)) or saved.problems


def test_an_object_that_only_the_history_has_is_restored(
    whole: Path, store: Path, tmp_path: Path
) -> None:
    objects, _, _ = contents(whole)
    chosen = next(stored for stored in objects if len(stored[2]) > 8000)

    def edit(data: bytearray) -> None:
        at = data.index(chosen[2])  # one of both copies
        data[at + 50] ^= 1

    change(store, edit)
    saved = building.salvage(store, tmp_path / "saved")
    assert len(saved.problems) == 1
    assert [stored[0] for stored in contents(tmp_path / "saved")[0]] == [o[0] for o in objects]


@pytest.mark.parametrize("root", [0, 1])
def test_one_root_is_enough_to_save_nearly_all(store: Path, tmp_path: Path, root: int) -> None:
    """The older one may lack the last transaction."""
    objects, _, history = contents(store)

    def edit(data: bytearray) -> None:
        data[root * PAGE_BYTES : (root + 1) * PAGE_BYTES] = bytes(PAGE_BYTES)

    change(store, edit)
    with pytest.raises(Damaged):
        checking.check(store)
    saved = building.salvage(store, tmp_path / "saved")
    found, _, kept = contents(tmp_path / "saved")
    assert len(saved.problems) == 1 and f"root {root} is none" in saved.problems[0]
    assert abs(len(found) - len(objects)) <= 1 and len(history) - len(kept) <= 1


def test_no_revision_is_given_twice_though_the_newest_record_was_lost(
    store: Path, tmp_path: Path
) -> None:
    """Else whoever saw the first of both would wait behind it."""
    _, revision, history = contents(store)

    def edit(data: bytearray) -> None:
        text, at = history[-1].data, -1
        while (at := data.find(text, at + 1)) >= 0:  # copies in free pages, too
            data[at + 5] ^= 1

    change(store, edit)
    assert building.salvage(store, tmp_path / "saved").problems
    _, saved, kept = contents(tmp_path / "saved")
    assert (kept[-1].revision < revision, saved) == (True, revision)


def test_what_cannot_be_saved_leaves_nothing_behind(store: Path, tmp_path: Path) -> None:
    to = tmp_path / "saved"
    to.mkdir()
    (to / "mine").touch()
    with pytest.raises(FileExistsError):
        checking.salvage(store, to)
    assert (to / "mine").exists()
    with pytest.raises(FileNotFoundError, match="is no folder; make it first"):
        checking.salvage(store, tmp_path / "no" / "saved")

    def edit(data: bytearray) -> None:
        data[: 2 * PAGE_BYTES] = bytes(2 * PAGE_BYTES)

    change(store, edit)
    with pytest.raises(Damaged, match="nothing of it can be saved"):
        checking.salvage(store, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_store_of_the_old_format_is_written_anew(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    old_store.write(folder, [f"n{n}" for n in range(50)], 4)
    (folder / "next").mkdir()  # what an attempt before left
    (folder / "next" / "data.mdb").write_bytes(b"half")

    async def look() -> None:
        for _ in range(2):
            store = LocalStore(folder)
            items = store.list("r", "ns").items
            assert [s.object()["turn"] for s in items] == [3] * 49
            assert (store.revision, store.oldest) == (200, 0)
            assert [r.revision for r in store.history(0, 1000)] == list(range(1, 201))
            await store.close()

    asyncio.run(look())
    assert sorted(path.name for path in folder.iterdir()) == ["data.mdb", "lock.mdb", "writer"]


def test_of_a_long_old_history_the_newest_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    old_store.write(folder, ["a", "b"], 300)

    async def look() -> None:
        store = LocalStore(folder, keep_bytes=20_000)
        kept = store.history(store.oldest, 1000)
        assert 50 < len(kept) < 400 and kept[-1].revision == store.revision == 600
        await store.close()

    asyncio.run(look())


def test_a_format_that_is_yet_to_come(store: Path) -> None:
    change(store, lambda data: None)
    import lmdb

    environment = lmdb.open(str(store), max_dbs=2, map_size=1 << 30)
    with environment.begin(write=True) as transaction:
        transaction.put(b"format", b"4")
    environment.close()
    with pytest.raises(Damaged, match="format '4', this version reads 1 to 3"):
        contents(store)


def mizzen(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mizzen.cli", "--home", str(home.root), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_line_checks_and_saves(store: Path, tmp_path: Path) -> None:
    home = Home.locate(str(tmp_path / "home"), {})
    home.make()
    home.store.rmdir()
    store.rename(home.store)
    whole = mizzen(home, "check")
    assert whole.returncode == 0, whole.stderr
    assert re.search(r"is whole: 102 objects, 378 records .* 1 to 378\)", whole.stdout)
    data = contents(home.store)[0][0][2]
    change(home.store, lambda file: file.__setitem__(file.index(data) + 20, 0))
    damaged = mizzen(home, "check")
    assert damaged.returncode == 1 and "is damaged" in damaged.stderr
    to = tmp_path / "saved"
    saved = mizzen(home, "check", "--salvage", str(to))
    assert saved.returncode == 1 and "saved in" in saved.stdout and "not saved: " in saved.stdout
    assert mizzen(home, "check", "--salvage", str(to)).returncode == 1  # it is there
    home.store.rename(tmp_path / "damaged")
    to.rename(home.store)
    assert mizzen(home, "check").returncode == 0


def test_the_api_server_says_one_sentence(store: Path, tmp_path: Path) -> None:
    """Which `mizzen up` shows, being the last line of the role's log."""
    home = Home.locate(str(tmp_path / "home"), {})
    home.make()
    settings.save(home, settings.Settings(port=1, gateway_port=2))
    pki.ensure(home, RealClock(), listen="127.0.0.1", port=1)
    home.store.rmdir()
    store.rename(home.store)
    with (home.store / "data.mdb").open("r+b") as file:
        file.truncate(3 * PAGE_BYTES)
    command = [sys.executable, "-m", "mizzen.compose", "apiserver", "--home", str(home.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"mizzen: the store {home.store}/data.mdb is")
    assert "Traceback" not in done.stderr
