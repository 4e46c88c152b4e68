"""Patterns of users' schemas: how large they may be, and what matching with them may cost.

RE2 takes time linear in the text, times the size of the pattern's automaton: a pattern of 30 bytes
may look at a text of a megabyte for a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.cel.regex import RegexError, compiled, in_words_of_go
from mizzen.kinds.causes import invalid
from mizzen.kinds.names import invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.report import Path, Report

SIZE_MAX = 20_000  # of all automata of one schema together; that of a DNS label has 11
_COMBINATIONS = ("allOf", "anyOf", "oneOf")


BAD_MAX = 5  # patterns that are told to be none: to find that out takes a while, too


def check_patterns(schema: Obj, path: str) -> list[Cause]:
    """Causes to refuse patterns that are none, and the first that is one too many: others are not
    looked at then, since each may take a while."""
    size = 0
    seen: set[str] = set()
    found: list[Cause] = []
    for at, pattern in _patterns(schema, path):
        if pattern in seen:
            continue
        try:
            size += compiled(pattern).size
        except RegexError as error:
            what = f"must be a valid regular expression, but isn't: {in_words_of_go(str(error))}"
            found.append(invalid(at, pattern, what))
            if len(found) == BAD_MAX:
                return found
            continue
        seen.add(pattern)
        if size > SIZE_MAX:
            problem = (
                f"with this one the patterns of the schema have {size} states together, of at most "
                f"{SIZE_MAX}: use shorter or fewer ones, or maxLength instead of large repetitions"
            )
            return [*found, invalid_value(at, pattern, problem)]
    return found


def matches(pattern: str, value: str, report: Report) -> bool:
    """True if the value matches; also where that was not evaluated, which the report says.

    Errors: RegexError, of a definition that was stored before patterns were checked.
    """
    # Not kept by who asks: so many automata stay in memory, however many definitions there are.
    automaton = compiled(pattern)
    return not report.may_check(len(value) * automaton.size) or automaton.matches(value)


def wrong(pattern: str, value: str, path: Path, report: Report) -> None:
    """Reports a value that does not match."""
    try:
        if not matches(pattern, value, report):
            report.beyond(path, value, f"match '{pattern}'")
    except RegexError as error:
        report.wrong(path, value, f"the pattern of its definition cannot be read: {error}")


def _patterns(node: Obj, path: str) -> Iterator[tuple[str, str]]:
    """Each with its path, those in combinations too."""
    if isinstance(node.get("pattern"), str) and node["pattern"]:
        yield f"{path}.pattern", node["pattern"]
    below: list[tuple[str, Any]] = [
        (f"{path}.properties[{name}]", child) for name, child in part(node, "properties").items()
    ]
    below += [
        (f"{path}.{word}", node.get(word)) for word in ("items", "additionalProperties", "not")
    ]
    for word in _COMBINATIONS:
        below += [(f"{path}.{word}[{n}]", child) for n, child in enumerate(entries(node, word))]
    for at, child in below:
        if isinstance(child, dict):
            yield from _patterns(cast("Obj", child), at)
