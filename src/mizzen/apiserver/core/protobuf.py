"""Kubernetes' protobuf bodies, read into the object that their JSON would say.

A body is `k8s\\0` and a runtime.Unknown with apiVersion, kind and the object. kubectl's own commands,
kubelet and controllers of upstream's send it. The messages are upstream's whole types (`messages.py`);
fields that they do not have, of a newer release, are passed over as upstream does.

Go writes every plain field, set or not: a zero is dropped, unless Go has a pointer to it, or writes
it in JSON, too.

Source: apimachinery `runtime/serializer/protobuf`, `generated.proto`.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator
from typing import Any, cast

import orjson

from mizzen.apiserver.core.envelope import NoJson, Unread, unregistered
from mizzen.apiserver.core.messages import JSON_SCHEMA, Field, Message, definition_of, message_of
from mizzen.base.clock import rfc3339, rfc3339_micro
from mizzen.base.objects import Obj

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_UINT64_MAX = (1 << 64) - 1
# Of one body, and numbers in packed lists: half a second of work. The largest objects that may be
# stored have a tenth of them; a hostile body of 3 MB has millions, of two bytes each.
FIELDS_MAX = 200_000
_DEPTH_MAX = 128  # messages in messages; a CustomResourceDefinition's schemas have the most
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799  # the years that RFC 3339 can name
_NANOSECONDS = 1_000_000_000
_NO_MARK = (
    "provided data does not appear to be a protobuf message, expected prefix "
    f"[{' '.join(map(str, MAGIC))}]"
)
_ENDS = "unexpected EOF"
_ZEROS = ("", 0, False, None)


class _BrokenError(Exception):
    """The bytes are no message of the kind they say they are."""


def decode(body: bytes, expected: tuple[str, str] = ("", "")) -> Obj:
    """The object in a protobuf body; `expected`: its apiVersion and kind where it says none.

    Costs time and memory in proportion to the body, whatever it says, and to FIELDS_MAX at most.
    Errors: NoJson.
    """
    if len(body) <= len(MAGIC) or not body.startswith(MAGIC):
        problem = "empty body" if body == MAGIC else _NO_MARK if body else "empty data"
        raise NoJson(problem)
    try:
        head, raw = _envelope(body)
    except _BROKEN as error:
        raise NoJson(str(error)) from error
    api_version, kind = head.get(1) or expected[0], head.get(2) or expected[1]
    name = definition_of(api_version, kind)
    if not name:
        raise Unread(kind, api_version, unregistered(api_version, kind))
    obj: Obj = {"apiVersion": api_version, "kind": kind}
    try:
        _Reader(raw).message(message_of(name), obj, 0, len(raw), 0)
    except _BROKEN as error:
        raise Unread(kind, api_version, str(error)) from error
    return obj


_BROKEN = (_BrokenError, UnicodeDecodeError, orjson.JSONDecodeError)


def _envelope(body: bytes) -> tuple[dict[int, str], bytes]:
    """What the object is, by the numbers of TypeMeta, and its bytes."""
    head: dict[int, str] = {}
    raw = b""
    whole = _Reader(body)
    for number, value in whole.parts(len(MAGIC), len(body)):
        if number == 1:
            for inner, text in whole.parts(*_span(value, "typeMeta")):
                head[inner] = whole.octets(text, "typeMeta").decode()
        elif number == 2:
            raw = whole.octets(value, "raw")
    return head, raw


Part = tuple[int, int] | int  # where the bytes of a field are, or the number that it is


class _Reader:
    """Reads messages in place: what they hold is copied once, however deep it lies."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = FIELDS_MAX

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _BrokenError(f"it has more than {FIELDS_MAX} fields; send application/json")

    def message(self, message: Message, obj: Obj, at: int, end: int, depth: int) -> None:
        """Adds the fields between two places to an object."""
        if depth > _DEPTH_MAX:
            raise _BrokenError(f"messages are nested more than {_DEPTH_MAX} deep")
        find = message.fields.get
        for number, value in self.parts(at, end):
            field = find(number)
            if field is None:
                continue
            name = field.name
            if field.inner is not None:
                self.message(field.inner, obj, *_span(value, "an inline message"), depth + 1)
            elif field.map:
                key, found = self._entry(field, value, depth)
                obj.setdefault(name, {})[key] = found
            elif field.many:
                items: list[Any] = obj.setdefault(name, [])
                if field.form == "int" and not isinstance(value, int):
                    items += [_signed(part) for part in self._packed(value)]
                else:
                    items.append(self._value(field, value, depth))
            elif field.form == "message":  # said in parts, it is one
                span = _span(value, name)
                self.message(message_of(field.type), obj.setdefault(name, {}), *span, depth + 1)
            else:
                found = self._value(field, value, depth)
                if found not in _ZEROS or (field.keeps_zero and found is not None):
                    obj[name] = found
                else:
                    obj.pop(name, None)

    def parts(self, at: int, end: int) -> Iterator[tuple[int, Part]]:
        """(field number, where its bytes are or its number) of each. Errors: _BrokenError."""
        data = self._data
        while at < end:
            tag, at = self._varint(at, end)
            wire = tag & 7
            value: Part
            if wire == _VARINT:
                value, at = self._varint(at, end)
            elif wire == _BYTES:
                length, at = self._varint(at, end)
                value = (at, at + length)
                at += length
            elif wire in (_FIXED32, _FIXED64):
                size = 8 if wire == _FIXED64 else 4
                value, at = int.from_bytes(data[at : at + size], "little"), at + size
            else:
                raise _BrokenError(f"wire type {wire} is unknown")
            if at > end:
                raise _BrokenError(_ENDS)
            self._count()
            yield tag >> 3, value

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        data, result = self._data, 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise _BrokenError(_ENDS)
            byte = data[at]
            at += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result & _UINT64_MAX, at
        raise _BrokenError("proto: integer overflow")

    def _packed(self, span: tuple[int, int]) -> list[int]:
        at, end = span
        found: list[int] = []
        while at < end:
            number, at = self._varint(at, end)
            self._count()
            found.append(number)
        return found

    def octets(self, value: Part, name: str) -> bytes:
        at, end = _span(value, name)
        return self._data[at:end]

    def _entry(self, field: Field, value: Part, depth: int) -> tuple[str, Any]:
        """A key of a map and what it has: a message of two fields."""
        parts = dict(self.parts(*_span(value, field.name)))
        key = self.octets(parts[1], field.name).decode() if 1 in parts else ""
        # What is not said is the zero, which has no bytes.
        return key, self._value(field, parts.get(2, (0, 0)), depth)

    def _value(self, field: Field, value: Part, depth: int) -> Any:
        """One value. Errors: _BrokenError where the wire has something else."""
        form, name = field.form, field.name
        if form == "bool":
            return bool(_number(value, name))
        if form == "int":
            return _signed(_number(value, name))
        if form == "double":
            (real,) = struct.unpack("<d", struct.pack("<Q", _number(value, name)))
            return real
        if form == "message":
            obj: Obj = {}
            self.message(message_of(field.type), obj, *_span(value, name), depth + 1)
            return obj
        octets = self.octets(value, name)
        if form == "string":
            return octets.decode()
        if form == "bytes":
            return base64.b64encode(octets).decode()
        return self._special(field, _span(value, name), depth)

    def _special(self, field: Field, span: tuple[int, int], depth: int) -> Any:
        """What is one value in JSON and a message on the wire."""
        form, name = field.form, field.name
        parts = self.parts(*span)
        if form == "strings":
            return [self.octets(part, name).decode() for number, part in parts if number == 1]
        if form.startswith("schema-or"):
            return self._schema_or(form, parts, depth)
        by_number = dict(parts)
        if form in ("time", "micro-time"):
            return self._moment(by_number, name, micro=form == "micro-time")
        if form == "quantity":
            return self.octets(by_number.get(1, (0, 0)), name).decode()
        if form == "raw":
            octets = self.octets(by_number.get(1, (0, 0)), name)
            return orjson.loads(octets) if octets else None
        if by_number.get(1):  # int-or-string: the type, then the number, then the text
            return self.octets(by_number.get(3, (0, 0)), name).decode()
        return _signed(_number(by_number.get(2, 0), name))

    def _moment(self, parts: dict[int, Part], name: str, *, micro: bool) -> str | None:
        seconds = _signed(_number(parts.get(1, 0), name))
        nanoseconds = _signed(_number(parts.get(2, 0), name))
        if not parts:
            return None
        if not _FIRST_S <= seconds <= _LAST_S or not 0 <= nanoseconds < _NANOSECONDS:
            raise _BrokenError(f"{name}: the moment {seconds} s is outside the years 1 to 9999")
        if seconds == _FIRST_S and not nanoseconds:  # Go's zero
            return None
        moment = seconds * _NANOSECONDS + nanoseconds
        return rfc3339_micro(moment) if micro else rfc3339(moment)

    def _schema_or(self, form: str, parts: Iterable[tuple[int, Part]], depth: int) -> Any:
        """A schema, or what stands in its place in a JSON schema.

        The numbers: a schema and a list of them; a boolean and a schema; a schema and strings.
        """
        allows, several = False, cast("list[Any]", [])
        for number, value in parts:
            if number == (2 if form == "schema-or-bool" else 1):
                return self._schema(value, depth)
            if form == "schema-or-bool":
                allows = bool(_number(value, "allows"))
            elif form == "schema-or-list":
                several.append(self._schema(value, depth))
            else:
                several.append(self.octets(value, "property").decode())
        return allows if form == "schema-or-bool" else several

    def _schema(self, value: Part, depth: int) -> Obj:
        obj: Obj = {}
        self.message(message_of(JSON_SCHEMA), obj, *_span(value, "schema"), depth + 1)
        return obj


def _span(value: Part, name: str) -> tuple[int, int]:
    # bytes(n) of a number would be n zeros: a few bytes of body must not ask for gigabytes.
    if isinstance(value, int):
        raise _BrokenError(f"{name} is a number on the wire, where bytes belong")
    return value


def _number(value: Part, name: str) -> int:
    if not isinstance(value, int):
        if value[0] == value[1]:  # of a map's entry that leaves it out
            return 0
        raise _BrokenError(f"{name} is bytes on the wire, where a number belongs")
    return value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
