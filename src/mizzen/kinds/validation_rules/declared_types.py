"""Types that a structural schema declares to expressions, and JSON as their values.

Source: k8s.io/apiserver/pkg/cel/common/schemas.go, v0.36.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.cel import clock, objects, types
from mizzen.cel.estimate_sizes import Size
from mizzen.cel.lexer import RESERVED
from mizzen.cel.objects import Adapt, JsonMap, Record
from mizzen.cel.types import Type
from mizzen.cel.values import INT_MAX, Duration, Err, JsonList
from mizzen.kinds.reading import entries, part

_TEXT: Obj = {"type": "string"}
_SECOND = 10**9
REQUEST_BYTES_MAX = 3 * 1024 * 1024  # upstream's, by which costs are estimated
_UNITS = {  # by how their words begin: the longest that fits
    "n": 1, "u": 1000, "µ": 1000, "μ": 1000, "mi": 60 * _SECOND, "micro": 1000, "milli": 10**6,
    "ms": 10**6, "m": 60 * _SECOND, "s": _SECOND, "h": 3600 * _SECOND, "d": 86400 * _SECOND,
    "w": 7 * 86400 * _SECOND,
}  # fmt: skip
_PLAIN = (types.STRING, types.INT, types.BOOL)  # their JSON is their value
_SPAN = re.compile(r"([0-9]+)\s*([A-Za-zµμ]+)")


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """One place of a schema. `type` is None where expressions cannot get at it.

    `name`: how the names of its types begin. `most`: characters, bytes or elements that it has at most; `least_json`: bytes that its JSON has
    at least. Upstream estimates costs by both.
    """

    type: Type | None
    adapt: Adapt
    fields: Mapping[str, Declared] = field(default_factory=dict[str, "Declared"])
    each: Declared | None = None  # of items, or of values by key
    most: int = 0
    least_json: int = 0
    name: str = ""

    def size_at(self, path: Sequence[str]) -> Size | None:
        """Of what stands at a path that begins with a variable's name, for estimates of costs."""
        at = self
        for step in path[1:]:
            below = at._step(step)
            if below is None or below.type is None:
                return None
            at = below
        return Size(0, at.most)

    def _step(self, step: str) -> Declared | None:
        if step in ("@items", "@values"):
            return self.each
        if step == "@keys":
            is_map = self.type is not None and self.type.kind == "map"
            return _KEY if is_map else None
        if step in self.fields and objects.escape(step) == step:
            return self.fields[step]
        return next((self.fields[n] for n in self.fields if objects.escape(n) == step), None)


class Declarations:
    """Declares a schema's places; `structs` are the fields of its object types, by their names."""

    def __init__(self) -> None:
        self.structs: dict[str, Mapping[str, Type]] = {}

    def declare(self, node: Obj, name: str, *, is_resource: bool = False) -> Declared:
        """`name` is unique within the schema. `is_resource`: it has apiVersion, kind, metadata."""
        made = self._declare(node, name, is_resource)
        return replace(made, adapt=_nullable(made.adapt, node), name=name)

    def _declare(self, node: Obj, name: str, is_resource: bool) -> Declared:
        if node.get("x-kubernetes-int-or-string"):
            adapt = _plain((int, str), "either a string or integer")
            return Declared(types.DYN, adapt, most=_characters(node), least_json=1)
        match node.get("type"):
            case "object":
                return self._object(node, name, is_resource)
            case "array":
                return self._array(node, name)
            case "string":
                return _string(node)
            case "integer":
                return Declared(types.INT, _plain((int,), "int"), least_json=1)
            case "number":
                return Declared(types.DOUBLE, _double, least_json=1)
            case "boolean":
                return Declared(types.BOOL, _plain((bool,), "bool"), least_json=4)
            case _:
                return Declared(None, objects.untyped)

    def _object(self, node: Obj, name: str, is_resource: bool) -> Declared:
        extra = node.get("additionalProperties")
        if isinstance(extra, dict) and not is_resource:
            each = self._below(cast("Obj", extra), f"{name}.@elem")
            typed = None if each.type is None else types.map_of(types.STRING, each.type)
            most = _written(node, "maxProperties", (REQUEST_BYTES_MAX - 2) // (each.least_json + 6))
            return Declared(typed, _map(each), each=each, most=most, least_json=2)
        written = dict(part(node, "properties"))
        if is_resource:
            _add_metadata(written)
        fields = {
            n: self._below(child, f"{name}.{objects.escape(n) or n}")
            for n, child in written.items()
        }
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
        least = 2 + sum(
            len(n.encode()) + fields[n].least_json + 4
            for n in dict.fromkeys(entries(node, "required"))
            if n in fields and fields[n].type is not None and written[n].get("default") is None
        )
        adapt = _record(fields, renamed)
        return Declared(Type("struct", name), adapt, fields, least_json=least)

    def _array(self, node: Obj, name: str) -> Declared:
        each = self._below(node["items"], f"{name}.@idx")
        typed = None if each.type is None else types.list_of(each.type)
        most = _written(node, "maxItems", (REQUEST_BYTES_MAX - 2) // (each.least_json + 1))
        return Declared(typed, _list(node, each), each=each, most=most, least_json=2)

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


_KEY = Declared(types.STRING, _plain((str,), "string"), least_json=2)
_BYTES = _of_text(_bytes)
_STRINGS = {  # of a form, which bounds them
    "duration": Declared(types.DURATION, _of_text(_duration), most=32, least_json=3),
    "date": Declared(
        types.TIMESTAMP, _of_text(lambda text: clock.to_timestamp([f"{text}T00:00:00Z"])),
        most=12, least_json=12,
    ),
    "date-time": Declared(
        types.TIMESTAMP, _of_text(lambda t: clock.to_timestamp([t.upper()])), most=32, least_json=21,
    ),
}  # fmt: skip


def _string(node: Obj) -> Declared:
    if node.get("format") == "byte":
        most = _written(node, "maxLength", REQUEST_BYTES_MAX - 2)
        return Declared(types.BYTES, _BYTES, most=most, least_json=2)
    formed = _STRINGS.get(node.get("format") or "")
    return formed or replace(_KEY, most=_characters(node))


def _characters(node: Obj) -> int:
    """Bytes, in truth: four for each character that may be written."""
    if node.get("maxLength") is not None:
        return 4 * _written(node, "maxLength", 0)
    values = () if node.get("x-kubernetes-int-or-string") else entries(node, "enum")
    if values:
        return max((len(each.encode()) for each in values if isinstance(each, str)), default=0)
    return REQUEST_BYTES_MAX - 2


def _written(node: Obj, word: str, otherwise: int) -> int:
    """A bound that the schema has, or what fits into a request."""
    found = node.get(word)
    return otherwise if found is None else max(int(found), 0)


def _add_metadata(fields: Obj) -> None:
    """What all objects have: upstream keeps the schema's own where it has all of it."""
    names: Obj = part(fields, "metadata.properties")
    texts = [part(fields, "kind"), part(fields, "apiVersion"), part(names, "name"),
             part(names, "generateName")]  # fmt: skip
    is_whole = all(each.get("type") == "string" for each in texts)
    if is_whole and part(fields, "metadata").get("type") == "object":
        return
    fields["apiVersion"] = fields["kind"] = _TEXT
    fields["metadata"] = {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}}


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
