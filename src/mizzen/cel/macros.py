"""Macros: calls that the parser replaces by folds, conditions and presence tests.

Standard ones, `cel.bind`, `optMap` and `optFlatMap`, `sortBy`, and the two-variable forms.
Source: google/cel-go parser/macro.go, ext/bindings.go, ext/lists.go, ext/comprehensions.go,
cel/library.go, v0.26.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from mizzen.cel.tree import (
    Call,
    CompileError,
    Fold,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
    walk,
)

ACCUMULATOR = "@result"
_FORBIDDEN = ("@result", "__result__")
_UNUSED = "#unused"
_SORTED = "@__sortBy_input__"
COPIED_MAX = 20_000  # nodes of an expression; each optMap in a chain doubles what is before it
NewId = Callable[[], int]
CopyId = Callable[[int], int]  # a new one that stands where another does
_NAME, _SIMPLE = "argument is not an identifier", "argument must be a simple name"


class MacroError(Exception):
    """An argument is not what the macro takes."""

    def __init__(self, node: Node, problem: str) -> None:
        super().__init__(problem)
        self.node = node


def expand(
    new: NewId, copied: CopyId, here: int, function: str, target: Node | None, args: list[Node]
) -> Node | None:
    """The expansion of a macro call; None if no macro has this name and arity.

    Errors: MacroError; CompileError where it would become too large.
    """
    make = _Make(new, copied)
    if target is None:
        return make.has(here, args[0]) if function == "has" and len(args) == 1 else None
    match function, len(args):
        case (("all" | "exists" | "exists_one"), 2):
            variable = make.variable(args[0], _SIMPLE)
            return make.quantifier(here, function, target, (variable, ""), args[1])
        case (("all" | "exists" | "exists_one" | "existsOne"), 3):
            return make.quantifier(here, function, target, make.variables(args), args[2])
        case "map", (2 | 3):
            return make.map(here, target, args)
        case "filter", 2:
            return make.filter(here, target, args)
        case (("transformList" | "transformMap" | "transformMapEntry"), (3 | 4)):
            return make.transform(here, function, target, args)
        case (("optMap" | "optFlatMap"), 2):
            return make.opt_map(here, function, target, args)
        case "bind", 3 if isinstance(target, Ident) and target.name == "cel":
            return make.bind(here, args)
        case "sortBy", 2:
            return make.sort_by(here, target, args)
        case _:
            return None


class _Make:
    def __init__(self, new: NewId, copied: CopyId) -> None:
        self._new, self._copied = new, copied

    def variable(self, node: Node, otherwise: str = _NAME) -> str:
        if not isinstance(node, Ident):
            raise MacroError(node, otherwise)
        if node.name in _FORBIDDEN:
            raise MacroError(node, "iteration variable overwrites accumulator variable")
        return node.name

    def variables(self, args: list[Node]) -> tuple[str, str]:
        for each in args[:2]:
            if not isinstance(each, Ident):
                raise MacroError(each, _SIMPLE)
        first, second = args[0], args[1]
        assert isinstance(first, Ident) and isinstance(second, Ident)
        if first.name == second.name:
            raise MacroError(second, f"duplicate variable name: {first.name}")
        return self.variable(first), self.variable(second)

    def _call(self, function: str, *args: Node) -> Node:
        return Call(self._new(), function, None, list(args))

    def _method(self, function: str, target: Node, *args: Node) -> Node:
        return Call(self._new(), function, target, list(args))

    def _value(self, value: object) -> Node:
        return Literal(self._new(), value)

    def _accumulator(self) -> Node:
        return Ident(self._new(), ACCUMULATOR)

    def _list(self, *elements: Node) -> Node:
        return ListNode(self._new(), list(elements), frozenset())

    def _copy(self, node: Node) -> Node:
        made = copy.deepcopy(node)
        for each in walk(made):
            each.id = self._copied(each.id)
            if each.id > COPIED_MAX:
                raise CompileError(
                    f"optMap and optFlatMap make more than {COPIED_MAX} parts of it; chain fewer"
                )
        return made

    def has(self, here: int, arg: Node) -> Node:
        if not isinstance(arg, Select) or arg.test_only:
            raise MacroError(arg, "invalid argument to has() macro")
        return Select(here, arg.operand, arg.field, test_only=True)

    def quantifier(
        self, here: int, kind: str, target: Node, variables: tuple[str, str], predicate: Node
    ) -> Node:
        result: Node | None = None
        if kind == "all":
            initial = self._value(True)
            condition = self._call("@not_strictly_false", self._accumulator())
            step = self._call("_&&_", self._accumulator(), predicate)
        elif kind == "exists":
            initial = self._value(False)
            condition = self._call("@not_strictly_false", self._call("!_", self._accumulator()))
            step = self._call("_||_", self._accumulator(), predicate)
        else:
            initial, condition = self._value(0), self._value(True)
            more = self._call("_+_", self._accumulator(), self._value(1))
            step = self._call("_?_:_", predicate, more, self._accumulator())
            result = self._call("_==_", self._accumulator(), self._value(1))
        return self._fold(here, target, variables, initial, condition, step, result)

    def _fold(
        self,
        here: int,
        target: Node,
        variables: tuple[str, str],
        initial: Node,
        condition: Node,
        step: Node,
        result: Node | None = None,
    ) -> Node:
        end = result if result is not None else self._accumulator()
        return Fold(here, target, *variables, ACCUMULATOR, initial, condition, step, end)

    def map(self, here: int, target: Node, args: list[Node]) -> Node:
        variable = self.variable(args[0])
        step = self._call("_+_", self._accumulator(), self._list(args[-1]))
        if len(args) == 3:
            step = self._call("_?_:_", args[1], step, self._accumulator())
        return self._fold(here, target, (variable, ""), self._list(), self._value(True), step)

    def filter(self, here: int, target: Node, args: list[Node]) -> Node:
        variable = self.variable(args[0])
        step = self._call("_+_", self._accumulator(), self._list(args[0]))
        step = self._call("_?_:_", args[1], step, self._accumulator())
        return self._fold(here, target, (variable, ""), self._list(), self._value(True), step)

    def transform(self, here: int, kind: str, target: Node, args: list[Node]) -> Node:
        variables = self.variables(args)
        initial: Node = MapNode(self._new(), [])
        if kind == "transformList":
            initial = self._list()
            step = self._call("_+_", self._accumulator(), self._list(args[-1]))
        elif kind == "transformMap":
            key = Ident(self._new(), variables[0])
            step = self._call("cel.@mapInsert", self._accumulator(), key, args[-1])
        else:
            step = self._call("cel.@mapInsert", self._accumulator(), args[-1])
        if len(args) == 4:
            step = self._call("_?_:_", args[2], step, self._accumulator())
        return self._fold(here, target, variables, initial, self._value(True), step)

    def bind(self, here: int, args: list[Node]) -> Node:
        if not isinstance(args[0], Ident):
            raise MacroError(args[0], "cel.bind() variable names must be simple identifiers")
        return self._bound(here, args[0].name, args[1], args[2])

    def _bound(self, here: int, name: str, value: Node, result: Node) -> Node:
        """`value` computed once, under a name, for `result`: a fold over nothing."""
        last = Ident(self._new(), name)
        return Fold(here, self._list(), _UNUSED, "", name, value, self._value(False), last, result)

    def opt_map(self, here: int, kind: str, target: Node, args: list[Node]) -> Node:
        if not isinstance(args[0], Ident):
            raise MacroError(args[0], f"{kind}() variable name must be a simple identifier")
        value = self._method("value", self._copy(target))
        inner = self._bound(self._new(), args[0].name, value, args[1])
        if kind == "optMap":
            inner = self._call("optional.of", inner)
        test = self._method("hasValue", target)
        return Call(here, "_?_:_", None, [test, inner, self._call("optional.none")])

    def sort_by(self, here: int, target: Node, args: list[Node]) -> Node:
        if not isinstance(target, (ListNode, Select, Ident, Fold, Call)):
            raise MacroError(
                target,
                "sortBy can only be applied to a list, identifier, comprehension, call or select "
                "expression",
            )
        keys = self.map(self._new(), Ident(self._new(), _SORTED), args)
        call = self._method("@sortByAssociatedKeys", Ident(self._new(), _SORTED), keys)
        return self._bound(here, _SORTED, target, call)
