"""Templates of `format`: their clauses, and whether literal arguments fit them.

Source: google/cel-go ext/formatting.go, v0.26.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mizzen.cel import tree
from mizzen.cel.tree import Call, CompileError, ListNode, Literal, MapNode, Node
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


def check(root: Node, types: Mapping[int, Type]) -> None:
    """Refuses literal templates that their literal list of arguments does not fit."""
    for node in tree.walk(root):
        if not isinstance(node, Call) or node.function != "format" or len(node.args) != 1:
            continue
        template, args = node.target, node.args[0]
        literal = template.value if isinstance(template, Literal) else None
        if isinstance(literal, str) and isinstance(args, ListNode):
            _check(literal, args.elements, types)


def _check(template: str, args: list[Node], types: Mapping[int, Type]) -> None:
    parts = clauses(template)
    if isinstance(parts, Err):
        raise CompileError(parts.reason)
    letters = [letter for _, letter, _ in parts if letter]
    if len(letters) != len(args):
        raise CompileError(f"string.format has {len(letters)} clauses and {len(args)} arguments")
    for letter, arg in zip(letters, args, strict=True):
        if not _fits(letter, arg, types):
            raise CompileError(f"%{letter} cannot format a {types[arg.id]}")


def _fits(letter: str, arg: Node, types: Mapping[int, Type]) -> bool:
    kind = types[arg.id].kind
    if kind != "dyn" and kind not in _KINDS[letter].split():
        return False
    if letter != "s" or not isinstance(arg, (ListNode, MapNode)):
        return True
    return all(_fits(letter, part, types) for part in tree.children(arg))
