"""Damages a store's file in every way that disks know, and judges what is made of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from random import Random

from mizzen.host.records import Damaged
from mizzen.store import building, inspection
from mizzen.store.pages import Broken, PageFile
from mizzen.store.store import ObjectKey

PAGE_BYTES = 4096
Objects = Mapping[ObjectKey, bytes]
Damage = Callable[[bytearray, Random], None]


def cut(data: bytearray, chance: Random) -> None:
    """At any byte: a file that was not written to its end."""
    del data[chance.randrange(len(data)) :]


def flip(data: bytearray, chance: Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(data))
        if chance.random() < 0.3:  # the head of a page, where most of the meaning is
            at = at // PAGE_BYTES * PAGE_BYTES + chance.randrange(64)
        data[min(at, len(data) - 1)] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, chance: Random) -> None:
    """Zeros, ones or noise, from any byte to any other."""
    start = chance.randrange(len(data))
    length = min(chance.choice((1, 17, 512, PAGE_BYTES, 5 * PAGE_BYTES)), len(data) - start)
    fill = chance.choice((bytes(length), b"\xff" * length, chance.randbytes(length)))
    data[start : start + length] = fill


def misplace(data: bytearray, chance: Random) -> None:
    """A page that was written in another's place as well."""
    pages = len(data) // PAGE_BYTES
    source, target = (chance.randrange(pages) * PAGE_BYTES for _ in range(2))
    data[target : target + PAGE_BYTES] = data[source : source + PAGE_BYTES]


def swap(data: bytearray, chance: Random) -> None:
    pages = len(data) // PAGE_BYTES
    a, b = (slice(n * PAGE_BYTES, (n + 1) * PAGE_BYTES) for n in chance.sample(range(pages), 2))
    data[a], data[b] = data[b], data[a]


def repeat_tail(data: bytearray, chance: Random) -> None:
    """What was written last, once more behind it or over what comes before."""
    length = chance.randrange(1, 6 * PAGE_BYTES)
    tail = bytes(data[-length:])
    if chance.random() < 0.5:
        data += tail
    else:
        data[-2 * length : -length] = tail


def shuffle_tail(data: bytearray, chance: Random) -> None:
    """The last pages in another order."""
    count = min(chance.randrange(2, 9), len(data) // PAGE_BYTES)
    start = len(data) - count * PAGE_BYTES
    tail = [bytes(data[at : at + PAGE_BYTES]) for at in range(start, len(data), PAGE_BYTES)]
    chance.shuffle(tail)
    data[start:] = b"".join(tail)


def insert(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.choice((1, 7, PAGE_BYTES)))


DAMAGES: tuple[Damage, ...] = (
    cut, flip, overwrite, misplace, swap, repeat_tail, shuffle_tail, insert,
)  # fmt: skip


def used(file: Path) -> bytes:
    """The file without the pages that were only reserved at its end."""
    data = file.read_bytes().rstrip(b"\0")
    return data + bytes(-len(data) % PAGE_BYTES)


def served(folder: Path) -> tuple[dict[ObjectKey, bytes], list[object]]:
    """All that a server would serve: objects, and every record of the history. Errors: Damaged."""
    found = inspection.inspect(folder)
    with closing(PageFile(folder / inspection.DATA)) as file:
        trees, _ = file.tables()
        history = list(file.entries(inspection.table(trees, "history"))) if trees else []
    return {each.key: each.data for each in found.objects}, [found.totals.newest, *history]


def judge(
    folder: Path, before: tuple[Objects, list[object]], ever: Iterable[tuple[ObjectKey, bytes]]
) -> str:
    """`whole` or `refused`, and an AssertionError for anything else.

    Whole: byte for byte what was acknowledged. Refused: in a sentence that names the file, the place
    and what to do; and what is salvaged was acknowledged once, each object.
    """
    try:
        assert served(folder) == before, "something else than was acknowledged is served"
        return "whole"
    except Damaged as error:
        text = str(error)
    data = folder / inspection.DATA
    assert text.startswith(f"the store {data} is"), text
    assert re.search(r"mizzen restore FILE --replace|--new-store", text), text
    shutil.rmtree(folder / "saved", ignore_errors=True)
    try:
        saved = building.read_what_can_be(folder)
    except (Broken, OSError):
        return "refused"
    invented = {(each.key, each.data) for each in saved.objects.values()} - set(ever)
    assert not invented, f"salvaged and never written: {sorted(invented)[:3]}"
    return "refused"
