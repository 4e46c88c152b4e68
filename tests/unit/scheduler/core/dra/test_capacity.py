"""Consumable capacity: defaults, rounding up, what no policy allows."""

from __future__ import annotations

import pytest

from mizzen.scheduler.core.dra.capacity import consumption
from mizzen.scheduler.core.dra.model import AllocationError, Capacity, RequestPolicy, ValidRange
from mizzen.scheduler.core.dra.quantity import parse


def consumed(wanted: str | None, policy: RequestPolicy | None, value: str = "10") -> str | None:
    asked = None if wanted is None else (("bw", parse(wanted)),)
    found = consumption(asked, (("bw", Capacity(parse(value), policy)),))
    return None if found is None else str(found.amounts[0][1])


def span(low: str | None, high: str | None = None, step: str | None = None) -> RequestPolicy:
    values = [None if v is None else parse(v) for v in (low, high, step)]
    return RequestPolicy(valid_range=ValidRange(*values))


@pytest.mark.parametrize(
    ("wanted", "policy", "expected"),
    [
        (None, None, "10"),
        ("3", None, "3"),
        (None, RequestPolicy(default=parse("2")), "2"),
        ("1", RequestPolicy(valid_values=(parse("2"), parse("4"))), "2"),
        ("3", RequestPolicy(valid_values=(parse("2"), parse("4"))), "4"),
        ("5", RequestPolicy(valid_values=(parse("2"), parse("4"))), None),
        ("1", span("2"), "2"),
        ("3", span("2", step="2"), "4"),
        ("3", span("2", "3", "2"), None),
        ("4", span("2", "3"), None),
        ("4", span(None, "5"), "4"),
        ("500m", span("0", step="1"), "1"),
    ],
)
def test_what_a_request_consumes(
    wanted: str | None, policy: RequestPolicy | None, expected: str | None
) -> None:
    assert consumed(wanted, policy) == expected


def test_a_capacity_that_the_device_has_not_cannot_be_asked_for() -> None:
    assert consumption((("other", parse("1")),), (("bw", Capacity(parse("1"))),)) is None


def test_consumption_beside_what_others_take() -> None:
    found = consumption((("bw", parse("4")),), (("bw", Capacity(parse("10"))),))
    assert found is not None
    assert found.fits({"bw": parse("6").nano}, None)
    assert not found.fits({"bw": parse("6").nano}, {"bw": 1})


@pytest.mark.parametrize("policy", [span("1", step="0"), span(None, step="2")])
def test_a_policy_that_no_arithmetic_satisfies_is_an_error(policy: RequestPolicy) -> None:
    with pytest.raises(AllocationError, match="requestPolicy"):
        consumed("3", policy)
