"""Base64 as Go reads it, to the byte at which it stops."""

from __future__ import annotations

import pytest

from mizzen.base.go_base64 import illegal_at


@pytest.mark.parametrize("text", ["", "YQ==", "YWI=", "YWJj", "YW\nJj\r\n", "YQ=\n=\n"])
def test_what_is_read(text: str) -> None:
    assert illegal_at(text) is None


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("x", 0), ("a-b", 1), ("A_B", 1), ("b" * 254, 252), ("1", 0), ("YQ=", 3), ("YQ=a", 2),
        ("=", 0), ("Y=", 1), ("YQ==x", 4), ("YWI=YWI=", 4), ("é", 0), ("YWJjé", 4), ("ab\nc", 1),
    ],
)  # fmt: skip
def test_where_it_stops(text: str, stop: int) -> None:
    assert illegal_at(text) == stop
