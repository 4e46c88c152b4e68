"""An approximate record of the prompt prefixes that each replica has cached.

An engine keeps the KV cache of prompts it has read, so a prompt that begins like one it saw is
cheaper there. The gateway remembers hashes of prompt beginnings by replica, in blocks of bytes:
tokenising here would cost more than it brings (facts: llm-d approximate index, GAIE 2928).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

TOKEN_BYTES = 4  # about, of text
PROMPT_BLOCKS_MAX = 512  # of 32 tokens: longer prompts are told apart by their first 64 KiB
INDEX_BLOCKS_MAX = 16_384  # hashes remembered for a replica, about 2 MiB


def prefix_hashes(prompt: bytes, block_tokens: int) -> tuple[int, ...]:
    """Chained hashes of the prompt's whole blocks: equal hash n means equal first n blocks.

    `block_tokens`: what the engine's cache shares at least.
    """
    size = block_tokens * TOKEN_BYTES
    hashes: list[int] = []
    previous = b""
    blocks = min(len(prompt) // size, PROMPT_BLOCKS_MAX)
    for index in range(blocks):
        block = prompt[index * size : (index + 1) * size]
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
