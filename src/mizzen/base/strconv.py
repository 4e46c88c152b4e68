"""Whole numbers in text, read and refused as by Go: upstream's messages show it.

Source: Go's strconv: ParseInt, ParseUint.
"""

from __future__ import annotations

import re

from mizzen.base.go_text import quoted

INT64_MAX = (1 << 63) - 1
_SIGNED = re.compile(r"[+-]?[0-9]+", re.ASCII)
_UNSIGNED = re.compile(r"[0-9]+", re.ASCII)
_DIGITS_MAX = 40  # more is out of range without being read: that would take its time, or fail


def parse_int(text: str, bits: int = 64) -> int:
    """Errors: ValueError in Go's words."""
    least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return _parsed("ParseInt", _SIGNED, text, least, most)


def parse_uint(text: str, bits: int = 64) -> int:
    """Errors: ValueError in Go's words."""
    return _parsed("ParseUint", _UNSIGNED, text, 0, (1 << bits) - 1)


def _parsed(function: str, form: re.Pattern[str], text: str, least: int, most: int) -> int:
    if form.fullmatch(text) is None:
        raise ValueError(f"strconv.{function}: parsing {quoted(text)}: invalid syntax")
    digits = text.lstrip("+-0")
    number = int(text) if len(digits) <= _DIGITS_MAX else most + 1
    if not least <= number <= most:
        raise ValueError(f"strconv.{function}: parsing {quoted(text)}: value out of range")
    return number
