"""Warnings of a write as header fields that every client can read.

Source: RFC 7234 5.5; upstream's `warning.go` drops control characters and cuts what is too long.
"""

from __future__ import annotations

from collections.abc import Iterable

WARNING_LENGTH_MAX = 512
WARNINGS_LENGTH_MAX = 4096  # together, as upstream
# What a header must not hold, in what HTTP calls a quoted string.
_ESCAPES = dict.fromkeys((*range(32), *range(127, 160)), "?") | {
    ord("\\"): "\\\\",
    ord('"'): '\\"',
}


def headers(warnings: Iterable[str]) -> list[tuple[str, str]]:
    """One `Warning` field for each different text, in order, as far as they go."""
    made: list[tuple[str, str]] = []
    left = WARNINGS_LENGTH_MAX
    different = list(dict.fromkeys(warnings))
    for index, text in enumerate(different):
        if len(text) > WARNING_LENGTH_MAX:
            text = f"{text[:WARNING_LENGTH_MAX]}..."
        field = text.translate(_ESCAPES).encode("ascii", "replace").decode()
        left -= len(field)
        if left < 0:
            made.append(_field(f"and {len(different) - index} more warnings"))
            break
        made.append(_field(field))
    return made


def _field(text: str) -> tuple[str, str]:
    return "warning", f'299 - "{text}"'
