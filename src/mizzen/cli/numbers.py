"""Numbers on the command line: each within bounds, refused in one sentence."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable

WHOLE_MAX = 2**31 - 1  # the API's int32
SECONDS_MAX = 366 * 86_400.0


def whole(low: int = 0, high: int = WHOLE_MAX) -> Callable[[str], int]:
    """An argparse type: a whole number from `low` to `high`."""

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        is_number = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(high))
        if not is_number or not low <= int(text) <= high:
            raise ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return read


def seconds(text: str) -> float:
    """An argparse type: a time to wait, in seconds."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found <= SECONDS_MAX:
        raise ArgumentTypeError(f"{text!r} is not a time from 0 to {SECONDS_MAX:.0f} seconds")
    return found
