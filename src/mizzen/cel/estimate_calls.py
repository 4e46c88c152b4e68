"""The most that calls of Kubernetes' and cel-go's libraries cost.

Source: k8s.io/apiserver/pkg/cel/library/cost.go, v0.36; google/cel-go ext/lists.go, ext/sets.go,
v0.26.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mizzen.cel.cost import LIST_COST, NOMINAL, PER_CHARACTER, PER_REGEX_CHARACTER, STRUCT_COST
from mizzen.cel.estimate_sizes import MOST, UNKNOWN, Called, Size, capped, fixed, priced, times
from mizzen.cel.tree import Literal, Node
from mizzen.cel.types import Steps, Type, equal

_CHECK_COST = 350_000  # of an authorization: an expression may ask for two
_PER_REQUIREMENT = LIST_COST + STRUCT_COST  # of a selector, each of two characters at least
_REGEX_LENGTH_MAX = 128  # of the patterns behind named formats
_FORMAT_NAME_MAX = 64
_ADDRESS = Size(4, 16)  # bytes of an IP
_SIMPLE = frozenset(
    ["net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver"]
    + [f"kubernetes.authorization.{name}" for name in (
        "Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision")]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Argument:
    """A target or an argument of a call. `path` is empty where it has none."""

    node: Node
    type: Type
    size: Size | None
    path: tuple[str, ...]
    size_of: Callable[[Sequence[str]], Size | None]

    def estimate(self) -> Size:
        if self.size is not None:
            return self.size
        return (self.size_of(self.path) if self.path else None) or UNKNOWN

    def elements(self) -> tuple[Type, Size] | None:
        """The type and size of a list's elements; None of what has no parts."""
        if not self.type.params:
            return None
        size = self.size_of((*self.path, "@items")) if self.path else None
        return self.type.params[0], size or UNKNOWN

    def as_int(self, otherwise: int) -> int:
        """The number that is written there, 0 for those below."""
        value = self.node.value if isinstance(self.node, Literal) else None
        return max(value, 0) if type(value) is int else otherwise


def estimate_call(
    function: str, overload: str, target: Argument | None, args: Sequence[Argument]
) -> Called | None:
    """The cost without that of its arguments; None where the language itself says it."""
    return _of_overload(overload, target, args) or _of_function(function, overload, target, args)


def _made(factor: float, size: Size) -> Called:
    """A call that makes a list of so many elements."""
    return Called(capped(size.priced(factor) + 1 + LIST_COST), size)


def _of_overload(overload: str, target: Argument | None, args: Sequence[Argument]) -> Called | None:
    match overload, len(args):
        case (
            ("list_sets_contains_list" | "list_sets_intersects_list" | "list_sets_equivalent_list"),
            2,
        ):
            factor = 2 if "equivalent" in overload else 1
            both = args[0].estimate().times(args[1].estimate())
            return Called(capped(both.priced(factor) + 1))
        case "lists_range", 1 if target is None:
            return _made(1, fixed(args[0].as_int(MOST)))
        case _ if target is None:
            return None
        case "list_slice", 2:
            end = args[1].as_int(target.estimate().most)
            return _made(1, fixed((end - args[0].as_int(0)) % 2**64))
        case "list_reverse", 0:
            return _made(1, target.estimate())
        case (("list_flatten" | "list_flatten_int"), (0 | 1)):
            return _made(float(args[0].as_int(MOST)) if args else 1.0, target.estimate())
        case "list_distinct", 0:
            return _made(2, target.estimate().times(target.estimate()))
        case _ if overload.endswith("_sort") and not args:
            return _sorted(overload, target.estimate())
        case _ if overload.endswith("_sortByAssociatedKeys") and len(args) == 1:
            return _sorted(overload, args[0].estimate())
        case _:
            return None


def _sorted(overload: str, size: Size) -> Called:
    is_text = overload.startswith(("list_string_", "list_bytes_"))
    return _made(2 + (PER_CHARACTER if is_text else 0), size.times(size))


def _of_function(
    function: str, overload: str, target: Argument | None, args: Sequence[Argument]
) -> Called | None:
    if function in NOMINAL or overload == "cidr_ip":
        return Called(1)
    if function == "check":
        return Called(_CHECK_COST)
    if function == "_==_" and len(args) == 2:
        return _compared(args[0], args[1])
    found = _of_target(function, target, args) if target is not None else None
    if found is not None or not args:
        return found
    size = args[0].estimate()
    match function:
        case "fieldSelector" | "labelSelector" if len(args) == 1:
            count = size.priced(0.5)
            return Called(
                capped(LIST_COST + size.priced(PER_CHARACTER) + priced(count, _PER_REQUIREMENT))
            )
        case "url" | "jsonpatch.escapeKey" if len(args) == 1:
            return Called(size.priced(PER_CHARACTER), size)
        case "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver":
            return Called(size.priced(PER_CHARACTER))
        case "ip.isCanonical":
            return Called(size.priced(2 * PER_CHARACTER))
        case "containsIP":
            cost = _ADDRESS.plus(_ADDRESS).priced(PER_CHARACTER)
            text = size.priced(PER_CHARACTER) if overload == "cidr_contains_ip_string" else 0
            return Called(capped(cost + text))
        case "containsCIDR":
            cost = _ADDRESS.plus(_ADDRESS).priced(PER_CHARACTER)
            cost += _ADDRESS.priced(PER_CHARACTER) + 1
            text = size.priced(PER_CHARACTER) if overload == "cidr_contains_cidr_string" else 0
            return Called(capped(cost + text))
        case "validate":
            pattern = _REGEX_LENGTH_MAX * PER_REGEX_CHARACTER
            return Called(priced(size.priced(PER_CHARACTER), pattern))
        case _:
            return None


def _of_target(function: str, target: Argument, args: Sequence[Argument]) -> Called | None:
    match function:
        case "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf":
            return _walked(target)
        case "lowerAscii" | "upperAscii" | "substring" | "trim":
            size = target.estimate()
            return Called(size.priced(PER_CHARACTER), size)
        case "replace" if len(args) >= 2:
            size = target.estimate()
            result = _replaced(size, args[0].estimate(), args[1].estimate())
            return Called(size.priced(2 * PER_CHARACTER), result)
        case "split":
            size = target.estimate()
            limit = args[1].node if len(args) > 1 else None
            value = limit.value if isinstance(limit, Literal) else None
            most = value % 2**64 if type(value) is int else size.most  # as Go converts it
            return Called(size.priced(2 * PER_CHARACTER), Size(0, most))
        case "join":
            size = _joined(target, args)
            return Called(size.priced(PER_CHARACTER), size)
        case "find" | "findAll" if args:
            size = target.estimate()
            text = size.plus(fixed(1)).priced(PER_CHARACTER)
            cost = times(text, args[0].estimate().priced(PER_REGEX_CHARACTER))
            return Called(cost, Size(0, size.most))
        case _:
            return None


def _walked(target: Argument) -> Called:
    elements = target.elements()
    if elements is None:  # a text
        return Called(target.estimate().priced(PER_CHARACTER))
    kind, size = elements
    each = 1 + (size.priced(PER_CHARACTER) if kind.kind in ("string", "bytes") else 0)
    return Called(times(target.estimate().most, capped(each)))


def _joined(target: Argument, args: Sequence[Argument]) -> Size:
    count, elements = target.estimate(), target.elements()
    size = count.times(elements[1]) if elements else Size(0, 0)
    if not args:
        return size
    between = Size(max(count.least - 1, 0), max(count.most - 1, 0))
    return size.plus(args[0].estimate().times(between))


def _replaced(size: Size, old: Size, new: Size) -> Size:
    """The longest results are of the shortest texts replaced, the shortest of the longest."""
    most = least = kept_most = kept_least = 0
    if old.least == 0:
        most, kept_most = capped(size.most + 1), size.most
    elif new.most <= old.least:
        kept_most = size.most
    else:
        most = math.ceil(float(size.most) / float(old.least))
    if old.most == 0:
        least, kept_least = capped(size.least + 1), size.least
    elif old.most <= new.least:
        kept_least = size.least
    else:
        least = math.ceil(float(size.least) / float(old.most))
    return Size(least, capped(most)).times(new).plus(Size(kept_least, kept_most))


def _compared(one: Argument, other: Argument) -> Called | None:
    if not equal(one.type, other.type, Steps()):
        return None
    match one.type.name:
        case name if name in _SIMPLE:
            return Called(1)
        case "kubernetes.NamedFormat":
            return Called(priced(_FORMAT_NAME_MAX, PER_CHARACTER))
        case "kubernetes.URL":
            return Called(priced((other.size or fixed(1)).most, PER_CHARACTER))
        case _:
            return None
