"""Which replica gets a request: the one with the least to do, and a known prompt counts for it.

An engine keeps the KV cache of prompts it has read, so a prompt that begins like one it saw is
cheaper there. The gateway remembers hashes of prompt beginnings by replica, in blocks of bytes:
tokenising here would cost more than it brings (facts: llm-d approximate index, GAIE 2928).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

BLOCK_BYTES = 128  # about 32 tokens, one KV block of openvino
PROMPT_BLOCKS_MAX = 512  # longer prompts are told apart by their first 64 KiB
INDEX_BLOCKS_MAX = 16_384  # hashes remembered for a replica, about 2 MiB
# A prompt that is wholly cached outweighs this many requests in flight. Sized so that a burst of
# equal prompts still spreads: affinity is worth waiting behind two others, not behind a batch.
AFFINITY_REQUESTS = 2.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ready replica; `cached` is the share of the prompt it has read before, 0 to 1.

    `turn` is the number of the last request it was given.
    """

    name: str
    in_flight: int
    capacity: int
    cached: float = 0.0
    turn: int = 0


def choose(candidates: Iterable[Candidate]) -> Candidate | None:
    """The best replica with a free place; None when all are full.

    Ties go to the one that had none for longest: few clients use all replicas alike, too.
    """
    free = [candidate for candidate in candidates if candidate.in_flight < candidate.capacity]
    if not free:
        return None
    return min(free, key=lambda c: (c.in_flight - AFFINITY_REQUESTS * c.cached, c.turn, c.name))


def prefix_hashes(prompt: bytes) -> tuple[int, ...]:
    """Chained hashes of the prompt's whole blocks: equal hash n means equal first n blocks."""
    hashes: list[int] = []
    previous = b""
    blocks = min(len(prompt) // BLOCK_BYTES, PROMPT_BLOCKS_MAX)
    for index in range(blocks):
        block = prompt[index * BLOCK_BYTES : (index + 1) * BLOCK_BYTES]
        previous = blake2b(previous + block, digest_size=8).digest()
        hashes.append(int.from_bytes(previous, "little"))
    return tuple(hashes)


class PrefixIndex:
    """The prompt beginnings one replica has read lately; forgets the least recently used."""

    def __init__(self, capacity: int = INDEX_BLOCKS_MAX) -> None:
        self._capacity = capacity
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def cached(self, hashes: Sequence[int]) -> float:
        """The share of these blocks that the replica knows, counted from the beginning."""
        if not hashes:
            return 0.0
        known = 0
        for value in hashes:
            if value not in self._blocks:
                break
            known += 1
        return known / len(hashes)

    def add(self, hashes: Sequence[int]) -> None:
        # Last blocks first, so that of one prompt the beginning is forgotten last.
        for value in reversed(hashes):
            self._blocks[value] = None
            self._blocks.move_to_end(value)
        while len(self._blocks) > self._capacity:
            self._blocks.popitem(last=False)
