"""The most that evaluating an expression can cost, from the sizes that its variables may have.

Definitions are refused by these numbers, so each follows upstream to the unit, oddities included:
paths that share their memory where Go's slices do, and a variable of a literal list that is taken
for the root.

Source: google/cel-go checker/cost.go, v0.26; the functions: `estimate_calls.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mizzen.cel.checker import Checked
from mizzen.cel.cost import LIST_COST, MAP_COST, PER_CHARACTER, PER_REGEX_CHARACTER, STRUCT_COST
from mizzen.cel.estimate_calls import Argument, estimate_call
from mizzen.cel.estimate_sizes import UNKNOWN, Called, Size, capped, fixed, times
from mizzen.cel.macros import ACCUMULATOR
from mizzen.cel.tree import (
    Call,
    Fold,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Message,
    Node,
    Select,
)
from mizzen.cel.types import Type, is_optional
from mizzen.cel.values import Duration, Timestamp, UInt

# Of what stands at a path below a variable: fields, "@items", "@keys", "@values".
SizeOf = Callable[[Sequence[str]], Size | None]

_SCALARS = frozenset({"bool", "int", "uint", "double", "duration", "timestamp"})
_ADDED = frozenset({"add_string", "add_bytes", "add_list"})
_COMPARED = frozenset({"equals", "not_equals"}) | {
    f"{op}_{t}" for op in ("less", "less_equals", "greater", "greater_equals")
    for t in ("string", "bytes")
}  # fmt: skip


def cost_max(checked: Checked, size_of: SizeOf) -> int:
    """The most that it can cost; 2**64 - 1 also stands for whatever is above."""
    return _Estimator(checked, size_of).cost(checked.root)


class _Path:
    """A path as a slice of Go: what is appended to it may overwrite what was appended before."""

    __slots__ = ("_held", "length")

    def __init__(self, held: list[str], length: int) -> None:
        self._held, self.length = held, length

    def with_step(self, step: str) -> _Path:
        held, length = self._held, self.length
        if length == len(held):
            held = held[:length] + [""] * max(length, 1)
        held[length] = step
        return _Path(held, length + 1)

    def steps(self) -> list[str]:
        return self._held[: self.length]


_NOWHERE = _Path([], 0)


@dataclass(frozen=True, slots=True)
class _Entry:
    """Sizes of the keys (or indices) and the values of a literal."""

    kind: str
    key: Size
    value: Size


@dataclass(frozen=True, slots=True)
class _Local:
    path: _Path
    size: Size | None
    entry: _Entry | None = None


class _Estimator:
    def __init__(self, checked: Checked, size_of: SizeOf) -> None:
        self._checked, self._size_of = checked, size_of
        self._paths: dict[int, _Path] = {}
        self._sizes: dict[int, Size] = {}
        self._entries: dict[int, _Entry] = {}
        self._locals: dict[str, list[_Local]] = {}

    def cost(self, node: Node) -> int:
        match node:
            case Ident():
                local = self._local(node)
                self._paths[node.id] = local.path if local else _Path([node.name], 1)
                return 1
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListNode():
                return self._list(node)
            case MapNode():
                return self._map(node)
            case Message():
                return capped(STRUCT_COST + sum(self.cost(each.value) for each in node.fields))
            case Fold():
                return self._bound(node) if _is_bind(node) else self._fold(node)
            case _:
                return 0

    # -- nodes ------------------------------------------------------------------------------

    def _select(self, node: Select) -> int:
        cost = self.cost(node.operand)
        if node.test_only:
            return cost
        self._paths[node.id] = self._path(node.operand).with_step(node.field)
        has_fields = self._type(node.operand).kind in ("map", "struct", "param")
        return capped(cost + has_fields)

    def _list(self, node: ListNode) -> int:
        cost, item = LIST_COST, Size((2**64 - 1) if node.elements else 0, 0)
        for each in node.elements:
            cost += self.cost(each)
            item = item.union(self._size(each) or UNKNOWN)
        self._entries[node.id] = _Entry("list", fixed(1), item)
        return capped(cost)

    def _map(self, node: MapNode) -> int:
        nothing = Size((2**64 - 1) if node.entries else 0, 0)
        cost, key, value = MAP_COST, nothing, nothing
        for entry in node.entries:
            cost += self.cost(entry.key) + self.cost(entry.value)
            key = key.union(self._size(entry.key) or UNKNOWN)
            value = value.union(self._size(entry.value) or UNKNOWN)
        self._entries[node.id] = _Entry("map", key, value)
        return capped(cost)

    def _fold(self, node: Fold) -> int:
        cost = self.cost(node.range) + self.cost(node.initial)
        self._push_value(node.accumulator, node.initial)
        if node.variable2:
            self._push_element(node.variable, node.range, is_key=True)
            self._push_element(node.variable2, node.range, is_key=False)
        else:
            self._push_element(
                node.variable, node.range, is_key=self._container(node.range) != "list"
            )
        loop = self.cost(node.condition) + self.cost(node.step)
        self._locals[node.variable].pop()
        if node.variable2:
            self._locals[node.variable2].pop()
        cost += self.cost(node.result)
        self._locals[node.accumulator].pop()
        count = self._size(node.range) or UNKNOWN
        cost += times(count.most, capped(loop))
        if isinstance(node.initial, Literal):
            self._set_size(node, self._size(node.initial))
        elif isinstance(node.initial, ListNode | MapNode):
            self._set_size(node, count)
            self._set_entry(node, self._entry(node.step))
        return capped(cost)

    def _bound(self, node: Fold) -> int:
        cost = self.cost(node.range) + self.cost(node.initial)
        self._push_value(node.accumulator, node.initial)
        cost += self.cost(node.result)
        self._locals[node.accumulator].pop()
        self._set_size(node, self._size(node.result))
        self._set_entry(node, self._entry(node.result))
        return capped(cost)

    def _call(self, node: Call) -> int:
        if node.function == "dyn":
            cost = capped(1 + self.cost(node.args[0]))
            self._set_size(node, self._size(node.args[0]))
            self._set_entry(node, self._entry(node.args[0]))
            return cost
        costs: list[int] = []
        args: list[Argument] = []
        for arg in node.args:
            costs.append(self.cost(arg))
            args.append(self._argument(arg))
        cost, target = 0, None
        if node.target is not None:
            cost = self.cost(node.target)
            target = self._argument(node.target)
        most, result = 0, None
        for overload in self._checked.overloads.get(node.id, ()):
            called = self._one_call(node, overload, target, args, costs)
            most = max(most, called.cost)
            if called.result is not None:
                result = called.result if result is None else result.union(called.result)
            if overload in ("index_list", "index_map"):
                entry = self._entry(node.args[0])
                result = entry.value if entry else None
                step = "@items" if overload == "index_list" else "@values"
                self._paths[node.id] = self._path(node.args[0]).with_step(step)
            if result is None:
                result = self._size(node)
        self._set_size(node, result)
        return capped(cost + most)

    def _one_call(
        self, node: Call, overload: str, target: Argument | None, args: list[Argument],
        costs: list[int],
    ) -> Called:  # fmt: skip
        spent = capped(sum(costs))
        known = estimate_call(node.function, overload, target, args)
        if known is not None:
            return Called(capped(known.cost + spent), known.result)
        sizes = [each.size or UNKNOWN for each in args]
        own = target.size or UNKNOWN if target is not None else UNKNOWN
        count = len(args)
        if overload in ("logical_and", "logical_or"):
            return Called(spent)
        if overload == "conditional":
            self._set_entry(node, _joined(self._entry(node.args[1]), self._entry(node.args[2])))
            return Called(capped(costs[0] + max(costs[1:])), sizes[1].union(sizes[2]))
        if overload in _ADDED and count == 2:
            self._set_entry(node, _joined(self._entry(node.args[0]), self._entry(node.args[1])))
            both = sizes[0].plus(sizes[1])
            price = 1 if overload == "add_list" else both.priced(PER_CHARACTER)
            return Called(capped(price + spent), both)
        price, result = _standard(overload, own if target is not None else None, sizes)
        return Called(capped(price + spent), result)

    # -- sizes ------------------------------------------------------------------------------

    def _argument(self, node: Node) -> Argument:
        path = self._path(node).steps()
        if path and path[0] == ACCUMULATOR:
            path = []
        return Argument(node, self._type(node), self._size(node), tuple(path), self._size_of)

    def _type(self, node: Node) -> Type:
        return self._checked.types[node.id]

    def _local(self, node: Node) -> _Local | None:
        held = self._locals.get(node.name) if isinstance(node, Ident) else None
        return held[-1] if held else None

    def _path(self, node: Node) -> _Path:
        local = self._local(node)
        return local.path if local else self._paths.get(node.id, _NOWHERE)

    def _size(self, node: Node) -> Size | None:
        found = self._sizes.get(node.id) or _written_size(node)
        if found is not None:
            return found
        path = self._path(node).steps()
        found = self._size_of(path) if path else None
        if found is not None:
            self._sizes[node.id] = found
            return found
        if _is_scalar(self._type(node)):
            return fixed(1)
        local = self._local(node)
        return local.size if local else None

    def _set_size(self, node: Node, size: Size | None) -> None:
        if size is not None:
            self._sizes[node.id] = size

    def _entry(self, node: Node) -> _Entry | None:
        found = self._entries.get(node.id)
        local = self._local(node)
        return found or (local.entry if local else None)

    def _set_entry(self, node: Node, entry: _Entry | None) -> None:
        if entry is not None:
            self._entries[node.id] = entry

    def _push(self, name: str, local: _Local) -> None:
        self._locals.setdefault(name, []).append(local)

    def _push_value(self, name: str, node: Node) -> None:
        self._push(name, _Local(self._path(node), self._size(node), self._entry(node)))

    def _container(self, node: Node) -> str:
        entry = self._entry(node)
        return entry.kind if entry else self._type(node).kind

    def _push_element(self, name: str, over: Node, *, is_key: bool) -> None:
        entry, is_list = self._entry(over), self._container(over) == "list"
        if is_key:
            step, size = ("@indices" if is_list else "@keys"), entry.key if entry else None
        else:
            step, size = ("@items" if is_list else "@values"), entry.value if entry else None
        self._push(name, _Local(self._path(over).with_step(step), size))


def _standard(overload: str, target: Size | None, sizes: list[Size]) -> tuple[int, Size | None]:
    """The price of a call of the language itself, and the size of its result where it has one."""
    match overload, len(sizes):
        case "string_format", _ if target is not None:
            return target.priced(PER_CHARACTER), None
        case ("string_to_bytes", 1):
            each = sizes[0]
            return each.priced(PER_CHARACTER), Size(each.least, (each.most * 4) % 2**64)
        case ("bytes_to_string", 1):
            return sizes[0].priced(PER_CHARACTER), Size(sizes[0].least // 4, sizes[0].most)
        case ("strings_quote", 1):
            each = sizes[0]
            result = Size((each.least + 2) % 2**64, (each.most * 2 + 2) % 2**64)
            return each.priced(PER_CHARACTER), result
        case (("starts_with_string" | "ends_with_string"), 1):
            return sizes[0].priced(PER_CHARACTER), None
        case "in_list", 2:
            return sizes[1].priced(1), None
        case "matches_string", 1 if target is not None:
            text = target.plus(fixed(1)).priced(PER_CHARACTER)
            return times(text, sizes[0].priced(PER_REGEX_CHARACTER)), None
        case "contains_string", 1 if target is not None:
            return times(target.priced(PER_CHARACTER), sizes[0].priced(PER_CHARACTER)), None
        case _:
            if overload in _COMPARED:
                most = min(sizes[0].most, sizes[1].most)
                return Size(0, most).priced(PER_CHARACTER), None
            return 1, None


def _joined(one: _Entry | None, other: _Entry | None) -> _Entry | None:
    if one is None or other is None:
        return None
    return _Entry(one.kind, one.key.union(other.key), one.value.union(other.value))


def _is_bind(node: Fold) -> bool:
    return (
        isinstance(node.range, ListNode)
        and not node.range.elements
        and isinstance(node.condition, Literal)
        and node.condition.value is False
        and node.accumulator != ACCUMULATOR
    )


def _written_size(node: Node) -> Size | None:
    """Of literals."""
    match node:
        case Literal(value=str() | bytes() as value):
            return fixed(len(value))
        case Literal(value=bool() | int() | float() | UInt() | Duration() | Timestamp() | None):
            return fixed(1)
        case ListNode():
            return fixed(len(node.elements))
        case MapNode():
            return fixed(len(node.entries))
        case _:
            return None


def _is_scalar(t: Type) -> bool:
    return t.kind in _SCALARS or (is_optional(t) and _is_scalar(t.params[0]))
