"""Syntax trees of CEL expressions, macros already expanded.

Every node has a number: the checker keeps a type for it, the cost tracker finds values by it.
Source: google/cel-go common/ast, v0.26.
"""

from __future__ import annotations

from dataclasses import dataclass


class CompileError(Exception):
    """The expression is wrong by itself: syntax, types, or a constant that cannot be computed.

    `at` is the character that it is about, None where that is not known; `is_result`: all is right
    but the type of what it evaluates to.
    """

    def __init__(self, problem: str, at: int | None = None, *, is_result: bool = False) -> None:
        super().__init__(problem)
        self.at = at
        self.is_result = is_result

    def located(self, source: str) -> str:
        """The problem with the line that it is in, as cel-go shows it, where that is known."""
        if self.at is None:
            return str(self)
        before = source[: self.at]
        line, column = before.count("\n"), self.at - (before.rfind("\n") + 1)
        text = source.split("\n")[line]
        return f"ERROR: <input>:{line + 1}:{column + 1}: {self}\n | {text}\n | {'.' * column}^"


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
