from __future__ import annotations

from mizzen.gateway.core.picker import Candidate, Pick, RequestContext
from mizzen.gateway.core.pickers.prefix_affinity import pick

REQUEST = RequestContext("r", 0)


def test_least_in_flight_then_the_lower_name() -> None:
    assert pick(REQUEST, [Candidate("b", 1, 4), Candidate("a", 2, 4)]) == Pick("b")
    assert pick(REQUEST, [Candidate("b", 1, 4), Candidate("a", 1, 4)]) == Pick("a")


def test_none_when_all_are_full() -> None:
    assert pick(REQUEST, [Candidate("a", 4, 4)]) is None
    assert pick(REQUEST, []) is None


def test_a_known_prompt_outweighs_a_little_load_but_not_a_batch() -> None:
    assert pick(REQUEST, [Candidate("a", 1, 8, cached=1.0), Candidate("b", 0, 8)]) == Pick("a")
    assert pick(REQUEST, [Candidate("a", 3, 8, cached=1.0), Candidate("b", 0, 8)]) == Pick("b")
