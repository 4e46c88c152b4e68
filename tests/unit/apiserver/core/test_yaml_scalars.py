"""Scalars of YAML are what upstream's parser makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core import yaml_scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("y", True), ("Off", False), ("nul", "nul"), ("1", 1),
        ("-1", -1), ("+1", 1), ("0777", 511), ("0o17", 15), ("0x1F", 31), ("0b11", 3),
        ("1_000", 1000), ("08", 8.0), ("1e1", 10.0), (".5", 0.5), ("1e400", "1e400"),
        ("12:30", "12:30"), ("2026-01-02", "2026-01-02"), ("-", "-"), (".", "."), ("0x", "0x"),
        ("18446744073709551615", (1 << 64) - 1), ("18446744073709551616", 1.8446744073709552e19),
        ("-9223372036854775809", -9.223372036854776e18),
    ],
)  # fmt: skip
def test_plain_scalars(text: str, value: Any) -> None:
    found = yaml_scalars.plain(text)
    assert (type(found), found) == (type(value), value)


def test_tags_say_what_a_scalar_is_to_be() -> None:
    assert yaml_scalars.tagged(yaml_scalars.STR, "5") == "5"
    assert yaml_scalars.tagged(yaml_scalars.BINARY, "YQ==") == "a"
    assert yaml_scalars.tagged("!mine", "5") == "5"
    found = yaml_scalars.tagged(yaml_scalars.FLOAT, "5")
    assert type(found) is float and found == 5
    for tag, text in ((yaml_scalars.INT, "x"), (yaml_scalars.BINARY, "*")):
        with pytest.raises(yaml_scalars.Undecodable):
            yaml_scalars.tagged(tag, text)
