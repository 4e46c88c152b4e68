"""Regular expressions as Go's regexp reads them, run by RE2 in time linear in the text.

Python's own would take exponential time on some expressions, which a selector may contain.
Where RE2 takes what Go refuses it is refused here, but for nesting deeper than 1000. RE2 refuses
what Go takes where a category has its long name (`\\p{Letter}`) and where the automaton would need
more than 8 MiB (`\\pL{1000}`).
Source: Go 1.26's regexp and regexp/syntax; github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from typing import Any, Protocol

TOO_LARGE = "pattern too large"  # as RE2 says it
MEMORY_MAX = 8 << 20  # bytes of one automaton
REMEMBERED_MAX = 32  # automata

# What RE2 takes and Go does not is looked for outside quotations and classes.
_PIECES = re.compile(
    r"""\\Q .*? (?: \\E | \Z )
    | (?P<byte> \\C )
    | \\.
    | \[ \^? \]? (?: \\. | \[:[^\]]*:\] | [^\]\\] )*+ \]
    | \( \?P?< (?P<name> [^>]* ) >""",
    re.DOTALL | re.VERBOSE,
)


class RegexError(ValueError):
    """The pattern is no regular expression."""


class _Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class _Automaton(Protocol):
    @property
    def programsize(self) -> int: ...

    def search(self, text: bytes, pos: int) -> _Match | None: ...


class Regex:
    """A compiled expression."""

    def __init__(self, pattern: str) -> None:
        """Errors: RegexError."""
        self._automaton = _automaton(pattern)

    @property
    def size(self) -> int:
        """The size of its program: one byte may take so many steps."""
        return self._automaton.programsize

    def matches(self, text: str) -> bool:
        """True if any part of the text matches."""
        return self._search(_octets(text), 0) is not None

    def find(self, text: str) -> str:
        """The leftmost match; "" without one."""
        octets = _octets(text)
        begin, end = self._search(octets, 0) or (0, 0)
        return _text(octets[begin:end])

    def find_all(self, text: str, limit: int) -> list[str]:
        """The matches that do not overlap, as Go finds them; all of them if limit < 0."""
        octets = _octets(text)
        found: list[str] = []
        at, last_end = 0, -1
        while at <= len(octets) and (limit < 0 or len(found) < limit):
            match = self._search(octets, at)
            if match is None:
                break
            begin, end = match
            if end > begin or begin != last_end:
                found.append(_text(octets[begin:end]))
            last_end = end
            at = end if end > at else at + 1  # within a character nothing is found
        return found

    def _search(self, octets: bytes, at: int) -> tuple[int, int] | None:
        """Begin and end of the leftmost match from `at` on."""
        while match := self._automaton.search(octets, at):
            begin, end = match.span()
            if begin == len(octets) or octets[begin] & 0xC0 != 0x80:
                return begin, end
            at = begin + 1  # `\B` holds between the bytes of a character, for Go it does not
        return None


@lru_cache(maxsize=REMEMBERED_MAX)
def compiled(pattern: str) -> Regex:
    """The automaton of a pattern. Errors: RegexError."""
    return Regex(pattern)


def _automaton(pattern: str) -> _Automaton:
    # At the first pattern: it takes 6 ms and 3 MiB, and most selectors have none.
    re2: Any = importlib.import_module("re2")  # it has no types
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MEMORY_MAX
    try:
        made: _Automaton = re2.compile(_octets(pattern), options)
    except re2.error as error:
        raise RegexError(_text(error.args[0])) from error
    finally:
        re2.purge()  # it would keep 128 of its own, of 8 MiB each, beside ours
    for piece in _PIECES.finditer(pattern):
        if piece["byte"]:
            raise RegexError(r"invalid escape sequence: \C")
        if piece["name"] and not piece["name"].isascii():
            raise RegexError(f"invalid named capture: {piece[0]}")
    return made


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogatepass")


_IN_GO = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "unexpected )": "unexpected )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
}


def in_words_of_go(problem: str) -> str:
    """What Go's regexp says of what RE2 refuses as `problem`."""
    what, mark, where = problem.partition(": ")
    what = _IN_GO.get(what, what)
    return f"error parsing regexp: {what}: `{where}`" if mark else f"error parsing regexp: {what}"
