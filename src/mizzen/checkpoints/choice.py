"""Chooses the checkpoint to load and those to keep: once for all tiers."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterator, Sequence

from mizzen.checkpoints.tier import (
    CHUNK_BYTES,
    Checkpoint,
    Damaged,
    Entry,
    Gone,
    Source,
    Tier,
)  # fmt: skip

KEPT = 3
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def newest_first(tiers: Sequence[Tier]) -> list[tuple[Tier, Entry]]:
    """Complete checkpoints over all tiers; of equal steps those of the first tier come first."""
    found = [(tier, entry) for tier in tiers for entry in tier.list()]
    return sorted(found, key=lambda each: -each[1].step)


def pieces(source: Source) -> Iterator[memoryview]:
    """The shard's bytes in order, each piece overwritten by the next. Errors: OSError."""
    length = source.shard.bytes
    buffer = memoryview(bytearray(min(CHUNK_BYTES, length)))
    for at in range(0, length, CHUNK_BYTES):
        piece = buffer[: min(CHUNK_BYTES, length - at)]
        source.read_into(piece, at)
        yield piece


def fault_of(tier: Tier, entry: Entry) -> str:
    """Why the checkpoint is not whole, every byte read; "" if it is."""
    try:
        found = tier.get(entry)
        for source in found.sources:
            crc32 = 0
            for piece in pieces(source):
                crc32 = zlib.crc32(piece, crc32)
            if source.shard.crc32 not in (None, crc32):
                return "its bytes do not match their checksum"
    except (Damaged, Gone, OSError) as error:
        return str(error)
    return ""


def examine(tier: Tier) -> tuple[set[int], dict[int, str]]:
    """Steps of a durable tier's checkpoints that are whole, and what is wrong with the others."""
    tier.clean()
    whole: set[int] = set()
    damaged: dict[int, str] = {}
    for entry in tier.list():
        fault = fault_of(tier, entry)
        if fault:
            damaged[entry.step] = fault
        else:
            whole.add(entry.step)
    return whole, damaged


def keep(tier: Tier, found: Checkpoint, whole: set[int]) -> bool:
    """Puts the checkpoint, for lack of room in place of older ones; `whole` is kept true.

    False when it was written over meanwhile. Errors: OSError.
    """
    while True:
        try:
            if not tier.put(found):
                return False
            break
        except OSError as error:
            if error.errno not in NO_ROOM or not make_room(tier, whole):
                raise
    whole.add(found.step)
    retain(tier, whole)
    return True


def retain(tier: Tier, whole: set[int]) -> None:
    """Deletes all but the newest whole checkpoints.

    What is not whole goes only once there are as many whole ones as are kept, and counts for
    nothing before: a damaged one of a late step displaces none that can be used.
    """
    kept = set(sorted(whole)[-KEPT:])
    for entry in tier.list():
        if entry.step not in kept and (entry.step in whole or len(kept) == KEPT):
            tier.delete(entry)
    whole &= kept


def make_room(tier: Tier, whole: set[int]) -> bool:
    """Deletes what is missed least to make room for a newer one: a damaged one, else the oldest
    whole one but the last. False when nothing is left to delete."""
    found = sorted(tier.list(), key=lambda entry: entry.step)
    damaged = [entry for entry in found if entry.step not in whole]
    older = [entry for entry in found if entry.step in whole][:-1]
    if not whole or not (damaged or older):
        return False
    entry = [*damaged, *older][0]
    tier.delete(entry)
    whole.discard(entry.step)
    return entry not in tier.list()
