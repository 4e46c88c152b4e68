"""What compiling selectors may take is bounded for all of a request together."""

from __future__ import annotations

from mizzen.kinds.resource.selectors import Allowance, Selectors

WRONG = "1"
NESTED = "[" * 240 + "]" * 240


def dear(number: int) -> str:
    """No two are equal."""
    return f"{NESTED} == {NESTED} || device.driver == 'd{number}'"


def test_many_dear_selectors_take_no_longer_than_one() -> None:
    allowance = Allowance()
    looked_at = [allowance.problem(f"{dear(n)} || {WRONG}") for n in range(100)]
    found = sum(bool(problem) for problem in looked_at)
    assert 1 <= found <= Allowance.BYTES_MAX // len(dear(0)) and not any(looked_at[found:])
    assert not allowance.problem(WRONG)  # another one: the scheduler tells
    allowance.renew()
    assert "must evaluate to bool" in allowance.problem(WRONG)


def test_what_was_looked_at_before_costs_nothing() -> None:
    allowance = Allowance()
    first = allowance.problem(f"{dear(0)} || {WRONG}")
    assert first
    for _ in range(1000):
        assert allowance.problem(f"{dear(0)} || {WRONG}") == first
    assert "must evaluate to bool" in allowance.problem(WRONG)


def test_one_that_is_too_long_is_told_however_many_there_are() -> None:
    long = "true || " * 2000 + "true"
    causes = Selectors().check([{"cel": {"expression": long}}], "s")
    assert "longer than 10240 bytes" in causes[0].message
