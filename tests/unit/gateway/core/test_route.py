from __future__ import annotations

from mizzen.gateway.core.route import (
    BLOCK_BYTES,
    PROMPT_BLOCKS_MAX,
    Candidate,
    PrefixIndex,
    choose,
    prefix_hashes,
)


def test_least_in_flight_then_the_lower_name() -> None:
    assert choose([Candidate("b", 1, 4), Candidate("a", 2, 4)]) == Candidate("b", 1, 4)
    assert choose([Candidate("b", 1, 4), Candidate("a", 1, 4)]) == Candidate("a", 1, 4)


def test_none_when_all_are_full() -> None:
    assert choose([Candidate("a", 4, 4)]) is None
    assert choose([]) is None


def test_a_known_prompt_outweighs_a_little_load_but_not_a_batch() -> None:
    assert choose([Candidate("a", 1, 8, cached=1.0), Candidate("b", 0, 8)]).name == "a"  # type: ignore[union-attr]
    assert choose([Candidate("a", 3, 8, cached=1.0), Candidate("b", 0, 8)]).name == "b"  # type: ignore[union-attr]


def test_equal_beginnings_have_equal_hashes() -> None:
    start = b"x" * BLOCK_BYTES * 3
    one, two = prefix_hashes(start + b"a" * BLOCK_BYTES), prefix_hashes(start + b"b" * BLOCK_BYTES)
    assert one[:3] == two[:3]
    assert one[3] != two[3]
    assert len(set(one)) == 4  # chained: equal blocks at other places differ


def test_short_and_long_prompts() -> None:
    assert prefix_hashes(b"short") == ()
    assert len(prefix_hashes(b"x" * BLOCK_BYTES * (PROMPT_BLOCKS_MAX + 5))) == PROMPT_BLOCKS_MAX


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
