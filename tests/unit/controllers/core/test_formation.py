import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.controllers.core.formation import (
    Formation,
    Rank,
    current,
    is_complete,
    is_finishing,
    members,
    next_formation,
    pods_to_notify,
)


def running(rank, generation, size, **more):
    defaults = {"phase": "Running", "is_bound": True, "generation": generation, "size": size}
    return Rank(rank, **{**defaults, **more})


def starting(rank, **more):
    return Rank(rank, **{"phase": "Running", "is_bound": True, **more})


def ready(rank, awaits=0, generation=0, size=0):
    return starting(rank, is_join_ready=True, awaits=awaits, generation=generation, size=size)


def pending(rank):
    return Rank(rank)


CASES = {
    "nothing bound": ([pending(0), pending(1)], 1, None),
    "first start waits for all that are bound": ([ready(0), starting(1), pending(2)], 1, None),
    "first start": ([ready(0), ready(1), pending(2)], 1, Formation(1, 2)),
    "below the minimum": ([ready(0), pending(1)], 2, None),
    "a formation stands": ([running(0, 4, 2), running(1, 4, 2)], 1, None),
    "a pending rank changes nothing": ([running(0, 4, 1), pending(1)], 1, None),
    "grow waits for the new one": ([running(0, 4, 1), starting(1)], 1, None),
    "grow": ([running(0, 4, 1), ready(1, awaits=5)], 1, Formation(5, 2)),
    "grow by two at once": ([running(0, 1, 1), ready(1), ready(2)], 1, Formation(2, 3)),
    "shrink at once": (
        [running(0, 4, 3), running(1, 4, 3), running(2, 4, 3, is_terminating=True)],
        1,
        Formation(5, 2),
    ),
    "shrink by two": (
        [running(0, 4, 3)] + [running(r, 4, 3, is_terminating=True) for r in (1, 2)],
        1,
        Formation(5, 1),
    ),
    "shrink was told already": (
        [running(0, 5, 2), running(1, 5, 2), running(2, 5, 2, is_terminating=True)],
        1,
        None,
    ),
    "the leaver is gone and comes back pending": (
        [running(0, 5, 2), running(1, 5, 2), pending(2)],
        1,
        None,
    ),
    "a starting rank is evicted before it joined": (
        [running(0, 5, 2), running(1, 5, 2), starting(2, is_terminating=True)],
        1,
        None,
    ),
    "gang restart waits for all": (
        [ready(0, awaits=3, generation=2, size=2), running(1, 2, 2, awaits=3)],
        1,
        None,
    ),
    "gang restart": (
        [ready(0, 3, generation=2, size=2), ready(1, 3, generation=2, size=2)],
        1,
        Formation(3, 2),
    ),
    "one restarted, the others not reported yet": (
        [running(0, 2, 2), ready(1, awaits=3, generation=2, size=2)],
        1,
        Formation(3, 2),
    ),
    "that formation then holds what the agent reports late": (
        [running(0, 3, 2, awaits=3), running(1, 3, 2, awaits=3)],
        1,
        None,
    ),
    "the agent remembers more than the new pods": (
        [ready(0, awaits=9), ready(1, awaits=9)],
        1,
        Formation(9, 2),
    ),
    "a gap in the ranks": (
        [running(0, 2, 3), running(1, 2, 3, is_terminating=True), running(2, 2, 3)],
        1,
        Formation(3, 1),
    ),
    "rank 2 outside the formation is no member": ([running(0, 3, 1), running(2, 3, 1)], 1, None),
    "the gap closes; rank 2 must be ready again": (
        [running(0, 3, 1), ready(1), running(2, 3, 1)],
        1,
        None,
    ),
    "the gap closed and all are ready": (
        [running(0, 3, 1), ready(1), ready(2, generation=3, size=1)],
        1,
        Formation(4, 3),
    ),
    "rank 0 leaves: nobody can lead": (
        [running(0, 2, 2, is_terminating=True), running(1, 2, 2)],
        1,
        None,
    ),
    "finishing: rank 0 is done": ([running(0, 2, 2, phase="Succeeded"), running(1, 2, 2)], 1, None),
    "finishing: nobody joins any more": (
        [running(0, 2, 2), running(1, 2, 2, phase="Succeeded"), ready(2)],
        1,
        None,
    ),
    "shrink below the minimum is refused": (
        [running(0, 2, 2), running(1, 2, 2, is_terminating=True)],
        2,
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_next_formation(name):
    ranks, minimum, expected = CASES[name]
    assert next_formation(ranks, minimum) == expected
    assert next_formation(ranks[::-1], minimum) == expected


def test_members_are_contiguous_from_zero():
    ranks = [running(0, 1, 2), running(2, 1, 2), pending(1), running(3, 1, 2)]
    assert [r.rank for r in members(ranks)] == [0]


def test_the_current_formation_is_the_newest():
    assert current([running(0, 2, 3), running(1, 3, 2), pending(2)]) == Formation(3, 2)
    assert current([pending(0)]) == Formation(0, 0)


def test_members_and_leavers_are_told():
    ranks = [running(0, 4, 3), running(1, 4, 3), running(2, 4, 3, is_terminating=True), pending(3)]
    assert [r.rank for r in pods_to_notify(ranks, Formation(5, 2))] == [0, 1, 2]


def test_ranks_beyond_a_gap_leave_too():
    ranks = [running(0, 2, 3), running(1, 2, 3, is_terminating=True), running(2, 2, 3)]
    assert [r.rank for r in pods_to_notify(ranks, Formation(3, 1))] == [0, 1, 2]


def done(rank, generation=3, size=2, **more):
    return running(rank, generation, size, phase="Succeeded", **more)


def test_complete_needs_every_rank_of_the_last_formation_only():
    left = running(2, 3, 2, phase="Running")
    assert is_complete([done(0), done(1), left, pending(3)], 1)
    assert not is_complete([done(0), running(1, 3, 2)], 1)
    assert is_finishing([done(0), running(1, 3, 2)], 1)
    assert not is_complete([pending(0)], 1)


@pytest.mark.parametrize(
    "other", [pending(1), running(1, 3, 2, is_terminating=True), done(1, is_terminating=True)]
)
def test_who_succeeded_beside_one_that_is_gone_has_not_finished(other):
    assert not is_finishing([done(0), other], 1)
    assert not is_complete([done(0), other], 1)


def test_programs_without_formations_complete_when_all_that_were_placed_are_done():
    ended = [done(rank, 0, 0) for rank in (0, 1)]
    assert is_complete([*ended, pending(2)], 2)
    assert not is_complete([*ended, pending(2)], 3)
    assert not is_complete([*ended, starting(2)], 2)
    assert is_finishing([*ended, starting(2)], 2)
    assert not is_finishing([pending(0), ended[1]], 1)


any_rank = st.builds(
    Rank,
    rank=st.integers(0, 4),
    phase=st.sampled_from(["Pending", "Running", "Succeeded"]),
    is_bound=st.booleans(),
    is_terminating=st.booleans(),
    generation=st.integers(0, 3),
    size=st.integers(0, 5),
    awaits=st.integers(0, 5),
    is_join_ready=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(any_rank, max_size=5, unique_by=lambda r: r.rank), st.integers(1, 4))
def test_a_new_formation_is_newer_large_enough_and_then_stands(ranks, minimum):
    new = next_formation(ranks, minimum)
    if new is None:
        return
    old = current(ranks)
    assert new.generation > old.generation
    assert new.size == len(members(ranks)) >= minimum
    assert all(r.awaits <= new.generation for r in members(ranks))
    heard = {r.rank for r in pods_to_notify(ranks, new)}
    after = [
        Rank(
            rank=r.rank,
            phase=r.phase,
            is_bound=r.is_bound,
            is_terminating=r.is_terminating,
            generation=new.generation if r.rank in heard else r.generation,
            size=new.size if r.rank in heard else r.size,
            awaits=r.awaits,
            is_join_ready=r.is_join_ready,
        )
        for r in ranks
    ]
    assert current(after) == new
    assert next_formation(after, minimum) is None
