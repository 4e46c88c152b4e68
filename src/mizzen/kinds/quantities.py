"""The canonical text of quantities, as upstream writes them back.

Source: apimachinery `resource.Quantity.CanonicalizeBytes`: no fraction, the largest unit that
holds the value exactly, in the family (binary, decimal, exponent) the user wrote.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from mizzen.base.quantity import parse

AMOUNT_MAX = Fraction((1 << 63) - 1)
_FREE_DIGITS = 18  # upstream stores what has more of them, or a binary unit, as at most AMOUNT_MAX
_NUMBER = re.compile(r"[0-9.]+")
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")
_DECIMAL = (("E", 18), ("P", 15), ("T", 12), ("G", 9), ("M", 6), ("k", 3), ("", 0), ("m", -3),
            ("u", -6), ("n", -9))  # fmt: skip


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The text upstream would answer with: "0.5" -> "500m", "1024Mi" -> "1Gi", "1000" -> "1k".

    Errors: ValueError when the text is not a quantity.
    """
    value = parse(text)
    if (
        text.endswith("i")
        or len(_NUMBER.findall(text)[0].replace(".", "").lstrip("0")) > _FREE_DIGITS
    ):
        value = max(-AMOUNT_MAX, min(AMOUNT_MAX, value))
    return written(value, text)


_FORMAT = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_SPLIT = re.compile(r"[+-]?[0-9]*(?:\.[0-9]*)?([eEinumkKMGTP]*[-+]?[0-9]*)")
_SUFFIX = re.compile(r"[numkMGTPE]?|[KMGTPE]i|[eE][+-]?[0-9]+")


def problem(text: str) -> str:
    """Why upstream takes a text for no quantity, in its words. Source: resource.ParseQuantity."""
    found = _SPLIT.fullmatch(text)
    if not text or found is None:
        return f"quantities must match the regular expression '{_FORMAT}'"
    if _SUFFIX.fullmatch(found[1]) is None:
        return "unable to parse quantity's suffix"
    return "unable to parse numeric part of quantity"


def written(value: Fraction, like: str) -> str:
    """The canonical text of a value, in the family of units in which `like` is written."""
    if value == 0:
        return "0"
    if like.endswith("i") and abs(value) >= 1024 and value.denominator == 1:
        return _binary(value.numerator)
    exponential = "e" in like.lower() and not like.endswith("E")
    for suffix, exponent in _DECIMAL:
        scaled = value / Fraction(10) ** exponent
        if scaled.denominator == 1:
            if exponential and exponent:
                return f"{scaled.numerator}e{exponent}"
            return f"{scaled.numerator}{suffix}"
    # Finer than a nano: upstream rounds up to the next nano.
    nano = value * 10**9
    return f"{-((-nano.numerator) // nano.denominator)}n"


@lru_cache(maxsize=4096)
def plus(text: str, more: str) -> str:
    """The sum, in the family of the first unless that is zero. Source: resource.Quantity.Add.

    Errors: ValueError when one of them is not a quantity.
    """
    value = parse(text)
    return written(value + parse(more), text if value else more)


@lru_cache(maxsize=4096)
def minus(text: str, less: str) -> str:
    """The difference, written as `plus` writes sums; below zero where `less` is more."""
    value = parse(text)
    return written(value - parse(less), text if value else less)


def _binary(value: int) -> str:
    for power, suffix in zip(range(6, 0, -1), _BINARY, strict=True):
        unit = 1 << (10 * power)
        if value % unit == 0:
            return f"{value // unit}{suffix}"
    return str(value)
