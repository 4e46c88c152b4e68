from __future__ import annotations

from mizzen.gateway.core.prefixes import (
    PROMPT_BLOCKS_MAX,
    TOKEN_BYTES,
    PrefixIndex,
    prefix_hashes,
)

BLOCK_TOKENS = 32
BLOCK_BYTES = BLOCK_TOKENS * TOKEN_BYTES


def hashes(prompt: bytes) -> tuple[int, ...]:
    return prefix_hashes(prompt, BLOCK_TOKENS)


def test_equal_beginnings_have_equal_hashes() -> None:
    start = b"x" * BLOCK_BYTES * 3
    one, two = hashes(start + b"a" * BLOCK_BYTES), hashes(start + b"b" * BLOCK_BYTES)
    assert one[:3] == two[:3]
    assert one[3] != two[3]
    assert len(set(one)) == 4  # chained: equal blocks at other places differ


def test_short_and_long_prompts() -> None:
    assert hashes(b"short") == ()
    assert len(hashes(b"x" * BLOCK_BYTES * (PROMPT_BLOCKS_MAX + 5))) == PROMPT_BLOCKS_MAX


def test_the_index_counts_from_the_beginning() -> None:
    index = PrefixIndex()
    index.add((1, 2, 3))
    assert index.cached((1, 2, 9, 3)) == 0.5
    assert index.cached((9, 1)) == 0.0
    assert index.cached(()) == 0.0


def test_the_index_forgets_the_end_of_the_oldest_prompt_first() -> None:
    index = PrefixIndex(capacity=4)
    index.add((1, 2, 3))
    index.add((7, 8))
    assert len(index) == 4
    assert index.cached((1, 2, 3)) == 2 / 3
    assert index.cached((7, 8)) == 1.0


def test_an_engine_that_shares_smaller_blocks_has_more_of_them() -> None:
    assert len(prefix_hashes(b"x" * BLOCK_BYTES, BLOCK_TOKENS // 2)) == 2
