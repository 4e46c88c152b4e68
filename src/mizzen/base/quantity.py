"""Kubernetes quantities ("500m", "2Gi", "1e3") as exact integers.

Source: apimachinery `api/resource/quantity.go`: suffixes, and rounding up to what the unit holds.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

# The same few amounts come again and again, and fractions are slow.
_REMEMBERED = 1024
_REMEMBERED_LENGTH = 32

_PATTERN = re.compile(
    r"^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([KMGTPE]i|[numkMGTPE])?)$"
)
_SUFFIXES: dict[str, Fraction] = {
    "": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "P": Fraction(10**15), "E": Fraction(10**18),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
    "Pi": Fraction(2**50), "Ei": Fraction(2**60),
}  # fmt: skip


def parse(text: str | int | float) -> Fraction:
    """The exact value. Errors: ValueError naming the text when it is not a quantity."""
    said = str(text)
    return _remembered(said) if len(said) <= _REMEMBERED_LENGTH else _parse(said)


def _parse(text: str) -> Fraction:
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f'quantity {text!r} is not a number with a unit such as "500m" or "2Gi"')
    number, exponent, suffix = match.groups()
    if exponent and abs(int(exponent[1:])) > 30:
        raise ValueError(f"quantity {text!r} has an exponent beyond 30")
    scale = Fraction(10) ** int(exponent[1:]) if exponent else _SUFFIXES[suffix or ""]
    return Fraction(number) * scale


_remembered = lru_cache(_REMEMBERED)(_parse)


def to_int(text: str | int | float) -> int:
    """Whole units, rounded up: bytes, pods, devices."""
    said = str(text)
    return _to_int(said) if len(said) <= _REMEMBERED_LENGTH else _whole(_parse(said))


def to_milli(text: str | int | float) -> int:
    """Thousandths, rounded up: milli-CPU."""
    said = str(text)
    return _to_milli(said) if len(said) <= _REMEMBERED_LENGTH else _whole(_parse(said) * 1000)


@lru_cache(_REMEMBERED)
def _to_int(text: str) -> int:
    return _whole(_parse(text))


@lru_cache(_REMEMBERED)
def _to_milli(text: str) -> int:
    return _whole(_parse(text) * 1000)


def _whole(value: Fraction) -> int:
    return -((-value.numerator) // value.denominator)


def format_milli(milli: int) -> str:
    """The canonical text of thousandths: 1500 -> "1500m", 2000 -> "2"."""
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def format_bytes(count: int) -> str:
    """The canonical text of bytes in the largest binary unit that holds them exactly."""
    for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        unit = int(_SUFFIXES[suffix])
        if count and count % unit == 0:
            return f"{count // unit}{suffix}"
    return str(count)
