"""The words in which upstream's decoder refuses a value of the wrong type: clients show them.

Source: Go's encoding/json, `UnmarshalTypeError`; apimachinery `runtime/serializer`.
"""

from __future__ import annotations

from typing import Any

import orjson

from mizzen.base.resources import Resource
from mizzen.kinds.report import Path
from mizzen.kinds.schema import MICRO_TIME, TIME, Schema

_LAYOUT = "2006-01-02T15:04:05Z07:00"
_MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
_NUMBERS = {"integer": "int64", "number": "float64"}


def undecodable(resource: Resource, schema: Schema, path: Path, value: Any) -> str:
    """The message about the first value of a body that does not fit its field."""
    kind, version = resource.kind, resource.api_version
    problem = _problem(schema, path, value)
    return (
        f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {kind}: {problem}'
    )


def _problem(schema: Schema, path: Path, value: Any) -> str:
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
    if node.name in (TIME.name, MICRO_TIME.name) and isinstance(value, str):
        return _time_problem(value, is_micro=node.name == MICRO_TIME.name)
    where = f"struct field {struct}.{'.'.join(names)}" if names else "value"
    return f"json: cannot unmarshal {_given(node, value)} into Go {where} of type {_go_type(node)}"


def _time_problem(text: str, *, is_micro: bool) -> str:
    if text[:4].isdigit() and text[4:5] == "-":
        return f'parsing time "{text}": day out of range'
    layout = _MICRO_LAYOUT if is_micro else _LAYOUT
    return f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"'


def _given(node: Schema, value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        is_whole = node.type in _NUMBERS and node.format not in ("date-time", "micro-time")
        return f"number {orjson.dumps(value).decode()}" if is_whole else "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "null"


def _word(node: Schema) -> str:
    return node.name.rpartition(".")[2]


def _go_type(node: Schema) -> str:
    if node.type == "array" and node.items is not None:
        return f"[]{_go_type(node.items.resolve())}"
    if node.type == "object":
        if node.values is not None and not node.fields:
            return f"map[string]{_go_type(node.values.resolve())}"
        return f"{node.name.split('.')[-2]}.{_word(node)}" if "." in node.name else "v1.Object"
    if node.type in _NUMBERS:
        return node.format if node.format in ("int32", "int64") else _NUMBERS[node.type]
    if node.format == "byte":
        return "[]uint8"
    return "bool" if node.type == "boolean" else "string"
