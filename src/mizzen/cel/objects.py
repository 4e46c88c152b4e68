"""JSON objects and lists as values of expressions: each part becomes a value when it is asked for.

Source: k8s.io/apiserver/pkg/cel/common/valuesunstructured.go and pkg/cel/escaping.go, v0.36.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import orjson

from mizzen.cel.lexer import RESERVED
from mizzen.cel.values import Built, JsonList, Keyed, Map, Mark, UInt, type_name

Adapt = Callable[[Any], object]  # a JSON value as a value of expressions, or an Err

_NAME = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*")
_ESCAPED = re.compile(r"__|[-./]")
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def escape(name: str) -> str | None:
    """The identifier by which expressions select a field; None where there is none."""
    if name in RESERVED:
        return f"__{name}__"
    if not _NAME.fullmatch(name):
        return None
    return _ESCAPED.sub(lambda match: _ESCAPES[match.group()], name)


class JsonMap(Map):
    """A JSON object. Its keys are strings; `make` makes the value of each."""

    __slots__ = ("_made", "_make", "raw")

    def __init__(self, raw: Mapping[str, Any], make: Callable[[str, Any], object]) -> None:
        self.raw = raw
        self.growing = False
        self.otherwise = None
        self.native = True
        self._make = make
        self._made: dict[str, object] = {}

    def __len__(self) -> int:
        return len(self.raw)

    def __iter__(self) -> Iterator[object]:
        return iter([key for key, _ in self.items()])

    def items(self) -> list[tuple[object, object]]:
        return [(key, self.part(key)) for key in self.raw]

    def first(self) -> tuple[object, object]:
        key = next(iter(self.raw))
        return key, self.part(key)

    def _find(self, key: object) -> tuple[object, object] | None:
        if type(key) is not str or key not in self.raw:
            return None
        return key, self.part(key)

    def part(self, key: str) -> object:
        """The value of a key that is there; of a field by its real name."""
        try:
            return self._made[key]
        except KeyError:
            value = self._made[key] = self._make(key, self.raw[key])
            return value


class Record(JsonMap):
    """A JSON object with named fields, which expressions select by their escaped names. A field
    that is null is not there. `names`: those that are escaped as something else, and as what."""

    __slots__ = ("_names",)

    def __init__(
        self,
        raw: Mapping[str, Any],
        make: Callable[[str, Any], object],
        names: Mapping[str, str],
    ) -> None:
        super().__init__(raw, make)
        self._names = names

    def items(self) -> list[tuple[object, object]]:
        shown = {real: escaped for escaped, real in self._names.items()}
        return [
            (shown.get(key, key), self.part(key))
            for key, value in self.raw.items()
            if value is not None
        ]

    def _find(self, key: object) -> tuple[object, object] | None:
        if type(key) is not str:
            return None
        real = self._names.get(key, key)
        return None if self.raw.get(real) is None else (key, self.part(real))


def to_json(value: object) -> Any:
    """The JSON of a value that an expression made. Errors: ValueError where it has none."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, JsonMap):
        return value.raw
    if isinstance(value, Map):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("map key is not a string")
        return {str(key): to_json(part) for key, part in value.items()}
    if isinstance(value, JsonList):
        return value.raw()
    if isinstance(value, list):
        return [to_json(part) for part in cast("list[object]", value)]
    if isinstance(value, UInt):
        return value.value
    raise ValueError(f"a {type_name(value)} cannot be written as JSON")


def misnamed(value: object, path: tuple[str, ...]) -> list[str]:
    """Objects whose types do not name the place where they are, as errors.

    Source: k8s.io/apiserver/pkg/cel/mutation/dynamic/objects.go, v0.36.
    """
    found: list[str] = []
    if isinstance(value, Built):
        expected = ".".join(path)
        if value.type != expected:
            found.append(
                f'unexpected type name "{value.type}", expected "{expected}", which matches field '
                "name path from root Object type"
            )
        for key, part in value.items():
            found += misnamed(part, (*path, str(key)))
    elif isinstance(value, Map) and not isinstance(value, JsonMap):
        found += [each for _, part in value.items() for each in misnamed(part, path)]
    elif isinstance(value, list) and not isinstance(value, JsonList):
        found += [each for part in cast("list[object]", value) for each in misnamed(part, path)]
    return found


def untyped(value: Any) -> object:
    """The value of JSON that no schema says anything about."""
    if type(value) is dict:
        return JsonMap(cast("dict[str, Any]", value), _untyped_part)
    if type(value) is list:
        return JsonList(cast("list[Any]", value), untyped)
    return value


def _untyped_part(_: str, value: Any) -> object:
    return untyped(value)


def set_of(raw: Iterable[Any], make: Adapt) -> Keyed:
    """A list whose order says nothing and in which each element is once."""
    return Keyed(raw, make, _mark)


def map_list_of(raw: Iterable[Any], make: Adapt, keys: tuple[str, ...]) -> Keyed:
    """A list of objects whose order says nothing and of which each has its own `keys`."""

    def mark(element: object) -> Mark:
        if not isinstance(element, JsonMap):
            return _mark(element)
        return ("map", *(_mark(element.raw.get(key)) for key in keys))

    return Keyed(raw, make, mark)


def _mark(value: object) -> Mark:
    if isinstance(value, JsonMap):
        return ("map", orjson.dumps(value.raw, option=orjson.OPT_SORT_KEYS))
    if isinstance(value, list):
        return ("list", *map(_mark, cast("list[object]", value)))
    return (type(value), value if isinstance(value, str | int | float) else repr(value))
