"""The words in which upstream's decoders refuse a value of the wrong type: clients show them.

Source: Go's encoding/json, `UnmarshalTypeError`; apimachinery `runtime/serializer`,
`runtime/converter.go`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from mizzen.apiserver.core import envelope, go_names
from mizzen.base.go_base64 import illegal_at
from mizzen.base.go_text import json_kind, json_number, marshalled
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds import quantities
from mizzen.kinds.decoding import decode
from mizzen.kinds.report import Embedded, Path, render
from mizzen.kinds.schema import INT_OR_STR, MICRO_TIME, QUANTITY, TIME, Schema
from mizzen.kinds.upstream import upstream_type

_LAYOUT = "2006-01-02T15:04:05Z07:00"
_MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
_NUMBERS = {"integer": "int64", "number": "float64"}
_READ_AS_JSON = (TIME.name, MICRO_TIME.name, QUANTITY.name, INT_OR_STR.name)


def undecodable(resource: Resource, problem: str) -> str:
    """The message about a body with this problem."""
    kind, version = resource.kind, resource.api_version
    return (
        f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {kind}: {problem}'
    )


def misfit(schema: Schema, path: Path, value: Any, written: str = "") -> str:
    """The problem with a value of JSON that does not fit its field; `written`: a number as the body
    has it, where that is known."""
    struct, names, node = _place(schema, path)
    if node.name in (TIME.name, MICRO_TIME.name) and isinstance(value, str):
        return _time_problem(value, is_micro=node.name == MICRO_TIME.name)
    if node.name == QUANTITY.name and isinstance(value, str | int | float):
        return quantities.problem(str(value).strip())
    if node.format == "byte" and isinstance(value, str):
        return f"illegal base64 data at input byte {illegal_at(value)}"
    where = f"struct field {struct}.{'.'.join(names)}" if names else "value"
    wanted = _go_type(node)
    named = go_names.name_of(struct, names[-1]) if names else ""
    if named and wanted in ("string", "[]string"):
        wanted = wanted.replace("string", named)
    return f"json: cannot unmarshal {_given(node, value, written)} into Go {where} of type {wanted}"


def unreadable_metadata(found: Embedded) -> str:
    """The problem with the metadata of an object within a custom one."""
    problem = misfit(found.schema, found.inside, found.mistyped)
    return f"{render(found.path)}: Invalid value: {marshalled(found.value)}: {problem}"


def misfit_of(name: str, obj: Obj) -> str:
    """The problem with an object as one of upstream's types; "" where there is none, or no type."""
    if not name:
        return ""
    schema = upstream_type(name)
    mistyped = decode(schema, obj).mistyped
    return misfit(schema, *mistyped) if mistyped is not None else ""


def fits_no_number(schema: Schema, path: Sequence[str | int]) -> bool:
    """True where upstream's type has no place for any number that is no integer: then its decoder
    says more than that the number is too large, or nothing, of fields that it does not know."""
    node = schema.resolve()
    for segment in path:
        if isinstance(segment, int):
            child = node.items if node.type == "array" else None
        elif node.type != "object" or node.open:
            return node.type not in ("any", "number")
        else:
            child = node.fields.get(segment) or node.values
        if child is None:
            return True
        node = child.resolve()
    is_plain = node.name != QUANTITY.name and not node.open
    return is_plain and node.type in ("string", "integer", "boolean", "array", "object")


def unrestorable(schema: Schema, path: Path, value: Any, written: str = "") -> str:
    """The same for a value that has been read before it meets its field."""
    _, _, node = _place(schema, path)
    if node.name in _READ_AS_JSON:
        return misfit(schema, path, value, written)
    kind = _GO_KINDS.get(cast("type[Any]", type(value)), "map")
    if node.format == "byte" and isinstance(value, str):
        return f"error decoding from json: {misfit(schema, path, value)}"
    if node.type == "array" or node.format == "byte":
        return f"cannot restore slice from {kind}"
    if node.type == "object":
        is_map = node.values is not None and not node.fields
        return (
            f"cannot restore map from {kind}" if is_map else f"cannot restore struct from: {kind}"
        )
    wanted = _go_type(node)
    is_number = type(value) in (int, float) and node.type != "boolean"
    if is_number and not (type(value) is float and node.type == "string"):
        return f"cannot convert {kind} to {wanted}"
    return f"unrecognized type: {wanted}"


_GO_KINDS: dict[type, str] = {
    list: "slice", str: "string", bool: "bool", int: "int64", float: "float64", dict: "map",
}  # fmt: skip


def _place(schema: Schema, path: Path) -> tuple[str, list[str], Schema]:
    """The Go type of the struct that the path's last field is in, the fields, and what is there."""
    segments: list[Any] = []
    while path is not None:
        path, segment = path
        segments.append(segment)
    struct, names, node = "", list[str](), schema.resolve()
    for segment in reversed(segments):
        if isinstance(segment, str):
            struct = _word(node)
            names.append(segment)
            child = node.fields.get(segment)
        elif isinstance(segment, int):
            child = node.items
        else:
            child = node.values
        node = (child or Schema("any")).resolve()
    return struct, names, node


def unrecognised(resource: Resource, obj: Any) -> str:
    """The problem with the type that an object gives itself, "" where it is the resource's or none
    at all."""
    try:
        given = envelope.opened(obj)
    except envelope.NoJson as error:
        return error.problem
    version = given.get("apiVersion") or resource.api_version
    kind = given.get("kind") or resource.kind
    if (version, kind) == (resource.api_version, resource.kind):
        return ""
    return envelope.unregistered(version, kind)


def _time_problem(text: str, *, is_micro: bool) -> str:
    if text[:4].isdigit() and text[4:5] == "-":
        return f'parsing time "{text}": day out of range'
    layout = _MICRO_LAYOUT if is_micro else _LAYOUT
    return f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"'


def _given(node: Schema, value: Any, written: str) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and node.type in _NUMBERS and node.format not in ("date-time", "micro-time"):
        return f"number {written or json_number(value)}"
    return json_kind(value)


def _word(node: Schema) -> str:
    return node.name.rpartition(".")[2]


def _go_type(node: Schema) -> str:
    if node.type == "array" and node.items is not None:
        return f"[]{_go_type(node.items.resolve())}"
    if node.type == "object":
        if node.values is not None and not node.fields:
            if node.values.resolve().name == QUANTITY.name:
                return "v1.ResourceList"
            return f"map[string]{_go_type(node.values.resolve())}"
        return f"{node.name.split('.')[-2]}.{_word(node)}" if "." in node.name else "v1.Object"
    if node.type in _NUMBERS:
        return node.format if node.format in ("int32", "int64") else _NUMBERS[node.type]
    if node.format == "byte":
        return "[]uint8"
    return "bool" if node.type == "boolean" else "string"
