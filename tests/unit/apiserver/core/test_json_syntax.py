"""Go's words for what is no JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzen.apiserver.core.json_syntax import ENDS, problem


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", ENDS), (b" {", ENDS), (b'{"a"', ENDS), (b'{"a":', ENDS), (b'"a', ENDS), (b"[1", ENDS),
        (b"{'a': 1}", r"invalid character '\'' looking for beginning of object key string"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"a: 1", "invalid character 'a' looking for beginning of value"),
        (b"NaN", "invalid character 'N' looking for beginning of value"),
        (b"nul", "invalid character ' ' in literal null (expecting 'l')"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b'{"a":1}{', "invalid character '{' after top-level value"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b'"\x01"', r"invalid character '\x01' in string literal"),
        (rb'"\x"', "invalid character 'x' in string escape code"),
        (rb'"\u12g"', r"invalid character 'g' in \u hexadecimal character escape"),
        (b"-", "invalid character ' ' in numeric literal"),
        (b"1.", "invalid character ' ' after decimal point in numeric literal"),
        (b"1e", "invalid character ' ' in exponent of numeric literal"),
        (b"01", "invalid character '1' after top-level value"),
    ],
)  # fmt: skip
def test_the_first_character_that_cannot_stand_is_named(body: bytes, said: str) -> None:
    assert problem(body) == said


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


def test_depth_is_no_matter() -> None:
    assert problem(b"[" * 100_000) == ENDS
    assert problem(b"[" * 100_000 + b"]" * 100_000) == ""


@given(_VALUES, st.integers(0, 40))
def test_what_is_json_has_no_problem_and_what_is_cut_has_one(value: object, cut: int) -> None:
    body = json.dumps([value]).encode()
    assert problem(body) == ""
    assert problem(body[: min(cut, len(body) - 1)]) != ""
