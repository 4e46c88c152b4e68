"""Sets of steps in the order in which they are tried."""

from __future__ import annotations

from itertools import accumulate, islice, product

from hypothesis import given
from hypothesis import strategies as st

from mizzen.scheduler.core.preemption.solver.objective import cheapest_first

steps = st.lists(st.integers(1, 4), max_size=3)


@given(losses=st.lists(steps, max_size=5))
def test_every_set_comes_once_the_cheapest_first_and_of_equals_the_first_named(
    losses: list[list[int]],
) -> None:
    weights = [list(accumulate(some, initial=0)) for some in losses]
    expected = sorted(
        (sum(of[level] for of, level in zip(weights, levels, strict=True)), levels)
        for levels in product(*(range(len(of)) for of in weights))
    )
    expected.sort(key=lambda entry: (entry[0], [-level for level in entry[1]]))
    assert list(cheapest_first(weights)) == expected


def test_of_very_many_sets_the_first_are_had_at_once() -> None:
    found = islice(cheapest_first([[0, 3 + n] for n in range(300)]), 4)
    assert [weight for weight, _ in found] == [0, 3, 4, 5]
