"""A store of the minor version before is opened, kept as that one reads it, raised, and put back.

`tests/recorded/stores/0.1.mdb.xz` was written by that version's own code (commit 9ec085d). What its code
makes of a store that this version kept for it `make upgrade` looks at.
"""

from __future__ import annotations

import asyncio
import lzma
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from mizzen.base.versions import STORE_FORMATS
from mizzen.host.records import Damaged
from mizzen.store import building, checking, copying
from mizzen.store.inspection import FORMAT, OLD_FORMAT, format_in
from mizzen.store.local import LocalStore
from mizzen.store.pages import PageFile
from mizzen.store.store import ObjectKey, Put, Stored
from support import old_store

RECORDED = Path(__file__).parents[2] / "recorded" / "stores" / "0.1.mdb.xz"
OLDER = STORE_FORMATS["0.1"]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    (folder / "data.mdb").write_bytes(lzma.decompress(RECORDED.read_bytes()))
    (folder / "writer").write_bytes(b"format 2\n")
    return folder


def objects(folder: Path, format: int = FORMAT, write: str = "") -> list[tuple[ObjectKey, bytes]]:
    """All objects, as a server of that format would serve them, after one more write."""

    async def read() -> list[tuple[ObjectKey, bytes]]:
        store = LocalStore(folder, format=format)
        try:
            if write:
                made = Put(ObjectKey("configmaps", "default", write), {"metadata": {}}, "create", 0)
                await store.commit([made], identity="i", now_ns=5000)
            found = [each for resource in store.resources() for each in store.list(resource).items]
            assert len(store.history(store.oldest, 1000)) == store.revision
            return sorted((each.key, each.data) for each in found)
        finally:
            await store.close()

    return asyncio.run(read())


def test_the_recording_is_of_the_older_format_and_is_raised_when_it_is_opened(recorded: Path):
    assert format_in(recorded) == OLDER == 2
    names = [key.name for key, _ in objects(recorded)]
    assert sorted(names) == sorted([*(f"c{n}" for n in range(11)), "web"])
    assert format_in(recorded) == FORMAT == 3
    assert (recorded / "writer").read_text() == "format 3\n"
    assert checking.check(recorded).objects == 12


def test_while_the_older_version_is_emulated_its_format_is_kept(recorded: Path):
    before = objects(recorded, OLDER)
    after = objects(recorded, OLDER, write="new")
    assert format_in(recorded) == OLDER
    assert [each for each in after if each[0].name != "new"] == before
    assert objects(recorded) == after  # when emulation ends
    assert format_in(recorded) == FORMAT


def test_a_new_store_has_the_format_that_is_asked_for(tmp_path: Path):
    folder = tmp_path / "store"
    assert format_in(folder) == 0
    objects(folder, OLDER, write="new")
    assert format_in(folder) == OLDER
    for leave in ("restored", "copy"):
        made = tmp_path / leave
        (copying.restore if leave == "restored" else copying.copy)(folder, made)
        assert format_in(made) == OLDER
    checking.salvage(folder, tmp_path / "saved")
    assert format_in(tmp_path / "saved") == OLDER


def test_a_newer_format_is_not_taken_for_an_older_one(recorded: Path):
    objects(recorded)
    with pytest.raises(Damaged, match="has format 3, and format 2 is asked for: `mizzen rollback`"):
        objects(recorded, OLDER)
    assert format_in(recorded) == FORMAT


def test_the_older_format_is_given_back_and_no_object_is_lost(recorded: Path):
    before = objects(recorded, write="new")
    seen: list[Stored] = []

    def look(found: Iterable[Stored]) -> list[str]:
        seen.extend(found)
        return []

    assert checking.lower_format(recorded, OLDER, look) == []
    assert sorted((each.key, each.data) for each in seen) == before
    assert format_in(recorded) == OLDER
    assert objects(recorded, OLDER) == before


def test_it_is_not_given_back_where_something_stands_against_it(recorded: Path):
    before = objects(recorded)
    data = (recorded / "data.mdb").read_bytes()
    assert checking.lower_format(recorded, OLDER, lambda found: ["a reason"]) == ["a reason"]
    assert (recorded / "data.mdb").read_bytes() == data
    assert objects(recorded) == before


def test_a_damaged_store_is_given_no_other_format(recorded: Path):
    objects(recorded)
    data = bytearray((recorded / "data.mdb").read_bytes())
    data[data.index(b'"replicas":3') + 11] ^= 1
    (recorded / "data.mdb").write_bytes(data)
    with pytest.raises(Damaged):
        checking.lower_format(recorded, OLDER, lambda found: [])
    assert format_in(recorded) == FORMAT


@pytest.mark.parametrize("asked", [OLDER, FORMAT])
def test_a_store_without_checksums_gets_the_format_that_is_asked_for(tmp_path: Path, asked: int):
    folder = tmp_path / "store"
    old_store.write(folder, ["a", "b"], 3)
    assert format_in(folder) == OLD_FORMAT
    assert [key.name for key, _ in objects(folder, asked)] == ["a"]
    assert format_in(folder) == asked


def test_the_tables_stay_as_they_are(recorded: Path):
    """So the older version's code reads what it always read: there is nothing it would pass over."""
    objects(recorded)
    before = tables(recorded)
    checking.lower_format(recorded, OLDER, lambda found: [])
    after = tables(recorded)
    assert (before.pop(b"format"), after.pop(b"format")) == (b"3", b"2")
    assert before == after
    assert sorted(k for k in after if isinstance(k, bytes)) == [b"totals"]


def tables(folder: Path) -> dict[bytes | str, bytes | list[tuple[bytes, bytes]]]:
    """Every byte of meaning in the file: both tables, and what lies beside them."""
    with closing(PageFile(folder / "data.mdb")) as file:
        trees, beside = file.tables()
        return {
            **beside,
            **{name.decode(): list(file.entries(tree)) for name, tree in trees.items()},
        }


def test_building_gives_no_format_without_checksums(tmp_path: Path):
    (tmp_path / "s").mkdir()
    building.build(tmp_path / "s", [], [], 5, format=OLD_FORMAT)
    assert format_in(tmp_path / "s") == OLDER
