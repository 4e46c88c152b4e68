"""Bounds the size that a call is about to build or search, from its arguments alone.

Prices are upstream's and some say little: a list added to itself costs 1, a replacement is priced
by its text and not by what comes in, a comparison by the outermost list. Each call pays here for
its result and its walk before either begins, in bytes. No bound is below what is built; all are
far from anything that a selector of devices needs.
"""

from __future__ import annotations

from collections.abc import Callable

from mizzen.cel.cost import Run
from mizzen.cel.objects import JsonMap
from mizzen.cel.values import Growing, JsonList, Map, Optional, is_list

POINTER = 8  # bytes of an element of a list
ENTRY = 128  # bytes of an entry of a map
TEXT = 64  # bytes of a short text or number of its own
LOOK = 256  # for each value looked at where values are nested
COMPARED = 16  # characters compared count as one byte
ESCAPED = 6  # characters that a quoted one may become
PRECISION = 10_000  # digits that one clause of a template may ask for
FREE_TEXT = 64  # characters that comparing costs nothing
RANGE_MAX = 1_000_001  # elements; see `sequences.count_up`

Bound = Callable[[Run, list[object]], int]


def text(value: object) -> int:
    """Bytes of a text or of bytes; 0 for anything else."""
    if isinstance(value, str):
        return len(value) if value.isascii() else 4 * len(value)
    return len(value) if isinstance(value, bytes) else 0


def look(run: Run, value: object, leaf: Callable[[object], int] | None = None) -> None:
    """Pays for a walk through a value: elements may be one and the same list, many times over."""
    left = [value]
    while left:
        one = left.pop()
        inside: list[object] = []
        if isinstance(one, (JsonList, JsonMap)):
            run.spend(LOOK * len(one))  # before what is inside is made
        if is_list(one):
            inside = one
        elif isinstance(one, Map):
            inside = [part for entry in one.items() for part in entry]
        elif isinstance(one, Optional):
            inside = [one.value]
        elif leaf is not None:
            run.spend(leaf(one))
        run.spend(LOOK * len(inside))
        left += inside


def is_nested(value: object) -> bool:
    """True if comparing with it may take longer than its length says."""
    if isinstance(value, (JsonList, JsonMap)):
        return len(value) > 0  # what is inside has to be made
    if is_list(value):
        return any(isinstance(each, (list, Map, Optional)) for each in value)
    if isinstance(value, Map):
        return any(isinstance(each, (list, Map, Optional)) for _, each in value.items())
    return isinstance(value, Optional)


def compared(run: Run, *sides: object) -> None:
    """Before values are compared: those in values are paid for, the rest is priced by upstream."""
    for side in sides:
        if is_nested(side):
            look(run, side)


def _added(run: Run, args: list[object]) -> int:
    left, right = args
    if is_list(left) and is_list(right):
        return POINTER * (len(right) if isinstance(left, Growing) else len(left) + len(right))
    return text(left) + text(right)


def _replaced(run: Run, args: list[object]) -> int:
    whole, old, new, *limit = args
    if not (isinstance(whole, str) and isinstance(old, str) and isinstance(new, str)):
        return 0
    times = whole.count(old)
    if limit and isinstance(limit[0], int) and limit[0] >= 0:
        times = min(times, limit[0])
    return text(whole) + times * text(new) * (1 if whole.isascii() else 4)


def _split(run: Run, args: list[object]) -> int:
    whole, separator, *limit = args
    if not (isinstance(whole, str) and isinstance(separator, str)):
        return 0
    parts = whole.count(separator) + 1
    if limit and isinstance(limit[0], int) and limit[0] >= 0:
        parts = min(parts, limit[0])
    return text(whole) + TEXT * parts


def _joined(run: Run, args: list[object]) -> int:
    parts, *separator = args
    if not is_list(parts):
        return 0
    wide = 1
    size = 0
    for part in (*parts, *separator):
        if isinstance(part, str):
            size += len(part)
            wide = wide if part.isascii() else 4
    between = len(separator[0]) if separator and isinstance(separator[0], str) else 0
    return wide * (size + len(parts) * between)


def _formatted(run: Run, args: list[object]) -> int:
    template, given = args
    look(run, given, lambda leaf: TEXT + ESCAPED * text(leaf))
    asked = template.count("%.") if isinstance(template, str) else 0
    return text(template) + 2 * PRECISION * asked


def _found(run: Run, args: list[object]) -> int:
    """The parts, and what is read once more for each: the rest may be searched for every match."""
    whole, _, *limit = args
    if not isinstance(whole, str):
        return 0
    matches = len(whole) + 1
    if limit and isinstance(limit[0], int) and limit[0] >= 0:
        matches = min(matches, limit[0])
    return text(whole) + matches * (TEXT + len(whole) // 8)


def _sought(run: Run, args: list[object]) -> int:
    """A value looked for among others."""
    among, value = (args[0], args[1]) if is_list(args[0]) else (args[1], args[0])
    compared(run, value)
    if not is_list(among):
        return 0
    compared(run, among)
    size = sum(map(text, among)) // COMPARED
    return max(size, len(among) * (text(value) // COMPARED if text(value) > FREE_TEXT else 0))


def _in_sets(run: Run, args: list[object]) -> int:
    """Every element of one with every one of the other, or with those before it."""
    sides = [side for side in args if is_list(side)]
    compared(run, *sides)
    longest = max((text(each) for side in sides for each in side), default=0)
    pairs = len(sides[0]) * len(sides[-1]) if sides else 0
    nested = any(map(is_nested, sides))
    return pairs * ((longest // COMPARED if longest > FREE_TEXT else 0) + (LOOK if nested else 0))


def _walked(run: Run, args: list[object]) -> int:
    """A list whose price is already a walk, and whose elements may be sought."""
    for arg in args:
        compared(run, arg)
    first = args[0]
    return sum(map(text, first)) // COMPARED if is_list(first) else 0


def _flattened(run: Run, args: list[object]) -> int:
    look(run, args[0])
    return 0


def _counted(run: Run, args: list[object]) -> int:
    end = args[0]
    return 40 * min(max(end, 0), RANGE_MAX) if isinstance(end, int) else 0


def _inserted(run: Run, args: list[object]) -> int:
    into, *rest = args
    if not isinstance(into, Map):
        return 0
    added = len(rest[0]) if isinstance(rest[0], Map) and len(rest) == 1 else 1
    return ENTRY * added * (1 if into.growing else len(into) + added)


def _copied(run: Run, args: list[object]) -> int:
    first = args[0]
    return POINTER * len(first) if is_list(first) else text(first)


def _by_character(run: Run, args: list[object]) -> int:
    return text(args[0]) + (POINTER * len(args[0]) if isinstance(args[0], str) else 0)


def _quoted(run: Run, args: list[object]) -> int:
    return 2 * text(args[0])


BOUNDS: dict[str, Bound] = {
    "_+_": _added,
    "replace": _replaced,
    "split": _split,
    "join": _joined,
    "format": _formatted,
    "findAll": _found,
    "@in": _sought,
    "indexOf": _sought,
    "lastIndexOf": _sought,
    "includes": _sought,
    "distinct": _in_sets,
    "sets.contains": _in_sets,
    "sets.equivalent": _in_sets,
    "sets.intersects": _in_sets,
    "isSorted": _walked,
    "sum": _walked,
    "min": _walked,
    "max": _walked,
    "flatten": _flattened,
    "lists.range": _counted,
    "cel.@mapInsert": _inserted,
    "lowerAscii": _by_character,
    "upperAscii": _by_character,
    "jsonpatch.escapeKey": _quoted,
    "strings.quote": _quoted,
    **dict.fromkeys(
        ("substring", "trim", "slice", "reverse", "sort", "@sortByAssociatedKeys"), _copied
    ),
    **dict.fromkeys(("optional.unwrap", "unwrapOpt", "string", "bytes", "find"), _copied),
}
