"""Syntax trees of CEL expressions, macros already expanded.

Every node has a number: the checker keeps a type for it, the cost tracker finds values by it.
Source: google/cel-go common/ast, v0.26.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class CompileError(Exception):
    """The expression is wrong by itself: syntax, types, or a constant that cannot be computed.

    `problems`: the character that each is about (NOWHERE: it is about none; None: it is not known),
    and what it is. `is_result`: all is right but the type of what it evaluates to. `is_program`: its
    types are right, and it cannot be run.
    """

    def __init__(
        self, problem: str, at: int | None = None, *, is_result: bool = False,
        is_program: bool = False, problems: Sequence[Problem] = (),
    ) -> None:  # fmt: skip
        super().__init__(problem)
        self.problems: tuple[Problem, ...] = tuple(problems) or (Problem(at, problem),)
        self.is_result = is_result
        self.is_program = is_program

    @staticmethod
    def of(problems: Sequence[Problem]) -> CompileError:
        """Of several, at least one."""
        return CompileError(problems[0].text, problems=problems)

    def told(self, source: str) -> str:
        """What upstream says where such an expression is written."""
        if self.is_result:
            return str(self)
        if self.is_program:
            return f"program instantiation failed: {self}"
        return f"compilation failed: {self.located(source)}"

    def located(self, source: str) -> str:
        """The problems with the lines that they are in, as cel-go shows them."""
        places = [(_place(source, each.at), each) for each in self.problems]
        places.sort(key=lambda each: each[0])
        shown = [_shown(source, place, each) for place, each in places[:PROBLEMS_MAX]]
        if len(places) > PROBLEMS_MAX:
            shown.append(f"{len(places) - PROBLEMS_MAX} more errors were truncated")
        return "\n".join(shown)


class Problem(NamedTuple):
    """`at`: the character that it is about."""

    at: int | None
    text: str


NOWHERE = -1
PROBLEMS_MAX = 100  # that are shown
_SNIPPET_BYTES_MAX = 16384  # of a line that is shown


def _place(source: str, at: int | None) -> tuple[int, int]:
    """Line, from one, and column."""
    if at is None or at == NOWHERE:
        return (-1, -1)
    before = source[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1)


def _shown(source: str, place: tuple[int, int], problem: Problem) -> str:
    """Source: google/cel-go common/error.go, v0.26."""
    if problem.at is None:
        return problem.text
    line, column = place
    head = f"ERROR: <input>:{line}:{column + 1}: {problem.text}"
    if line < 1:
        return head
    text = source.split("\n")[line - 1].replace("\t", " ")
    if len(text.encode("utf-8", "surrogatepass")) > _SNIPPET_BYTES_MAX:
        return head
    dots = "".join("." if char.isascii() else "\uff0e" for char in text[:column])
    mark = "^" if text[column : column + 1].isascii() else "\uff3e"
    return f"{head}\n | {text}\n | {dots}{mark}"


@dataclass(slots=True)
class Node:
    id: int


@dataclass(slots=True)
class Literal(Node):
    value: object  # a runtime value: see values.py


@dataclass(slots=True)
class Ident(Node):
    name: str


@dataclass(slots=True)
class Select(Node):
    operand: Node
    field: str
    test_only: bool = False


@dataclass(slots=True)
class Call(Node):
    """`function(args)`, or `target.function(args)`; operators are functions named as `_+_`."""

    function: str
    target: Node | None
    args: list[Node]


@dataclass(slots=True)
class ListNode(Node):
    elements: list[Node]
    optional: frozenset[int]  # positions written `?element`


@dataclass(slots=True)
class Entry:
    key: Node
    value: Node
    optional: bool


@dataclass(slots=True)
class MapNode(Node):
    entries: list[Entry]


@dataclass(slots=True)
class Field:
    id: int
    name: str
    value: Node
    optional: bool


@dataclass(slots=True)
class Message(Node):
    """`name{field: value, …}`: which of them can be built says the environment."""

    name: str
    fields: list[Field]


@dataclass(slots=True)
class Fold(Node):
    """The expansion of all macros over lists and maps, and of `cel.bind`."""

    range: Node
    variable: str
    variable2: str  # "": one-variable form
    accumulator: str
    initial: Node
    condition: Node
    step: Node
    result: Node


def children(node: Node) -> list[Node]:
    """The nodes directly below, in source order."""
    match node:
        case Select():
            return [node.operand]
        case Call():
            return ([node.target] if node.target is not None else []) + node.args
        case ListNode():
            return list(node.elements)
        case MapNode():
            return [part for entry in node.entries for part in (entry.key, entry.value)]
        case Message():
            return [each.value for each in node.fields]
        case Fold():
            return [
                node.range,
                node.initial,
                node.condition,
                node.step,
                node.result,
            ]
        case _:
            return []


def walk(node: Node) -> list[Node]:
    """The node and all below it."""
    found = [node]
    for each in found:
        found.extend(children(each))
    return found
