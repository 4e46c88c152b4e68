"""The attributes and capacities that an expression reads.

An answer holds for all devices that agree in these, so it need not be computed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mizzen.cel.tree import Call, Fold, Ident, Literal, Node, Select, children

_Domain = tuple[str, str]  # "attributes" or "capacity", and the domain


@dataclass(frozen=True, slots=True)
class Reads:
    """Qualified names."""

    attributes: frozenset[str] = frozenset()
    capacity: frozenset[str] = frozenset()


class _All(Exception):
    """The expression may look at everything."""


@dataclass(slots=True)
class _Found:
    attributes: set[str] = field(default_factory=set[str])
    capacity: set[str] = field(default_factory=set[str])


def of(root: Node) -> Reads | None:
    """The names that it reads; None if it may read others."""
    found = _Found()
    try:
        _visit(root, {}, found)
    except _All:
        return None
    return Reads(frozenset(found.attributes), frozenset(found.capacity))


def _visit(node: Node, bound: dict[str, _Domain], found: _Found) -> None:
    operand, name = _selected(node)
    if operand is not None:
        domain = _domain(operand, bound)
        if domain is not None and name is not None:
            names = found.attributes if domain[0] == "attributes" else found.capacity
            names.add(f"{domain[1]}/{name}")
            return
        if _is_device(operand) and name in ("driver", "allowMultipleAllocations"):
            return
    if isinstance(node, Ident) and (node.name.removeprefix(".") in bound or _is_device(node)):
        raise _All
    if isinstance(node, Fold):
        _visit_fold(node, bound, found)
        return
    for child in children(node):
        _visit(child, bound, found)


def _visit_fold(node: Fold, bound: dict[str, _Domain], found: _Found) -> None:
    taken = {node.variable, node.variable2, node.accumulator}
    if "device" in taken:
        raise _All
    inner = {name: domain for name, domain in bound.items() if name not in taken}
    _visit(node.range, bound, found)
    domain = _domain(node.initial, bound)
    if domain is not None and node.variable == "#unused":  # cel.bind
        inner[node.accumulator] = domain
        _visit(node.result, inner, found)
        return
    _visit(node.initial, bound, found)
    for part in (node.condition, node.step, node.result):
        _visit(part, inner, found)


def _is_device(node: Node) -> bool:
    return isinstance(node, Ident) and node.name.removeprefix(".") == "device"


def _selected(node: Node) -> tuple[Node | None, str | None]:
    """(operand, name) of `operand.name`, `operand["name"]` and their optional forms."""
    if isinstance(node, Select):
        return node.operand, node.field
    if isinstance(node, Call) and node.function in ("_[_]", "_[?_]", "_?._"):
        index = node.args[1]
        text = index.value if isinstance(index, Literal) else None
        return node.args[0], text if isinstance(text, str) else None
    return None, None


def _domain(node: Node, bound: dict[str, _Domain]) -> _Domain | None:
    """The domain whose map the node is."""
    if isinstance(node, Ident):
        return bound.get(node.name.removeprefix("."))
    operand, domain = _selected(node)
    if operand is None or domain is None:
        return None
    outer, kind = _selected(operand)
    if outer is None or kind not in ("attributes", "capacity") or not _is_device(outer):
        return None
    return kind, domain
