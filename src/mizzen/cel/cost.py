"""The cost of each step of an evaluation, in upstream's units, and the limit.

Values stand on a stack under the number of the step that made them; a call takes its arguments
from there, and is free when they are not all there. Kept exactly so, because the sum decides.
Source: google/cel-go interpreter/runtimecost.go, v0.26; k8s.io/apiserver/pkg/cel/library/cost.go,
v0.36; ext/lists.go and ext/sets.go for the overloads they price themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from mizzen.cel import values
from mizzen.cel.values import CIDR, IP, Format, Map, Optional

LIMIT = 1_000_000  # resource.k8s.io/v1 CELSelectorExpressionMaxCost
LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40  # making one
CHECK_COST = 1000  # of an authorization; upstream's 350,000 lets an expression ask for two
BUILT_BYTES_MAX = 64 << 20  # that one evaluation builds or looks through, in all; see `bounds`
STEP_BYTES = 16  # what a step that is free of charge counts as
PER_CHARACTER, PER_REGEX_CHARACTER = 0.1, 0.25


Price = Callable[[list[object], object], int]  # of the arguments and the result


class CostExceeded(Exception):
    """The evaluation cost more than the limit; nothing absorbs this."""


class Run:
    """The bill of one evaluation."""

    __slots__ = ("_places", "_stack", "built", "built_max", "cost", "limit")

    def __init__(self, limit: int = LIMIT, built_max: int = BUILT_BYTES_MAX) -> None:
        self.cost = 0
        self.limit = limit
        self.built = 0  # bytes
        self.built_max = built_max
        self._stack: list[tuple[int, object]] = []
        self._places: dict[int, list[int]] = {}  # step -> where its values stand, lowest first

    def pay(self, cost: int) -> None:
        """Before a call is made. Errors: CostExceeded."""
        self.cost += cost
        if self.cost > self.limit:
            raise CostExceeded(f"actual cost limit {self.limit} exceeded")

    def spend(self, built: int) -> None:
        """Before so many bytes are built or looked through. Errors: CostExceeded."""
        self.built += built
        if self.built > self.built_max:
            raise CostExceeded(
                f"its values take more than the {self.built_max / (1 << 20):.3g} MiB that one "
                "evaluation may build; make smaller ones"
            )

    def add(self, number: int, value: object, cost: int) -> None:
        """One step done. Errors: CostExceeded."""
        self.cost += cost
        if not cost:
            self.spend(STEP_BYTES)
        places = self._places.get(number)
        if places is None:
            places = self._places[number] = []
        places.append(len(self._stack))
        self._stack.append((number, value))
        if self.cost > self.limit:
            raise CostExceeded(f"actual cost limit {self.limit} exceeded")

    def drop(self, *numbers: int) -> None:
        """Takes each step's last value off, with all above it."""
        for number in numbers:
            places = self._places.get(number)
            if places:
                self._cut(places[-1])

    def take(self, numbers: list[int]) -> list[object] | None:
        """The values of the steps, last one highest; None when one is missing."""
        found: list[object] = []
        for number in reversed(numbers):
            places = self._places.get(number)
            if not places:
                return None
            at = places[-1]
            found.append(self._stack[at][1])
            self._cut(at)
        return found[::-1]

    def _cut(self, at: int) -> None:
        stack = self._stack
        while len(stack) > at:
            self._places[stack.pop()[0]].pop()


AFTERWARDS = frozenset({"join", "slice", "lists.range", "reverse"})  # priced by their result


def of_call(function: str, overload: str, args: list[object], result: object) -> int:
    """The price of a call; `overload` is "" when types left several."""
    own = _OVERLOADS.get(overload)
    if own is not None:
        return own(args, result)
    known = _of_kubernetes(function, overload, args, result)
    return known if known is not None else _of_standard(overload, args)


def size(value: object, through: bool = False) -> int:
    """Characters, bytes, elements; 1 for what has no size. `through` looks into optionals."""
    if values.is_list(value) or isinstance(value, (str, bytes, Map)):
        return len(value)
    if isinstance(value, IP):
        return value.address.max_prefixlen // 8
    if isinstance(value, CIDR):
        return ceil(value.network.network.prefixlen / 8)
    if through and isinstance(value, Optional) and value.present:
        return size(value.value, through)
    return 1


def _characters(length: float, times: int = 1) -> int:
    return ceil(length * times * PER_CHARACTER)


def _regex(text: int, pattern: int) -> int:
    return ceil((1.0 + text) * PER_CHARACTER) * ceil(pattern * PER_REGEX_CHARACTER)


def _traversal(value: object) -> int:
    if isinstance(value, (str, bytes)):
        octets = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return int(len(octets) * PER_CHARACTER)
    if values.is_list(value):
        return sum(map(_traversal, value))
    if isinstance(value, Map):
        return sum(_traversal(key) + _traversal(each) for key, each in value.items())
    return 1


# Sizes of the patterns behind the named formats, as upstream estimates them.
FORMAT_SIZES: dict[str, int] = {}

NOMINAL = frozenset(
    [
        "masked",
        "prefixLength",
        "family",
        "isUnspecified",
        "isLoopback",
        "isLinkLocalMulticast",
        "isLinkLocalUnicast",
        "isGlobalUnicast",
        "format.named",
        "sign",
        "asInteger",
        "isInteger",
        "asApproximateFloat",
        "isGreaterThan",
        "isLessThan",
        "compareTo",
        "add",
        "sub",
        "major",
        "minor",
        "patch",
        "getScheme",
        "getHostname",
        "getHost",
        "getPort",
        "getEscapedPath",
        "getQuery",
        "serviceAccount",
        "path",
        "group",
        "resource",
        "subresource",
        "namespace",
        "name",
        "allowed",
        "reason",
        "error",
        "errored",
    ]
)
_TRAVERSED = frozenset({"isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"})
_PARSED = frozenset(
    [
        "url",
        "lowerAscii",
        "upperAscii",
        "jsonpatch.escapeKey",
        "substring",
        "trim",
        "cidr",
        "isIP",
        "isCIDR",
        "quantity",
        "isQuantity",
        "semver",
        "isSemver",
    ]
)


def _of_kubernetes(function: str, overload: str, args: list[object], result: object) -> int | None:
    if function in NOMINAL:
        return 1
    if function in _TRAVERSED:
        return _traversal(args[0])
    if function in _PARSED:
        return _characters(size(args[0]))
    match function:
        case "check":
            return CHECK_COST
        case "fieldSelector" | "labelSelector":
            return LIST_COST + _characters(size(args[1]))
        case "replace" | "split" | "ip.isCanonical":
            return _characters(size(args[0]), 2)
        case "join":
            return _characters(size(result), 2)
        case "find" | "findAll":
            return _regex(size(args[0]), size(args[1]))
        case "ip":
            return 1 if overload == "cidr_ip" else _characters(size(args[0]))
        case "containsIP":
            text = overload == "cidr_contains_ip_string"
            return _characters(2 * size(args[0])) + (_characters(size(args[1])) if text else 0)
        case "containsCIDR":
            text = overload == "cidr_contains_cidr_string"
            own = _characters(2 * size(args[0])) + _characters(size(args[0])) + 1
            return own + (_characters(size(args[1])) if text else 0)
        case "validate" if isinstance(args[0], Format):
            return _regex(size(args[1]), FORMAT_SIZES[args[0].name])
        case "_==_" if isinstance(
            args[0], (values.Quantity, IP, CIDR, Format, values.URL, values.Semver)
        ):
            return 1
        case _:
            return None


_COMPARED = frozenset(
    ["equals", "not_equals"]
    + [
        f"{op}_{t}"
        for op in ("less", "less_equals", "greater", "greater_equals")
        for t in ("string", "bytes")
    ]
)
_READ_ONCE = frozenset(
    [
        "starts_with_string",
        "ends_with_string",
        "string_to_bytes",
        "bytes_to_string",
        "strings_quote",
        "string_format",
    ]
)


def _of_standard(overload: str, args: list[object]) -> int:
    if overload in _READ_ONCE:
        return _characters(size(args[0], through=True))
    if overload in _COMPARED:
        return _characters(min(size(args[0], through=True), size(args[1], through=True)))
    match overload:
        case "in_list":
            return size(args[1], through=True)
        case "add_string" | "add_bytes":
            return _characters(size(args[0], through=True) + size(args[1], through=True))
        case "matches_string":
            return _regex(size(args[0], through=True), size(args[1], through=True))
        case "contains_string":
            return _characters(size(args[0], through=True)) * _characters(
                size(args[1], through=True)
            )
        case _:
            return 1


def _made(factor: float, elements: int) -> int:
    """A call that makes a list."""
    return int(elements * factor) + 1 + LIST_COST


def _made_result(args: list[object], result: object) -> int:
    return _made(1, size(result))


def _flattened(args: list[object], result: object) -> int:
    depth = args[1] if len(args) == 2 else 1
    if not isinstance(depth, int):
        raise CostExceeded("a depth without a number")  # upstream panics here
    return _made(depth, size(args[0]))


def _compared_with_itself(elements: object) -> int:
    if not values.is_list(elements):
        raise CostExceeded("no list to compare")  # upstream panics here
    count = len(elements)
    text = count > 0 and isinstance(elements[0], (str, bytes))
    return _made(2.0 + (PER_CHARACTER if text else 0), count * count)


def _sets(factor: int) -> Price:
    return lambda args, result: 1 + size(args[0]) * size(args[1]) * factor


def _sorting(keys: int) -> Price:
    return lambda args, result: _compared_with_itself(args[keys])


_SORTED_TYPES = [
    "int",
    "uint",
    "double",
    "bool",
    "google.protobuf.Duration",
    "google.protobuf.Timestamp",
    "string",
    "bytes",
]
_OVERLOADS: dict[str, Price] = {
    "list_slice": _made_result,
    "lists_range": _made_result,
    "list_reverse": _made_result,
    "list_flatten": _flattened,
    "list_flatten_int": _flattened,
    "list_distinct": _sorting(0),
    "list_sets_contains_list": _sets(1),
    "list_sets_intersects_list": _sets(1),
    "list_sets_equivalent_list": _sets(2),
    **{f"list_{t}_sort": _sorting(0) for t in _SORTED_TYPES},
    **{f"list_{t}_sortByAssociatedKeys": _sorting(1) for t in _SORTED_TYPES},
}
