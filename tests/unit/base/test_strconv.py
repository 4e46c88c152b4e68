"""Go's words for numbers."""

from __future__ import annotations

import pytest

from mizzen.base.strconv import parse_int, parse_uint


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
