"""Kubernetes' protobuf bodies, as far as kubectl's own commands send them.

`kubectl create configmap` and its like send protobuf and do not fall back to JSON. A body is
`k8s\\0` and a runtime.Unknown with apiVersion, kind and the object. Only the fields whose number a
kind says (`Kind.protobuf`) are understood; anything else with a value in it is refused, never
dropped.

Source: apimachinery `generated.proto`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from mizzen.base.clock import rfc3339
from mizzen.base.errors import BadRequest, UnsupportedMediaType
from mizzen.base.objects import Obj
from mizzen.kinds.registry import builtin_kinds, virtual_kinds
from mizzen.kinds.schema import Schema
from mizzen.kinds.wire import Numbers

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_UINT64_MAX = (1 << 64) - 1
_HOLLOW_DEPTH_MAX = 16  # messages in fields that are not understood; kubectl's own have fewer
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799  # the years that RFC 3339 can name

Scalar = Literal["string", "bool", "int", "bytes", "time", "int-or-string"]


@dataclass(frozen=True, slots=True)
class _Field:
    """`many`: a list of them; `map`: string keys to them."""

    name: str
    type: Scalar | dict[int, _Field]
    many: bool = False
    map: bool = False


def _strings(**numbers: int) -> dict[int, _Field]:
    return {number: _Field(name, "string") for name, number in numbers.items()}


_OWNER = {
    **_strings(kind=1, name=3, uid=4, apiVersion=5),
    6: _Field("controller", "bool"),
    7: _Field("blockOwnerDeletion", "bool"),
}
_METADATA = {
    **_strings(name=1, generateName=2, namespace=3, uid=5, resourceVersion=6),
    7: _Field("generation", "int"),
    8: _Field("creationTimestamp", "time"),
    11: _Field("labels", "string", map=True),
    12: _Field("annotations", "string", map=True),
    13: _Field("ownerReferences", _OWNER, many=True),
    14: _Field("finalizers", "string", many=True),
}
_SCALARS: Mapping[str, Scalar] = {
    "boolean": "bool", "integer": "int", "int-or-string": "int-or-string",
}  # fmt: skip
_TYPE_META = _strings(apiVersion=1, kind=2)


class _BrokenError(Exception):
    """The bytes are no message of the kind they say they are."""


def decode(body: bytes) -> Obj:
    """The object in a protobuf body. Errors: UnsupportedMediaType, BadRequest.

    Costs time and memory in proportion to the body, whatever it says.
    """
    if not body.startswith(_MAGIC):
        raise BadRequest(f"the body says {MEDIA_TYPE} but does not begin with its mark")
    try:
        envelope = dict(_numbered(body[len(_MAGIC) :]))
        head = _message(_octets(envelope.get(1, b""), "typeMeta"), _TYPE_META, "")
        api_version, kind = head.get("apiVersion", ""), head.get("kind", "")
        message = _messages().get((api_version, kind))
        if message is None:
            raise _unsupported(f"{api_version} {kind}")
        raw = _octets(envelope.get(2, b""), "raw")
        return {"apiVersion": api_version, "kind": kind, **_message(raw, message, kind)}
    except (_BrokenError, UnicodeDecodeError) as error:
        raise BadRequest(f"the protobuf body is broken: {error}") from error


@cache
def _messages() -> Mapping[tuple[str, str], Mapping[int, _Field]]:
    """(apiVersion, kind) -> fields by number, of the kinds that say theirs."""
    return {
        (kind.resource.api_version, kind.resource.kind): {
            1: _Field("metadata", _METADATA),
            **_fields(kind.schema, kind.protobuf),
        }
        for kind in (*builtin_kinds().values(), *virtual_kinds().values())
        if kind.protobuf is not None
    }


def _fields(schema: Schema, numbers: Numbers) -> dict[int, _Field]:
    """The schema's part for each field that has a number."""
    found: dict[int, _Field] = {}
    for name, said in numbers.items():
        number, below = said if isinstance(said, tuple) else (said, None)
        node = schema.resolve().fields[name].resolve()
        one = (node.items or node.values or node).resolve()
        if name == "metadata":
            kind: Scalar | dict[int, _Field] = _METADATA
        else:
            kind = _scalar(one) if below is None else _fields(one, below)
        is_map = node.values is not None
        found[number] = _Field(name, kind, many=node.type == "array", map=is_map)
    return found


def _scalar(schema: Schema) -> Scalar:
    if schema.type == "string":
        return "bytes" if schema.format == "byte" else "string"
    assert schema.type in _SCALARS, f"a number is said of a {schema.type}, which has fields"
    return _SCALARS[schema.type]


def _message(data: bytes, message: Mapping[int, _Field], path: str) -> Obj:
    obj: Obj = {}
    for number, value in _numbered(data):
        field = message.get(number)
        if field is None:
            # Go sends every plain field, set or not: only one with a value in it matters.
            if not _is_hollow(value):
                raise _unsupported(f"field {number} of {path}")
            continue
        here = f"{path}.{field.name}"
        if field.map:
            pair = dict(_numbered(_octets(value, here)))
            key = _octets(pair.get(1, b""), here).decode()
            obj.setdefault(field.name, {})[key] = _value(pair.get(2, b""), field, here)
        elif field.many:
            obj.setdefault(field.name, []).append(_value(value, field, here))
        else:
            found = _value(value, field, here)
            if found not in ("", 0, False, None):
                obj[field.name] = found
    return obj


def _is_hollow(value: bytes | int, depth: int = 0) -> bool:
    """True if a value holds nothing but zeros and empty messages."""
    if isinstance(value, int) or not value:
        return not value
    if depth == _HOLLOW_DEPTH_MAX:
        return False
    try:
        return all(_is_hollow(part, depth + 1) for _, part in _numbered(value))
    except _BrokenError:
        return False


def _value(value: bytes | int, field: _Field, path: str) -> Any:
    kind = field.type
    if kind == "bool":
        return bool(_number(value, path))
    if kind == "int":
        return _signed(_number(value, path))
    octets = _octets(value, path)
    if isinstance(kind, dict):
        return _message(octets, kind, path)
    if kind == "string":
        return octets.decode()
    if kind == "bytes":
        return base64.b64encode(octets).decode()
    parts = dict(_numbered(octets))
    if kind == "time":
        return _moment(_signed(_number(parts[1], path)), path) if 1 in parts else None
    if parts.get(1):  # int-or-string: the type, then the number, then the text
        return _octets(parts.get(3, b""), path).decode()
    return _signed(_number(parts.get(2, 0), path))


def _moment(seconds: int, path: str) -> str:
    if not _FIRST_S <= seconds <= _LAST_S:
        raise _BrokenError(f"{path}: the moment {seconds} s is outside the years 1 to 9999")
    return rfc3339(seconds * 1_000_000_000)


def _octets(value: bytes | int, path: str) -> bytes:
    # bytes(n) of a number would be n zeros: a few bytes of body must not ask for gigabytes.
    if isinstance(value, int):
        raise _BrokenError(f"{path} is a number on the wire, where bytes belong")
    return value


def _number(value: bytes | int, path: str) -> int:
    if isinstance(value, bytes):
        raise _BrokenError(f"{path} is bytes on the wire, where a number belongs")
    return value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _numbered(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(field number, value) of each field. Errors: _BrokenError."""
    at, end = 0, len(data)
    value: bytes | int
    while at < end:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
        elif wire == _BYTES:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif wire in (_FIXED32, _FIXED64):
            size = 8 if wire == _FIXED64 else 4
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        else:
            raise _BrokenError(f"wire type {wire} is unknown")
        if at > end:
            raise _BrokenError("it is cut short")
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = 0
    for shift, byte in zip(range(0, 70, 7), data[at : at + 10], strict=False):
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & _UINT64_MAX, at + shift // 7 + 1
    raise _BrokenError("a number is cut short or too long")


def _unsupported(what: str) -> UnsupportedMediaType:
    return UnsupportedMediaType(
        f"{what} is not understood in protobuf ({MEDIA_TYPE}): send application/json, "
        "for example with kubectl create -f"
    )
