"""Selectors that cannot be read are refused in the words of apimachinery's parsers."""

from __future__ import annotations

import pytest

from mizzen.base.selector_parser import parse_fields, parse_labels

_OPERATORS = "expected: in, notin, =, ==, !=, gt, lt"
_IN = "unable to parse requirement: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a in", f"{_IN}found '' expected: '('"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a b", f"{_IN}found 'b', {_OPERATORS}"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a=b,,c", "found ',', expected: identifier after ','"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a=(x)", f"{_IN}found '(', expected: identifier"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a in x", f"{_IN}found 'x' expected: '('"),
        ("a in (", f"{_IN}found '', expected: ',', ')' or identifier"),
        ("a in (x", f"{_IN}found '', expected: ',' or ')'"),
        ("a in (x,", f"{_IN}found '', expected: ',', or identifier"),
        ("a in (x y)", f"{_IN}found 'y', expected: ',' or ')'"),
        ("!", f"{_IN}found '', expected: identifier"),
        ("!a=1", "found '=', expected: ',' or 'end of string'"),
        ("x" * 64, f'{_IN}<nil>: Invalid value: "{"x" * 64}": name part must be no more than 63 bytes'),
        ("a>b", f"{_IN}values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be "
                "an integer"),
    ],
)  # fmt: skip
def test_label_selectors_say_what_was_found(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_labels(text)
    assert str(refused.value) == message


def test_all_values_that_are_wrong_are_told() -> None:
    with pytest.raises(ValueError, match=r"values\[0\]\[a\]: .*, values\[1\]\[a\]: "):
        parse_labels("a in (-x,x-)")
    with pytest.raises(
        ValueError, match=r"<nil>: Invalid value: \"/\": prefix part .*; name part "
    ):
        parse_labels("/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b=1", "invalid selector: 'a,b=1'; can't understand 'a'"),
        ("a=1=2", "invalid field selector: unescaped character in value: 61"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_field_selectors_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_fields(text)
    assert str(refused.value) == message
