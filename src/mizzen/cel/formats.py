"""Templates of `format`: their clauses, and whether literal arguments fit them.

Source: google/cel-go ext/formatting.go, v0.26.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mizzen.cel import tree
from mizzen.cel.tree import Call, ListNode, Literal, MapNode, Node
from mizzen.cel.types import Type
from mizzen.cel.values import Err

PRECISION = 6  # digits behind the point in %f and %e, unless said otherwise
_CLAUSE = re.compile(r"%(?:(%)|(?:\.([0-9]+))?(.))", re.DOTALL)
_KINDS = {
    "d": "int uint",
    "f": "double string",
    "e": "double string",
    "b": "int uint bool",
    "x": "int uint string bytes",
    "X": "int uint string bytes",
    "o": "int uint",
    "s": "list map int uint double bool string timestamp bytes duration type null",
}


def clauses(template: str) -> list[tuple[str, str, int]] | Err:
    """(text before, letter, precision) of each clause; the last one is the rest, letter ""."""
    found: list[tuple[str, str, int]] = []
    before, at = "", 0
    while True:
        start = template.find("%", at)
        if start < 0:
            return [*found, (before + template[at:], "", 0)]
        match = _CLAUSE.match(template, start)
        if match is None or (match[3] is not None and match[3] not in _KINDS):
            return Err("unrecognized formatting clause")
        before += template[at:start] + (match[1] or "")
        at = match.end()
        if match[3] is not None:
            found.append((before, match[3], int((match[2] or str(PRECISION))[:4])))
            before = ""


_WRONG = {
    "d": "decimal clause can only be used on integers",
    "f": "fixed-point clause can only be used on doubles",
    "e": "scientific clause can only be used on doubles",
    "b": "only integers and bools can be formatted as binary",
    "x": "only integers, byte buffers, and strings can be formatted as hex",
    "o": "octal clause can only be used on integers",
    "s": "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, "
    "durations, and timestamps",
}
_UNREADABLE = "could not parse formatting clause: "


def problems_of(
    call: Call, types: Mapping[int, Type], show: Callable[[Type], str]
) -> list[tuple[int, str]]:
    """The first thing for which a literal template and its literal list of arguments do not fit,
    with the number of the node that it is about; [] of other calls."""
    if call.function != "format" or len(call.args) != 1:
        return []
    template, args = call.target, call.args[0]
    literal = template.value if isinstance(template, Literal) else None
    if not isinstance(literal, str) or not isinstance(args, ListNode):
        return []
    given, asked, at = args.elements, 0, 0
    while (at := literal.find("%", at)) >= 0:
        if literal.startswith("%", at + 1):
            at += 2
            continue
        if at + 1 >= len(literal):
            return [(call.id, "unexpected end of string")]
        if asked >= len(given):
            return [(call.id, f"index {asked} out of range")]
        match = _CLAUSE.match(literal, at)
        if match is None or (literal[at + 1] == "." and not match[2]):
            return [
                (call.id, f"{_UNREADABLE}error while parsing precision: {_precision(literal, at)}")
            ]
        if match[3] not in _KINDS:
            what = f'unrecognized formatting clause "{match[3]}"'
            return [(call.id, f"{_UNREADABLE}{what}")]
        wrong = _misfit(match[3], given[asked], types)
        if wrong is not None:
            kind = _WRONG[match[3].lower()]
            of = types[wrong.id]
            what = f"{kind}, was given {show(of) if of.kind == 'struct' else of.name}"
            return [(wrong.id, f"error during formatting: {what}")]
        at, asked = match.end(), asked + 1
    if len(given) > asked:
        what = "too many arguments supplied to string.format"
        return [(call.id, f"{what} (expected {asked}, got {len(given)})")]
    return []


def _precision(template: str, at: int) -> str:
    if template[at + 2 :].isdecimal() or not template[at + 2 :]:
        return "could not find end of precision specifier"
    return 'error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax'


def _misfit(letter: str, arg: Node, types: Mapping[int, Type]) -> Node | None:
    """What of an argument a clause cannot show."""
    kind = types[arg.id].kind
    if kind != "dyn" and kind not in _KINDS[letter].split():
        return arg
    if letter != "s" or not isinstance(arg, (ListNode, MapNode)):
        return None
    below = (_misfit(letter, each, types) for each in tree.children(arg))
    return next((each for each in below if each is not None), None)
