"""How Go writes and reads scalars in text, which upstream's messages show.

Source: Go's strconv: Quote, ParseInt, ParseUint.
"""

from __future__ import annotations

import re

INT64_MAX = (1 << 63) - 1
_ESCAPES = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    "\\": r"\\", '"': r"\"",
}  # fmt: skip
_SIGNED = re.compile(r"[+-]?[0-9]+", re.ASCII)
_UNSIGNED = re.compile(r"[0-9]+", re.ASCII)
_DIGITS_MAX = 40  # more is out of range without being read: that would take its time, or fail


def quote(text: str) -> str:
    r"""`"a\tb"`: with quotes, what cannot be printed escaped."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    found = _ESCAPES.get(char)
    if found is not None:
        return found
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def parse_int(text: str, bits: int = 64) -> int:
    """Errors: ValueError in Go's words."""
    least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return _parsed("ParseInt", _SIGNED, text, least, most)


def parse_uint(text: str, bits: int = 64) -> int:
    """Errors: ValueError in Go's words."""
    return _parsed("ParseUint", _UNSIGNED, text, 0, (1 << bits) - 1)


def _parsed(function: str, form: re.Pattern[str], text: str, least: int, most: int) -> int:
    if form.fullmatch(text) is None:
        raise ValueError(f"strconv.{function}: parsing {quote(text)}: invalid syntax")
    digits = text.lstrip("+-0")
    number = int(text) if len(digits) <= _DIGITS_MAX else most + 1
    if not least <= number <= most:
        raise ValueError(f"strconv.{function}: parsing {quote(text)}: value out of range")
    return number
