"""Warnings of a write as header fields that every client can read.

Source: RFC 7234 5.5; apiserver `endpoints/filters/warning.go`: what is too long is cut once all
together are; control characters are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable

WARNING_LENGTH_MAX = 256  # where they are cut
WARNINGS_LENGTH_MAX = 4096  # together
# What a header must not hold, in what HTTP calls a quoted string.
_ESCAPES = dict.fromkeys((*range(32), *range(127, 160)), "?") | {
    ord("\\"): "\\\\",
    ord('"'): '\\"',
}


def headers(warnings: Iterable[str]) -> list[tuple[str, str]]:
    """One `Warning` field for each different text, in order, as far as they go."""
    different = list(dict.fromkeys(warnings))
    if sum(map(len, different)) > WARNINGS_LENGTH_MAX:
        different = [text[:WARNING_LENGTH_MAX] for text in different]
    made: list[tuple[str, str]] = []
    left = WARNINGS_LENGTH_MAX
    for text in different:
        if left <= 0:
            break
        left -= len(text)
        field = text.translate(_ESCAPES).encode("ascii", "replace").decode()
        made.append(("warning", f'299 - "{field}"'))
    return made
