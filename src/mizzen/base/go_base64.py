"""Where Go's decoder of base64 stops.

Source: Go's encoding/base64, decodeQuantum of StdEncoding, which passes over ends of lines.
"""

from __future__ import annotations

import re

_FINE = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_ENDS = "\r\n"


def illegal_at(text: str) -> int | None:
    """The byte of which Go says `illegal base64 data at input byte N`; None for what it reads."""
    if _FINE.fullmatch(text):
        return None
    data = text if text.isascii() else text.encode().decode("latin-1")
    at = 0
    while at < len(data):
        at, stop = _quantum(data, at)
        if stop is not None:
            return stop
    return None


def _quantum(data: str, at: int) -> tuple[int, int | None]:
    """Behind the next four characters, and where they are wrong."""
    count = 0
    while count < 4:
        if at == len(data):
            return at, at - count if count else None
        found = data[at]
        at += 1
        if found in _LETTERS:
            count += 1
        elif found not in _ENDS:
            return _padding(data, at, count) if found == "=" else (at, at - 1)
    return at, None


def _padding(data: str, at: int, count: int) -> tuple[int, int | None]:
    if count < 2:
        return at, at - 1
    if count == 2:
        at = _behind_ends(data, at)
        if at == len(data):
            return at, len(data)
        if data[at] != "=":
            return at, at - 1
        at += 1
    at = _behind_ends(data, at)
    return at, at if at < len(data) else None


def _behind_ends(data: str, at: int) -> int:
    while at < len(data) and data[at] in _ENDS:
        at += 1
    return at
