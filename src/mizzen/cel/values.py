"""Runtime values of CEL, their equality and their order.

bool, int, str, bytes, float, None and list stand for themselves; the rest is below. Errors are
values (`Err`), because `||`, `&&` and the folds of the macros absorb them.
Source: google/cel-go common/types, v0.26; k8s.io/apiserver/pkg/cel, v0.36.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from math import isnan
from typing import Any, SupportsIndex, TypeGuard, TypeVar, overload

_V = TypeVar("_V")
INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
EXPONENT_MAX = 10_000  # of a quantity; beyond, all are the same


@dataclass(frozen=True, slots=True)
class Err:
    """A failed evaluation."""

    reason: str


@dataclass(frozen=True, slots=True)
class UInt:
    value: int


@dataclass(frozen=True, slots=True)
class Timestamp:
    ns: int  # nanoseconds since 1970 in UTC
    offset_s: int = field(default=0, compare=False)  # how it was written


@dataclass(frozen=True, slots=True)
class Duration:
    ns: int


@dataclass(frozen=True, slots=True)
class TypeValue:
    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    """`optional.of(value)`; `NOTHING` is `optional.none()`."""

    value: object
    present: bool = True


NOTHING = Optional(None, present=False)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`unscaled` times ten to the `exponent`, as upstream happens to hold it.

    `big` is its arbitrary-precision form, which never counts as an integer. `plain` is False for
    sums and differences: upstream hands those out by reference, and its equality then finds no
    overload; selectors compare with `compareTo` instead.
    """

    unscaled: int
    exponent: int
    big: bool = False
    plain: bool = True

    @property
    def value(self) -> Fraction:
        return self.unscaled * Fraction(10) ** max(-EXPONENT_MAX, min(self.exponent, EXPONENT_MAX))


@dataclass(frozen=True, slots=True)
class Semver:
    major: int
    minor: int
    patch: int
    pre: tuple[tuple[int, int, str], ...]  # comparable: see kubernetes.py


@dataclass(frozen=True, slots=True)
class IP:
    address: IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class CIDR:
    network: IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class URL:
    text: str
    scheme: str
    host: str
    path: str
    query: str


@dataclass(frozen=True, slots=True)
class Format:
    name: str


class Growing(list[object]):
    """The list that a fold builds: `+` extends it in place; it is not shared meanwhile."""


_UNMADE = object()


class JsonList(list[object]):
    """A JSON list; each element becomes a value when it is asked for, by `make`."""

    __slots__ = ("_made", "_make")

    def __init__(self, raw: Iterable[object], make: Callable[[Any], object]) -> None:
        super().__init__(raw)
        self._make = make
        self._made = [_UNMADE] * len(self)

    def raw(self) -> list[object]:
        """The elements as they were given."""
        return list[object].copy(self)

    @overload
    def __getitem__(self, at: SupportsIndex, /) -> object: ...
    @overload
    def __getitem__(self, at: slice, /) -> list[object]: ...
    def __getitem__(self, at: SupportsIndex | slice, /) -> object:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        value = self._made[at]
        if value is _UNMADE:
            value = self._made[at] = self._make(super().__getitem__(at))
        return value

    def __iter__(self) -> Iterator[object]:
        return (self[at] for at in range(len(self)))


Mark = tuple[Hashable, ...]


class Keyed(JsonList):
    """A list in which the order of elements says nothing: each is found by its mark.

    Source: k8s.io/apiserver/pkg/cel/common/valuesunstructured.go, v0.36 (lists of type set, map).
    """

    __slots__ = ("mark",)

    def __init__(
        self,
        raw: Iterable[object],
        make: Callable[[Any], object],
        mark: Callable[[object], Mark],
    ) -> None:
        super().__init__(raw, make)
        self.mark = mark

    def by_mark(self) -> dict[Mark, object]:
        return {self.mark(each): each for each in self}

    def equals(self, other: list[object]) -> bool:
        if len(self) != len(other):
            return False
        mine = self.by_mark()
        for each in other:
            mark = self.mark(each)
            if mark not in mine or equal(mine[mark], each) is False:
                return False
        return True

    def merged(self, other: list[object]) -> Keyed:
        """With what the other has: in the place of what has the same mark, or behind all."""
        made = self.by_mark()
        made.update((self.mark(each), each) for each in other)
        return Keyed(made.values(), lambda value: value, self.mark)


class Map:
    """A CEL map: 1, 1u, 1.0 and true are different keys."""

    __slots__ = ("_entries", "growing", "native", "otherwise")

    def __init_subclass__(cls, type_name: str = "map") -> None:
        _NAMES[cls] = type_name

    def __init__(
        self,
        entries: Iterable[tuple[object, object]] = (),
        otherwise: object = None,
        native: bool = False,
    ) -> None:
        self._entries = {_tagged(key): (key, value) for key, value in entries}
        self.growing = False  # built by a fold: `inserted` may change it in place
        self.otherwise = otherwise  # what a look-up of an unknown key gives
        self.native = native  # keys are strings, and only strings find one

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[object]:
        return iter([key for key, _ in self._entries.values()])

    def items(self) -> list[tuple[object, object]]:
        return list(self._entries.values())

    def first(self) -> tuple[object, object]:
        """One of the entries; there must be some."""
        return next(iter(self._entries.values()))

    def contains(self, key: object) -> bool:
        return self._find(key) is not None

    def find(self, key: object) -> tuple[object, object] | None:
        """(key, value), or None. Lossless numbers find each other; doubles are no keys."""
        found = self._find(key)
        if found is None and self.otherwise is not None:
            return key, self.otherwise
        return found

    def _find(self, key: object) -> tuple[object, object] | None:
        found = self._entries.get(_tagged(key))
        if found is not None or self.native:
            return found
        if isinstance(key, float):
            if not _is_whole(key):
                return None
            number = int(key)
            return self._entries.get(("int", number)) or self._entries.get(("uint", number))
        if type(key) is int and key >= 0:
            return self._entries.get(("uint", key))
        if isinstance(key, UInt) and key.value <= INT_MAX:
            return self._entries.get(("int", key.value))
        return None

    def inserted(self, key: object, value: object) -> Map:
        """The map with one entry more."""
        if not self.growing:
            return Map([*self.items(), (key, value)])
        self._entries[_tagged(key)] = (key, value)
        return self


def _is_whole(value: float) -> bool:
    return value == value and abs(value) < 2.0**65 and value == int(value)


def _tagged(key: object) -> tuple[str, object]:
    if isinstance(key, UInt):
        return ("uint", key.value)
    name = type_name(key)
    return (name, key) if is_hashable(key) else (name, id(key))


def is_hashable(value: object) -> bool:
    """True if upstream can use the value as a key of a set; asking with another one panics."""
    return not isinstance(value, (bytes, Semver, list, Map, Err))


_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    Growing: "list",
    JsonList: "list",
    Keyed: "list",
    type(None): "null_type",
    UInt: "uint",
    Map: "map",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    TypeValue: "type",
    Optional: "optional_type",
    Quantity: "kubernetes.Quantity",
    Semver: "kubernetes.Semver",
    IP: "net.IP",
    CIDR: "net.CIDR",
    URL: "kubernetes.URL",
    Format: "kubernetes.NamedFormat",
    Err: "error",
}


class Built(Map):
    """An object that an expression makes, of the type that it names."""

    __slots__ = ("type",)

    def __init__(self, of: str, fields: dict[str, object]) -> None:
        super().__init__(fields.items(), native=True)
        self.type = of


def type_name(value: object) -> str:
    """The runtime name of a value's type."""
    return value.type if isinstance(value, Built) else _NAMES[type(value)]


def named(type_name: str) -> Callable[[type[_V]], type[_V]]:
    """Decorates a class of values with the name of its type."""

    def name(cls: type[_V]) -> type[_V]:
        _NAMES[cls] = type_name
        return cls

    return name


def is_list(value: object) -> TypeGuard[list[object]]:
    """As isinstance, but type checkers know what is inside."""
    return isinstance(value, list)


def no_overload(*values: object) -> Err:
    for value in values:
        if isinstance(value, Err):
            return value
    return Err("no such overload")


# -- equality -----------------------------------------------------------------------------------

_STRICT = (Quantity, Semver, IP, CIDR, URL, Format)  # comparing them with others is an error


def equal(left: object, right: object) -> bool | Err:
    """CEL `==`."""
    if left is None or right is None:
        return left is None and right is None
    return equals(left, right)


def equals(left: object, right: object) -> bool | Err:
    """Equality as the left value's type defines it."""
    if isinstance(left, (bool, str, bytes, Duration, Timestamp, TypeValue)):
        return type(left) is type(right) and left == right
    if isinstance(left, (int, float, UInt)):
        if type(right) not in (int, float, UInt) or _nan(left) or _nan(right):
            return False
        return compare(left, right) == 0
    if is_list(left):
        return is_list(right) and _lists_equal(left, right)
    if isinstance(left, Map):
        return isinstance(right, Map) and _maps_equal(left, right)
    if isinstance(left, Optional):
        if not isinstance(right, Optional) or left.present != right.present:
            return False
        return equals(left.value, right.value) if left.present else True
    if left is None:
        return right is None
    if isinstance(left, _STRICT):
        if type(left) is not type(right) or (isinstance(right, Quantity) and not right.plain):
            return no_overload(right)
        if isinstance(left, Quantity):
            return left.value == right.value  # type: ignore[attr-defined]
        return left == right
    return no_overload(left, right)


def _lists_equal(left: list[object], right: list[object]) -> bool:
    """Elements without an equality do not make lists differ, as upstream has it."""
    if isinstance(left, Keyed):
        return left.equals(right)
    if len(left) != len(right):
        return False
    return all(equal(a, b) is not False for a, b in zip(left, right, strict=True))


def _maps_equal(left: Map, right: Map) -> bool:
    if len(left) != len(right):
        return False
    entries = left.items()
    if len(entries) != len(left) and len(entries) != len(right.items()):
        return False  # fields that are null are counted, and are not there
    for key, value in entries:
        found = right.find(key)
        if found is None or equal(value, found[1]) is False:
            return False
    return True


def contains(values: list[object], value: object) -> bool:
    """CEL `value in values`."""
    return any(equals(value, each) is True for each in values)


# -- order --------------------------------------------------------------------------------------


def _nan(value: object) -> bool:
    return isinstance(value, float) and isnan(value)


def _number(value: object) -> int | float | None:
    if isinstance(value, UInt):
        return value.value
    if type(value) in (int, float):
        return value  # type: ignore[return-value]
    return None


def compare(left: object, right: object) -> int | Err:
    """-1, 0 or 1; numbers of all types compare with each other, the rest with its own type."""
    a, b = _number(left), _number(right)
    if a is not None and b is not None:
        if _nan(a) or _nan(b):
            return Err("NaN values cannot be ordered")
        if isinstance(a, float) or isinstance(b, float):
            a, b = _doubles(a, b)
        return (a > b) - (a < b)
    if type(left) is not type(right):
        return no_overload(left, right)
    match left, right:
        case (bool(), bool()) | (bytes(), bytes()):
            return (left > right) - (left < right)  # type: ignore[operator]
        case str(), str():
            x, y = left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass")
            return (x > y) - (x < y)
        case (Timestamp(), Timestamp()) | (Duration(), Duration()):
            return (left.ns > right.ns) - (left.ns < right.ns)
        case _:
            return no_overload(left, right)


def _doubles(a: int | float, b: int | float) -> tuple[int | float, int | float]:
    """An int beside a double is rounded to a double, but only within the int's own range."""
    if isinstance(a, float) and isinstance(b, int):
        if a < INT_MIN or a > UINT_MAX:
            return a, b
        return a, float(b)
    if isinstance(b, float) and isinstance(a, int):
        y, x = _doubles(b, a)
        return x, y
    return a, b


def is_ordered(value: object) -> bool:
    return type(value) in (bool, int, float, UInt, str, bytes, Timestamp, Duration)
