"""Types that a structural schema declares to expressions, and JSON as their values.

Source: k8s.io/apiserver/pkg/cel/common/schemas.go, v0.36.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.cel import clock, objects, types
from mizzen.cel.lexer import RESERVED
from mizzen.cel.objects import Adapt, JsonMap, Record
from mizzen.cel.types import Type
from mizzen.cel.values import INT_MAX, Duration, Err, JsonList
from mizzen.kinds.reading import part

_TEXT: Obj = {"type": "string"}
_SECOND = 10**9
_UNITS = {  # by how their words begin: the longest that fits
    "n": 1, "u": 1000, "µ": 1000, "μ": 1000, "mi": 60 * _SECOND, "micro": 1000, "milli": 10**6,
    "ms": 10**6, "m": 60 * _SECOND, "s": _SECOND, "h": 3600 * _SECOND, "d": 86400 * _SECOND,
    "w": 7 * 86400 * _SECOND,
}  # fmt: skip
_PLAIN = (types.STRING, types.INT, types.BOOL)  # their JSON is their value
_SPAN = re.compile(r"([0-9]+)\s*([A-Za-zµμ]+)")


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """One place of a schema. `type` is None where expressions cannot get at it."""

    type: Type | None
    adapt: Adapt
    fields: Mapping[str, Declared] = field(default_factory=dict[str, "Declared"])
    each: Declared | None = None  # of items, or of values by key


class Declarations:
    """Declares a schema's places; `structs` are the fields of its object types, by their names."""

    def __init__(self) -> None:
        self.structs: dict[str, Mapping[str, Type]] = {}

    def declare(self, node: Obj, name: str, *, is_resource: bool = False) -> Declared:
        """`name` is unique within the schema. `is_resource`: it has apiVersion, kind, metadata."""
        made = self._declare(node, name, is_resource)
        return Declared(made.type, _nullable(made.adapt, node), made.fields, made.each)

    def _declare(self, node: Obj, name: str, is_resource: bool) -> Declared:
        if node.get("x-kubernetes-int-or-string"):
            return Declared(types.DYN, _plain((int, str), "either a string or integer"))
        match node.get("type"):
            case "object":
                return self._object(node, name, is_resource)
            case "array":
                return self._array(node, name)
            case "string":
                return _STRINGS.get(node.get("format") or "", _STRING)
            case "integer":
                return Declared(types.INT, _plain((int,), "int"))
            case "number":
                return Declared(types.DOUBLE, _double)
            case "boolean":
                return Declared(types.BOOL, _plain((bool,), "bool"))
            case _:
                return Declared(None, objects.untyped)

    def _object(self, node: Obj, name: str, is_resource: bool) -> Declared:
        extra = node.get("additionalProperties")
        if isinstance(extra, dict) and not is_resource:
            each = self._below(cast("Obj", extra), f"{name}.@values")
            typed = None if each.type is None else types.map_of(types.STRING, each.type)
            return Declared(typed, _map(each), each=each)
        written = dict(part(node, "properties"))
        if is_resource:
            names = {"name": _TEXT, "generateName": _TEXT, **part(written, "metadata.properties")}
            written["metadata"] = {"type": "object", "properties": names}
            written["apiVersion"] = written["kind"] = _TEXT
        fields = {n: self._below(child, f"{name}.{n}") for n, child in written.items()}
        known: dict[str, Type] = {}
        renamed: dict[str, str] = {}
        for real, declared in fields.items():
            escaped = objects.escape(real)
            if escaped is not None and declared.type is not None:
                known[escaped] = declared.type
                if escaped != real:
                    renamed[escaped] = real
                if real in RESERVED:  # `self.namespace` is understood, too
                    known[real] = declared.type
        self.structs[name] = known
        return Declared(Type("struct", name), _record(fields, renamed), fields)

    def _array(self, node: Obj, name: str) -> Declared:
        each = self._below(node["items"], f"{name}.@items")
        typed = None if each.type is None else types.list_of(each.type)
        return Declared(typed, _list(node, each), each=each)

    def _below(self, node: Obj, name: str) -> Declared:
        is_resource = bool(node.get("x-kubernetes-embedded-resource"))
        return self.declare(node, name, is_resource=is_resource)


def _nullable(adapt: Adapt, node: Obj) -> Adapt:
    null: object = None if node.get("nullable") else Err("got null where it is not nullable")
    return lambda value: null if value is None else adapt(value)


def _plain(allowed: tuple[type, ...], wanted: str) -> Adapt:
    bad = Err(f"invalid data, expected {wanted}")
    return lambda value: value if type(value) in allowed else bad


def _double(value: Any) -> object:
    if type(value) not in (int, float):
        return Err("invalid data, expected float")
    return float(value)


def _of_text(read: Callable[[str], object]) -> Adapt:
    bad = Err("invalid data, expected string")
    return lambda value: read(value) if type(value) is str else bad


def _bytes(text: str) -> object:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Err(f"invalid byte formatted string {text[:100]!r}")


def _duration(text: str) -> object:
    """As Go writes them, or in words ("3 days")."""
    found = clock.to_duration([text])
    if isinstance(found, Duration):
        return found
    total = 0
    for count, word in _SPAN.findall(text[:100]):
        units = [u for u in _UNITS if word.lower().startswith(u)]
        if units:
            total += int(count) * _UNITS[max(units, key=len)]
    return Duration(total) if 0 < total <= INT_MAX else found


_STRING = Declared(types.STRING, _plain((str,), "string"))
_STRINGS = {
    "byte": Declared(types.BYTES, _of_text(_bytes)),
    "duration": Declared(types.DURATION, _of_text(_duration)),
    "date": Declared(
        types.TIMESTAMP, _of_text(lambda text: clock.to_timestamp([f"{text}T00:00:00Z"]))
    ),
    "date-time": Declared(types.TIMESTAMP, _of_text(lambda t: clock.to_timestamp([t.upper()]))),
}


def _record(fields: Mapping[str, Declared], renamed: Mapping[str, str]) -> Adapt:
    adapts = {name: declared.adapt for name, declared in fields.items()}
    bad = Err("invalid data, expected a map")

    def make(name: str, value: Any) -> object:
        return adapts.get(name, objects.untyped)(value)

    def adapt(value: Any) -> object:
        if type(value) is not dict:
            return bad
        return Record(cast("Obj", value), make, renamed)

    return adapt


def _map(each: Declared) -> Adapt:
    bad = Err("invalid data, expected a map")

    def make(_: str, value: Any) -> object:
        return each.adapt(value)

    return lambda value: JsonMap(cast("Obj", value), make) if type(value) is dict else bad


def _list(node: Obj, each: Declared) -> Adapt:
    kind = node.get("x-kubernetes-list-type")
    is_plain = each.type in _PLAIN
    keys = tuple(node.get("x-kubernetes-list-map-keys") or ())
    bad = Err("invalid data, expected an array")

    def adapt(value: Any) -> object:
        if type(value) is not list:
            return bad
        raw = cast("list[Any]", value)
        if kind == "map":
            return objects.map_list_of(raw, each.adapt, keys)
        if kind == "set":
            return objects.set_of(raw, each.adapt)
        return raw if is_plain else JsonList(raw, each.adapt)

    return adapt
