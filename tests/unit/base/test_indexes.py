"""Completion indexes: text and set are the same, at any size."""

import random
from itertools import islice

import pytest

from mizzen.base.indexes import Indexes


def test_text_and_set_are_the_same() -> None:
    draw = random.Random(7)
    for _ in range(200):
        one, other = ({draw.randrange(30) for _ in range(draw.randrange(20))} for _ in "ab")
        a, b = Indexes.of(one), Indexes.of(other)
        assert Indexes.parse(str(a)) == a and len(a) == len(one)
        assert [i in a for i in range(-1, 31)] == [i in one for i in range(-1, 31)]
        assert a | b == Indexes.of(one | other) and a & b == Indexes.of(one & other)
        assert a - b == Indexes.of(one - other)
        assert a.below(9) == Indexes.of(i for i in one if i < 9)
        assert list(a.absent(12)) == [i for i in range(12) if i not in one]


def test_runs_are_written_as_upstream_does() -> None:
    assert str(Indexes.of([5, 0, 1, 2, 7, 8])) == "0-2,5,7-8"
    assert str(Indexes()) == "" and not Indexes()


@pytest.mark.parametrize(
    "text", ["a", "-", "1-", "-1", "2-1", "3,1", "1,1", "0-2,2", "1, 2", "٣", "9" * 40]
)
def test_what_is_no_index(text: str) -> None:
    with pytest.raises(ValueError):
        Indexes.parse(text)


def test_two_thousand_million_indexes_take_no_room() -> None:
    most = Indexes.parse("0-2147483646")
    assert len(most) == 2**31 - 1 and 5 in most
    assert list(islice(Indexes().absent(2**31 - 1), 2)) == [0, 1]
