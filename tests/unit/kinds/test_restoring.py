"""Numbers as types of Go take them that are filled without JSON."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.restoring import restored
from mizzen.kinds.schema import INT32, INT64, STR, array, mapping, record

SCHEMA = record(a=INT32(), b=INT64(), c=array(INT32)(), d=mapping(INT32)(), e=STR())


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"a": 2**31}, {"a": -(2**31)}),
        ({"a": 5.0, "c": [1.0, 2**32 + 7], "d": {"x": 2.0}}, {"a": 5, "c": [1, 7], "d": {"x": 2}}),
        ({"a": -1.5e300, "b": 1e300}, {"a": 0, "b": -(2**63)}),
        ({"a": 1.5, "e": 2**40, "x": 2**40, "c": "no"}, {"a": 1.5, "e": 2**40, "x": 2**40, "c": "no"}),
        ({"a": True, "b": None}, {"a": True, "b": None}),
    ],
)  # fmt: skip
def test_whole_numbers_wrap_around(given: Any, left: Any) -> None:
    assert restored(SCHEMA, given) == left
    assert [type(each) for each in restored(SCHEMA, given).values()] == list(
        map(type, left.values())
    )
