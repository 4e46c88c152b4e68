from __future__ import annotations

import pytest

from mizzen.base.errors import BadRequest
from mizzen.base.query import is_true, number, parse


def test_numbers_say_which_parameter_is_wrong() -> None:
    assert number({"limit": "5"}, "limit") == 5
    assert number({}, "limit") is None
    with pytest.raises(BadRequest, match="limit=-1"):
        number({"limit": "-1"}, "limit")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", False), ("watch=0", False), ("watch=False", False), ("watch", True), ("watch=", True),
     ("watch=1", True), ("watch=yes", True), ("watch=false&watch=true", False)],
)  # fmt: skip
def test_a_switch_is_on_unless_it_is_absent_or_says_no(text: str, wanted: bool) -> None:
    assert is_true(parse(text).get("watch")) is wanted


def test_of_parameters_that_are_repeated_the_first_counts() -> None:
    assert parse("a=1&b=x&a=2") == {"a": "1", "b": "x"}
    assert parse("dryRun=All&dryRun=All") == {"dryRun": "All"}


@pytest.mark.parametrize("text", ["dryRun=All&dryRun=", "dryRun=&dryRun=All"])
def test_a_write_that_may_be_none_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="contradict"):
        parse(text)


def test_what_go_does_not_read_says_nothing() -> None:
    assert parse("limit=1;b=2&a=%zz&%=1&c=%41&&d") == {"c": "A", "d": ""}
