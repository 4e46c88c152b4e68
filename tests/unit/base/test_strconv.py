"""Go's words for scalars."""

from __future__ import annotations

import pytest

from mizzen.base.strconv import parse_int, parse_uint, quote


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("a b", '"a b"'), ('a"\\', r'"a\"\\"'), ("\n\x00\x7f", r'"\n\x00\x7f"'), ("é", '"é"'),
     ("\u200b", r'"\u200b"'), ("\U000e0001", r'"\U000e0001"')],
)  # fmt: skip
def test_text_is_quoted_as_by_go(text: str, quoted: str) -> None:
    assert quote(text) == quoted


def test_whole_numbers_are_read_as_by_go() -> None:
    assert [parse_int("-7"), parse_int("+007"), parse_uint("7")] == [-7, 7, 7]
    for text in ("", "x", "1.5", " 1", "١"):
        with pytest.raises(ValueError, match=r'strconv\.ParseInt: parsing ".*": invalid syntax'):
            parse_int(text)
    for text in (str(1 << 63), "9" * 10_000):
        with pytest.raises(ValueError, match="value out of range"):
            parse_int(text)
    with pytest.raises(ValueError, match=r'strconv\.ParseUint: parsing "-1": invalid syntax'):
        parse_uint("-1")
