"""What every picker that is found keeps to: it picks among what it is given, where there is room."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.gateway.core.engine_metrics import EngineMetrics
from mizzen.gateway.core.picker import (
    DEFAULT_PICKER,
    Candidate,
    Picker,
    RequestContext,
    find_pickers,
)

REQUEST = RequestContext("r", 0, (1, 2, 3))
EVERY_PICKER = pytest.mark.parametrize("picker", find_pickers().values(), ids=lambda p: p.name)


_METRICS = st.builds(
    EngineMetrics, st.integers(0, 9), st.integers(0, 9), st.floats(0, 1), st.just(0)
)


@st.composite
def _candidates(draw: st.DrawFn) -> list[Candidate]:
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8))
    return [
        Candidate(
            name,
            in_flight=draw(st.integers(0, 4)),
            capacity=draw(st.integers(1, 4)),
            cached=draw(st.floats(0, 1)),
            turn=draw(st.integers(0, 9)),
            metrics=draw(st.none() | _METRICS),
        )
        for name in names
    ]


def test_the_default_is_found() -> None:
    assert DEFAULT_PICKER in find_pickers()


@EVERY_PICKER
@settings(max_examples=60, deadline=None)
@given(candidates=_candidates())
def test_it_picks_where_there_is_room(picker: Picker, candidates: list[Candidate]) -> None:
    free = {c.name for c in candidates if c.in_flight < c.capacity}
    pick = picker.pick(REQUEST, candidates)
    if pick is None:
        assert not free or len(free) < 2, "one that needs two replicas may wait for the second"
        return
    picked = [pick.primary, *pick.others]
    assert set(picked) <= free
    assert len(set(picked)) == len(picked)


@EVERY_PICKER
@settings(max_examples=60, deadline=None)
@given(candidates=_candidates())
def test_equal_questions_have_equal_answers(picker: Picker, candidates: list[Candidate]) -> None:
    assert picker.pick(REQUEST, candidates) == picker.pick(REQUEST, list(candidates))


@EVERY_PICKER
def test_nothing_to_pick_from_and_all_full_mean_waiting(picker: Picker) -> None:
    assert picker.pick(REQUEST, []) is None
    assert picker.pick(REQUEST, [Candidate("a", 2, 2), Candidate("b", 5, 2)]) is None
