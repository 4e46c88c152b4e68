"""Programs from checked trees: attribute chains joined, constants folded.

Errors: CompileError, when a constant cannot be computed.
Source: google/cel-go interpreter/planner.go and decorators.go, v0.26.
"""

from __future__ import annotations

from mizzen.cel import library, regex, values
from mizzen.cel.attributes import Attribute, AttributeStep, Qualifier, Step, is_key
from mizzen.cel.checker import Checked
from mizzen.cel.cost import Run
from mizzen.cel.steps import (
    CallStep,
    Const,
    Equality,
    FoldStep,
    Logic,
    MakeList,
    MakeMap,
    MakeMessage,
    Membership,
    OrElse,
    Root,
)
from mizzen.cel.tree import (
    Call,
    CompileError,
    Fold,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Message,
    Node,
    Select,
)
from mizzen.cel.values import Err, TypeValue, UInt

_CONVERSIONS = frozenset(
    ["bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"]
)
_PATTERNS = frozenset({"matches", "find", "findAll"})  # their patterns are compiled once


def plan(checked: Checked) -> Step:
    """The program of an expression."""
    return _Planner(checked).step(checked.root)


def _scope() -> Root:
    """A scope for constants: no variables, and an unread bill."""
    return Root(Run(), {})


class _Planner:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked

    def step(self, node: Node) -> Step:
        name = self._checked.type_names.get(node.id)
        if name is not None:
            return Const(node.id, TypeValue(name))
        match node:
            case Literal():
                return Const(node.id, node.value)
            case Ident():
                return AttributeStep(Attribute(node.id, name=node.name.removeprefix(".")))
            case Select():
                chain = self._chain(node.operand)
                chain.add(Qualifier(node.id, node.field, test_only=node.test_only))
                return AttributeStep(chain, test_only=node.id if node.test_only else 0)
            case Call():
                return self._call(node)
            case ListNode():
                return self._list(node)
            case MapNode():
                return self._map(node)
            case Fold():
                return self._fold(node)
            case Message():
                fields = [(each.name, self.step(each.value), each.optional) for each in node.fields]
                return MakeMessage(node.id, node.name, fields)
            case _:
                raise AssertionError(node)

    def _chain(self, node: Node) -> Attribute:
        """The attribute to which a selection can be added."""
        return self._as_chain(self.step(node))

    def _as_chain(self, step: Step) -> Attribute:
        if isinstance(step, AttributeStep) and not step.test_only:
            return step.attribute
        return Attribute(step.id, operand=step)

    def _call(self, node: Call) -> Step:
        args = [self.step(arg) for arg in ([node.target] if node.target else []) + node.args]
        match node.function:
            case "_&&_" | "_||_":
                return Logic(node.id, node.function == "_||_", args)
            case "_?_:_":
                branches = (self._branch(args[1]), self._branch(args[2]))
                return AttributeStep(Attribute(node.id, condition=args[0], branches=branches))
            case "_==_" | "_!=_":
                return Equality(node.id, node.function == "_!=_", args[0], args[1])
            case "_[_]" | "_[?_]" | "_?._":
                return self._index(node, args, optional=node.function != "_[_]")
            case "or" | "orValue":
                return OrElse(node.id, node.function == "orValue", args[0], args[1])
            case _:
                return self._function(node, args)

    def _branch(self, step: Step) -> Attribute:
        if isinstance(step, AttributeStep):
            return step.attribute
        return Attribute(step.id, operand=step)

    def _index(self, node: Call, args: list[Step], optional: bool) -> Step:
        chain = self._as_chain(args[0])
        index = args[1]
        if isinstance(index, Const):
            if not is_key(index.value):
                raise CompileError("invalid qualifier type", is_program=True)
            chain.add(Qualifier(node.id, index.value, optional=optional))
        elif isinstance(index, AttributeStep):
            chain.add(Qualifier(node.id, attribute=index.attribute, optional=optional))
        else:
            key = Attribute(node.id, operand=index)
            chain.add(Qualifier(node.id, attribute=key, optional=optional, drops=True))
        return AttributeStep(chain)

    def _function(self, node: Call, args: list[Step]) -> Step:
        overloads = self._checked.overloads[node.id]
        overload = overloads[0] if len(overloads) == 1 else ""
        run = library.implementation(node.function, overloads)
        strict = node.function != "@not_strictly_false"
        # Upstream's calls of one or two arguments evaluate both; dispatch by name and calls
        # with a compiled pattern stop at the first error.
        eager = len(args) <= 2
        if node.function in library.FUNCTIONS and len(overloads) > 1:
            eager = (
                node.function in library.SINGLETONS or len(library.FUNCTIONS[node.function]) == 1
            )
        made = CallStep(node.id, node.function, overload, args, run, eager, strict)
        if overload == "in_list" and isinstance(args[1], Const):
            return self._membership(made)
        if node.function in _CONVERSIONS and len(args) == 1 and isinstance(args[0], Const):
            value = made.compute(_scope())
            if isinstance(value, Err):
                raise CompileError(value.reason, is_program=True)
            return Const(node.id, value)
        if node.function in _PATTERNS and len(args) > 1:
            pattern = args[1]
            if isinstance(pattern, Const) and isinstance(pattern.value, str):
                _check_pattern(pattern.value)
                made.eager = False
        return made

    def _membership(self, call: CallStep) -> Step:
        among = call.args[1]
        assert isinstance(among, Const) and values.is_list(among.value)
        elements = among.value
        if not elements:
            return Const(call.id, False)
        if not all(isinstance(each, (bool, int, float, str, UInt)) for each in elements):
            return call
        return Membership(call.id, call.args[0], elements)

    def _list(self, node: ListNode) -> Step:
        made = MakeList(node.id, [self.step(each) for each in node.elements], node.optional)
        if all(isinstance(each, Const) for each in made.elements):
            return Const(node.id, made.compute(_scope()))
        return made

    def _map(self, node: MapNode) -> Step:
        entries = [
            (self.step(each.key), self.step(each.value), each.optional) for each in node.entries
        ]
        made = MakeMap(node.id, entries)
        if all(isinstance(key, Const) and isinstance(value, Const) for key, value, _ in entries):
            return Const(node.id, made.compute(_scope()))
        return made

    def _fold(self, node: Fold) -> Step:
        return FoldStep(
            node.id,
            self.step(node.range),
            node.variable,
            node.variable2,
            node.accumulator,
            self.step(node.initial),
            self.step(node.condition),
            self.step(node.step),
            self.step(node.result),
        )


def _check_pattern(pattern: str) -> None:
    try:
        regex.compiled(pattern)
    except regex.RegexError as error:
        raise CompileError(regex.in_words_of_go(str(error)), is_program=True) from error
