"""Types of every part of an expression, and which overloads each call may mean.

Errors: CompileError, with everything that cannot be.
Source: google/cel-go checker/checker.go, v0.26, with comparisons across number types, as Kubernetes
sets it up; what is asked of what has its types: `validators.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mizzen.cel import tree, types, validators
from mizzen.cel.declarations import FUNCTIONS, Overload
from mizzen.cel.environment import Environment
from mizzen.cel.parser import Parsed
from mizzen.cel.tree import (
    Call,
    CompileError,
    Fold,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Problem,
    Select,
)
from mizzen.cel.types import Type
from mizzen.cel.values import UInt

_TYPE_NAMES = {
    name: types.type_of(t)
    for name, t in {
        **{t.name: t for t in (types.BOOL, types.INT, types.UINT, types.DOUBLE)},
        "string": types.STRING,
        "bytes": types.BYTES,
        "google.protobuf.Duration": types.DURATION,
        "google.protobuf.Timestamp": types.TIMESTAMP,
        "null_type": types.NULL,
        "list": types.list_of(types.param("A")),
        "map": types.map_of(types.param("A"), types.param("B")),
        "type": Type("type", "type"),
        "optional_type": types.optional_of(types.param("V")),
        "net.IP": types.read("net.IP"),
        "net.CIDR": types.read("net.CIDR"),
    }.items()
}
_OF_PATCHES = ("jsonpatch.escapeKey",)  # where objects can be built
_LITERALS: Mapping[type, Type] = {
    bool: types.BOOL,
    int: types.INT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    UInt: types.UINT,
    type(None): types.NULL,
}


@dataclass(slots=True)
class Checked:
    root: Node
    types: dict[int, Type] = field(default_factory=dict[int, Type])
    overloads: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    type_names: dict[int, str] = field(default_factory=dict[int, str])  # names that mean a type

    @property
    def result(self) -> Type:
        return self.types[self.root.id]


def check(parsed: Parsed, environment: Environment, steps: types.Steps | None = None) -> Checked:
    """The typed tree. `steps`: what comparing types may take. Errors: CompileError."""
    checker = _Checker(parsed, environment, steps or types.Steps())
    checker.check(parsed.root)
    if checker.problems:
        raise CompileError.of(checker.problems)
    done = checker.checked
    made: dict[int, Type] = {}
    given = dict(done.types)  # kept: `made` knows them by their ids
    for number, t in given.items():
        done.types[number] = checker.free.to_dyn(t, made)
    problems = validators.problems_of(done.root, done.types, checker.shown, checker.free.steps)
    if problems:
        raise CompileError.of([Problem(parsed.positions[n], text) for n, text in problems])
    return done


class _Checker:
    def __init__(self, parsed: Parsed, environment: Environment, steps: types.Steps) -> None:
        self.checked = Checked(parsed.root)
        self.problems: list[Problem] = []
        self._positions = parsed.positions
        self._own = environment.own
        self.free = types.Substitutions(steps)
        self._fields = environment.fields
        self._without = environment.without
        self._built = environment.builds
        self._fresh = 0
        self._scopes: list[Mapping[str, Type]] = [environment.variables]

    # -- helpers ----------------------------------------------------------------------------

    def _wrong(self, number: int, problem: str) -> None:
        self.problems.append(Problem(self._positions[number], problem))

    def _undeclared(self, node: Node, name: str) -> None:
        self._wrong(node.id, f"undeclared reference to '{name}' (in container '')")
        self._set(node, types.ERROR)

    def _mismatch(self, node: Node, wanted: Type, found: Type) -> None:
        shown = f"expected type '{self.shown(wanted)}' but found '{self.shown(found)}'"
        self._wrong(node.id, shown)

    def shown(self, t: Type) -> str:
        """A type as problems show it."""
        return types.shown(t, *self._own)

    def _type(self, node: Node) -> Type:
        return self.checked.types[node.id]

    def _set(self, node: Node, t: Type) -> None:
        self.checked.types[node.id] = t

    def _new(self) -> Type:
        self._fresh += 1
        return types.param(f"_var{self._fresh}")

    def _lookup(self, name: str) -> Type | None:
        name = name.removeprefix(".")
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def _assignable(self, a: Type, b: Type) -> bool:
        return self.free.assign((a,), (b,))

    def _function(self, name: str) -> tuple[Overload, ...] | None:
        name = name.removeprefix(".")
        if name in self._without or (name in _OF_PATCHES and not self._built):
            return None
        return FUNCTIONS.get(name)

    # -- nodes ------------------------------------------------------------------------------

    def check(self, node: Node) -> None:
        match node:
            case Literal():
                self._set(node, _LITERALS[type(node.value)])
            case Ident():
                self._ident(node, node.name)
            case Select():
                self._select(node)
            case Call():
                self._call(node)
            case ListNode():
                self._list(node)
            case MapNode():
                self._map(node)
            case Fold():
                self._fold(node)
            case tree.Message():
                self._message(node)
            case _:
                raise AssertionError(node)

    def _ident(self, node: Node, name: str) -> None:
        found = self._lookup(name)
        if found is None:
            name = name.removeprefix(".")
            found = _TYPE_NAMES.get(name)
            if found is None:
                self._undeclared(node, name)
                return
            self.checked.type_names[node.id] = name
        self._set(node, found)

    def _select(self, node: Select) -> None:
        name = _qualified(node)
        if name is not None and (self._lookup(name) or _TYPE_NAMES.get(name.removeprefix("."))):
            self._ident(node, name)
            return
        result = self._field(node, node.operand, node.field, optional=False)
        self._set(node, types.BOOL if node.test_only else self.free.apply(result))

    def _field(self, node: Node, operand: Node, name: str, optional: bool) -> Type:
        self.check(operand)
        target, was_optional = types.unwrapped(self.free.apply(self._type(operand)))
        if target.kind == "map":
            result = target.params[1]
        elif target.kind == "struct":
            result = self._struct_field(target, name, node.id)
        elif target.kind == "param":
            self._assignable(types.DYN, target)
            result = types.DYN
        else:
            if not types.is_dyn(target) and target.kind != "error":
                what = f"type '{self.shown(target)}' does not support field selection"
                self._wrong(node.id, what)
            result = types.DYN
        return types.optional_of(result) if optional or was_optional else result

    def _struct_field(self, target: Type, name: str, number: int) -> Type:
        if target.name not in self._fields and self._builds(target.name):
            return types.DYN
        found = self._fields.get(target.name, {}).get(name)
        if found is None:
            self._wrong(number, f"undefined field '{name}'")
            return types.ERROR
        return found

    def _builds(self, name: str) -> bool:
        return name.partition(".")[0] in self._built and (name in self._built or "." in name)

    def _message(self, node: tree.Message) -> None:
        if not self._builds(node.name):
            self._undeclared(node, node.name)
            return
        made = Type("struct", node.name)
        for each in node.fields:
            found = self._element(each.value, each.optional)
            wanted = self._struct_field(made, each.name, each.id)
            if not self._assignable(wanted, found):
                what = (
                    f"expected type of field '{each.name}' is '{self.shown(wanted)}' but provided"
                )
                self._wrong(each.id, f"{what} type is '{self.shown(found)}'")
        self._set(node, made)

    def _call(self, node: Call) -> None:
        if node.function == "_?._":
            field_name = node.args[1]
            assert isinstance(field_name, Literal)
            result = self._field(node, node.args[0], str(field_name.value), optional=True)
            self._set(node, self.free.apply(result))
            self._set(field_name, types.STRING)
            self.checked.overloads[node.id] = ("select_optional_field",)
            return
        for arg in node.args:
            self.check(arg)
        if node.target is not None:
            prefix = _qualified(node.target)
            full = f"{prefix}.{node.function}".removeprefix(".")
            if prefix is not None and self._function(full) is not None:
                node.target, node.function = None, full
            else:
                self.check(node.target)
        node.function = node.function.removeprefix(".")
        overloads = self._function(node.function)
        if overloads is None:
            self._undeclared(node, node.function)
            return
        self._resolve(node, overloads)

    def _resolve(self, node: Call, overloads: tuple[Overload, ...]) -> None:
        args = ([node.target] if node.target is not None else []) + node.args
        seen = tuple(self._type(arg) for arg in args)
        if node.function in ("_&&_", "_||_"):
            wrong = [n for n, t in enumerate(seen) if not self._assignable(t, types.BOOL)]
            for at in wrong:
                self._mismatch(args[at], types.BOOL, seen[at])
            self._set(node, types.ERROR if wrong else types.BOOL)
            self.checked.overloads[node.id] = (overloads[0].id,)
            return
        result: Type | None = None
        matching: list[str] = []
        for overload in overloads:
            if overload.method != (node.target is not None):
                continue
            names = {name: self._new() for name in overload.free}
            fresh = types.Substitutions(self.free.steps, names)
            wanted = tuple(fresh.apply(t) for t in overload.args)
            if not self.free.assign(seen, wanted):
                continue
            matching.append(overload.id)
            made = self.free.apply(fresh.apply(overload.result))
            if result is None:
                result = made
            elif not types.is_dyn(result) and not types.equal(made, result, self.free.steps):
                result = types.DYN
        if result is None:
            self._no_overload(node, seen)
            result = types.ERROR
        self._set(node, result)
        self.checked.overloads[node.id] = tuple(matching)

    def _no_overload(self, node: Call, seen: tuple[Type, ...]) -> None:
        shown = [self.shown(self.free.to_dyn(t, {})) for t in seen]
        target = f"{shown.pop(0)}." if node.target is not None else ""
        applied = f"{target}({', '.join(shown)})"
        what = f"found no matching overload for '{node.function}' applied to '{applied}'"
        self._wrong(node.id, what)

    def _join(self, previous: Type | None, current: Type) -> Type:
        if previous is None:
            return current
        if not self._assignable(previous, current):
            return types.DYN  # refused below, unless `format` takes the literal
        return types.most_general(previous, current, self.free.steps)

    def _element(self, node: Node, optional: bool) -> Type:
        self.check(node)
        if not optional:
            return self._type(node)
        t, was = types.unwrapped(self._type(node))
        if not was and not types.is_dyn(t):
            self._mismatch(node, types.optional_of(t), t)
        return t

    def _list(self, node: ListNode) -> None:
        joined: Type | None = None
        for at, element in enumerate(node.elements):
            joined = self._join(joined, self._element(element, at in node.optional))
        self._set(node, types.list_of(joined or self._new()))

    def _map(self, node: MapNode) -> None:
        key: Type | None = None
        value: Type | None = None
        for entry in node.entries:
            key = self._join(key, self._element(entry.key, optional=False))
            value = self._join(value, self._element(entry.value, entry.optional))
        self._set(node, types.map_of(key or self._new(), value or self._new()))

    def _fold(self, node: Fold) -> None:
        self.check(node.range)
        self.check(node.initial)
        over = self.free.apply(self._type(node.range))
        accumulated = self._type(node.initial)
        self._scopes.append({node.accumulator: accumulated})
        self._scopes.append(self._variables(node, over))
        self.check(node.condition)
        self._must(node.condition, types.BOOL)
        self.check(node.step)
        self._must(node.step, accumulated)
        self._scopes.pop()
        self.check(node.result)
        self._scopes.pop()
        self._set(node, self.free.apply(self._type(node.result)))

    def _variables(self, node: Fold, over: Type) -> dict[str, Type]:
        if over.kind == "list":
            pair = (types.INT, over.params[0]) if node.variable2 else (over.params[0], types.DYN)
        elif over.kind == "map":
            pair = (over.params[0], over.params[1])
        elif over.kind in ("dyn", "error", "param"):
            self._assignable(types.DYN, over)
            pair = (types.DYN, types.DYN)
        else:
            what = (
                f"expression of type '{self.shown(over)}' cannot be range of a comprehension (must "
                "be list, map, or dynamic)"
            )
            self._wrong(node.range.id, what)
            pair = (types.ERROR, types.ERROR)
        scope = {node.variable: pair[0]}
        if node.variable2:
            scope[node.variable2] = pair[1]
        return scope

    def _must(self, node: Node, t: Type) -> None:
        if not self._assignable(t, self._type(node)):
            self._mismatch(node, t, self._type(node))


def _qualified(node: Node) -> str | None:
    """a.b.c as a name, when the node is nothing else."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test_only:
        prefix = _qualified(node.operand)
        return None if prefix is None else f"{prefix}.{node.field}"
    return None
