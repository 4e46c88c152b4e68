"""Answers in protobuf, made from the JSON that is stored.

JSON costs nothing here, since objects lie in it, so whoever takes both gets that; only a client that
takes protobuf alone gets protobuf. Fields that upstream's types do not have are left out, and zeros that
Go would write: whoever reads them sees them as zeros.

Source: apimachinery `runtime/serializer/protobuf`.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson

from mizzen.apiserver.core.messages import JSON_SCHEMA, Field, Message, definition_of, message_of
from mizzen.apiserver.core.protobuf import MAGIC
from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Obj

STREAM_TYPE = "application/vnd.kubernetes.protobuf;stream=watch"
_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_NANOSECONDS = 1_000_000_000


def can_encode(api_version: str, kind: str) -> bool:
    """True if upstream has a message for what an answer is, or for the items that it lists."""
    return bool(definition_of(api_version, kind.removesuffix("List")))


def encode(obj: Obj) -> bytes:
    """A whole object, a list or a Status as a protobuf body. Errors: KeyError as `can_encode`."""
    api_version, kind = str(obj["apiVersion"]), str(obj["kind"])
    name = definition_of(api_version, kind)
    if not name:
        kind = kind.removesuffix("List")
        found = items(api_version, kind, cast("list[Obj]", obj.get("items") or []))
        return listing(api_version, kind, obj.get("metadata") or {}, found)
    return _body(api_version, kind, _message(message_of(name), obj))


def items(api_version: str, kind: str, objects: Iterable[Obj]) -> bytes:
    """Objects of a kind as a part of `listing`."""
    message = message_of(definition_of(api_version, kind))
    return b"".join(_octets(2, _message(message, item)) for item in objects)


def listing(api_version: str, kind: str, metadata: Obj, encoded: bytes) -> bytes:
    """A list of a kind as a body; `encoded` are its items."""
    raw = _octets(1, _message(message_of(_LIST_META), metadata)) + encoded
    return _body(api_version, f"{kind}List", raw)


def _body(api_version: str, kind: str, raw: bytes) -> bytes:
    head = _octets(1, api_version.encode()) + _octets(2, kind.encode())
    return MAGIC + _octets(1, head) + _octets(2, raw) + _octets(3, b"") + _octets(4, b"")


def frame(event: str, obj: Obj) -> bytes:
    """One event of a watch: a WatchEvent with its length before it."""
    body = _octets(1, event.encode()) + _octets(2, _octets(1, encode(obj)))
    return struct.pack(">I", len(body)) + body


def _message(message: Message, obj: Mapping[str, Any]) -> bytes:
    """The fields of an object; those of one inline message go together."""
    parts: list[bytes] = []
    inline: dict[int, dict[str, Any]] = {}
    for name, value in obj.items():
        path = message.paths.get(name)
        if not path or value is None:
            continue
        if len(path) == 1:
            parts.append(_field(path[0], value))
        else:
            inline.setdefault(path[0].number, {})[name] = value
    for number, held in inline.items():
        inner = message.fields[number].inner
        assert inner is not None, "a path leads through inline messages"
        parts.append(_octets(number, _message(inner, held)))
    return b"".join(parts)


def _field(field: Field, value: Any) -> bytes:
    if field.map:
        found = cast("Obj", value).items()
        pairs = (_octets(1, key.encode()) + _value(field, part, 2) for key, part in found)
        return b"".join(_octets(field.number, pair) for pair in pairs)
    if field.many:
        return b"".join(_value(field, part, field.number) for part in cast("list[Any]", value))
    return _value(field, value, field.number)


def _value(field: Field, value: Any, number: int) -> bytes:
    """One value with its number: the field's, or 2 in an entry of a map."""
    form = field.form
    if form in ("bool", "int"):
        return _varint(number << 3) + _varint(int(value))
    if form == "double":
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    if form == "string":
        return _octets(number, str(value).encode())
    if form == "bytes":
        return _octets(number, base64.b64decode(value))
    if form == "message":
        return _octets(number, _message(message_of(field.type), value))
    return _octets(number, _special(form, value))


def _special(form: str, value: Any) -> bytes:
    """What is one value in JSON and a message on the wire."""
    if form in ("time", "micro-time"):
        seconds, nanoseconds = divmod(parse_rfc3339(value), _NANOSECONDS)
        return _numbers((1, seconds), (2, nanoseconds))
    if form == "quantity":
        return _octets(1, str(value).encode())
    if form == "raw":
        return _octets(1, orjson.dumps(value))
    if form == "strings":
        return b"".join(_octets(1, part.encode()) for part in cast("list[str]", value))
    if form == "int-or-string":
        is_text = isinstance(value, str)
        number = 0 if is_text else int(value)
        text = value.encode() if is_text else b""
        return _numbers((1, int(is_text)), (2, number)) + _octets(3, text)
    return _schema_or(form, value)


def _schema_or(form: str, value: Any) -> bytes:
    """A schema, or what stands in its place: a boolean, a list of schemas, a list of strings."""
    schema = message_of(JSON_SCHEMA)
    if isinstance(value, dict):
        body = _message(schema, cast("Obj", value))
        # A schema allows whatever it describes.
        return _numbers((1, 1)) + _octets(2, body) if form == "schema-or-bool" else _octets(1, body)
    if form == "schema-or-bool":
        return _numbers((1, int(bool(value))))
    if form == "schema-or-list":
        return b"".join(_octets(2, _message(schema, part)) for part in cast("list[Obj]", value))
    return b"".join(_octets(2, part.encode()) for part in cast("list[str]", value))


def _numbers(*pairs: tuple[int, int]) -> bytes:
    return b"".join(_varint(number << 3) + _varint(value) for number, value in pairs)


def _octets(number: int, data: bytes) -> bytes:
    return b"".join((_varint(number << 3 | 2), _varint(len(data)), data))


def _varint(value: int) -> bytes:
    if 0 <= value < 0x80:
        return _SHORT[value]
    value &= (1 << 64) - 1
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


_SHORT = tuple(bytes((number,)) for number in range(0x80))
