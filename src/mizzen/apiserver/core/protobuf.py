"""Kubernetes' protobuf bodies, as far as kubectl's own commands send them.

`kubectl create configmap` and its like send protobuf and do not fall back to JSON. A body is
`k8s\\0` and a runtime.Unknown with apiVersion, kind and the object. Only the kinds and fields
listed here are understood; anything else with a value in it is refused, never dropped.

Source: field numbers of k8s.io/api and apimachinery `generated.proto`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mizzen.base.clock import rfc3339
from mizzen.base.errors import BadRequest, UnsupportedMediaType
from mizzen.base.objects import Obj

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Scalar = Literal["string", "bool", "int", "required-int", "bytes", "time", "int-or-string"]


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
_NAMED = {1: _Field("metadata", _METADATA)}
_REFERENCE = {1: _Field("name", "string")}
_ENV = _strings(name=1, value=2)
_CONTAINER = {
    **_strings(name=1, image=2, workingDir=5, imagePullPolicy=14),
    3: _Field("command", "string", many=True),
    4: _Field("args", "string", many=True),
    7: _Field("env", _ENV, many=True),
}
_POD_SPEC = {
    2: _Field("containers", _CONTAINER, many=True),
    **_strings(restartPolicy=3, serviceAccountName=8, nodeName=10, priorityClassName=24),
}
_TEMPLATE = {**_NAMED, 2: _Field("spec", _POD_SPEC)}
_JOB_SPEC = {
    1: _Field("parallelism", "int"),
    2: _Field("completions", "int"),
    6: _Field("template", _TEMPLATE),
    7: _Field("backoffLimit", "int"),
}
_PORT = {
    **_strings(name=1, protocol=2),
    3: _Field("port", "int"),
    4: _Field("targetPort", "int-or-string"),
    5: _Field("nodePort", "int"),
}
_SERVICE_SPEC = {
    1: _Field("ports", _PORT, many=True),
    2: _Field("selector", "string", map=True),
    **_strings(clusterIP=3, type=4, externalName=10),
}
_MESSAGES: dict[tuple[str, str], dict[int, _Field]] = {
    ("v1", "Namespace"): _NAMED,
    ("v1", "ConfigMap"): {
        **_NAMED,
        2: _Field("data", "string", map=True),
        3: _Field("binaryData", "bytes", map=True),
        4: _Field("immutable", "bool"),
    },
    ("v1", "Secret"): {
        **_NAMED,
        2: _Field("data", "bytes", map=True),
        3: _Field("type", "string"),
        4: _Field("stringData", "string", map=True),
        5: _Field("immutable", "bool"),
    },
    ("v1", "ServiceAccount"): {
        **_NAMED,
        3: _Field("imagePullSecrets", _REFERENCE, many=True),
        4: _Field("automountServiceAccountToken", "bool"),
    },
    ("v1", "Service"): {**_NAMED, 2: _Field("spec", _SERVICE_SPEC)},
    ("batch/v1", "Job"): {**_NAMED, 2: _Field("spec", _JOB_SPEC)},
    ("scheduling.k8s.io/v1", "PriorityClass"): {
        **_NAMED,
        2: _Field("value", "required-int"),
        3: _Field("globalDefault", "bool"),
        **_strings(description=4, preemptionPolicy=5),
    },
}
_TYPE_META = _strings(apiVersion=1, kind=2)


def decode(body: bytes) -> Obj:
    """The object in a protobuf body. Errors: UnsupportedMediaType, BadRequest."""
    if not body.startswith(_MAGIC):
        raise BadRequest(f"the body says {MEDIA_TYPE} but does not begin with its mark")
    try:
        envelope = {number: value for number, _, value in _fields(body[len(_MAGIC) :])}
        head = _message(envelope.get(1, b""), _TYPE_META, "")
        api_version, kind = head.get("apiVersion", ""), head.get("kind", "")
        message = _MESSAGES.get((api_version, kind))
        if message is None:
            raise _unsupported(f"{api_version} {kind}")
        raw = envelope.get(2, b"")
        return {"apiVersion": api_version, "kind": kind, **_message(raw, message, kind)}
    except (IndexError, UnicodeDecodeError, TypeError) as error:
        raise BadRequest(f"the protobuf body is broken: {error}") from error


def _message(data: Any, message: dict[int, _Field], path: str) -> Obj:
    obj: Obj = {}
    for number, wire, value in _fields(data):
        field = message.get(number)
        if field is None:
            # Go sends every plain field, set or not: only one with a value in it matters.
            if value and not _is_hollow(wire, value):
                raise _unsupported(f"field {number} of {path}")
            continue
        here = f"{path}.{field.name}"
        if field.map:
            pair = {number: part for number, _, part in _fields(value)}
            key = bytes(pair.get(1, b"")).decode()
            obj.setdefault(field.name, {})[key] = _value(pair.get(2, b""), field, here)
        elif field.many:
            obj.setdefault(field.name, []).append(_value(value, field, here))
        else:
            found = _value(value, field, here)
            if found not in ("", 0, False, None) or field.type == "required-int":
                obj[field.name] = found
    return obj


def _is_hollow(wire: int, value: Any) -> bool:
    """Whether a message holds nothing but zeros and empty messages."""
    if wire != _BYTES:
        return not value
    try:
        return all(_is_hollow(inner, part) for _, inner, part in _fields(value))
    except (IndexError, ValueError):
        return False


def _value(value: Any, field: _Field, path: str) -> Any:
    kind = field.type
    if isinstance(kind, dict):
        return _message(value, kind, path)
    if kind == "string":
        return bytes(value).decode()
    if kind == "bytes":
        return base64.b64encode(value).decode()
    if kind == "bool":
        return bool(value)
    if kind == "time":
        seconds = next((part for number, _, part in _fields(value) if number == 1), None)
        return None if seconds is None else rfc3339(_signed(seconds) * 1_000_000_000)
    if kind == "int-or-string":
        parts = {number: part for number, _, part in _fields(value)}
        return bytes(parts.get(3, b"")).decode() if parts.get(1) else _signed(parts.get(2, 0))
    return _signed(value)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, value) of each field. Errors: IndexError when it is cut short."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
        elif wire == _BYTES:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif wire in (_FIXED32, _FIXED64):
            size = 8 if wire == _FIXED64 else 4
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        else:
            raise IndexError(f"wire type {wire} is unknown")
        if at > len(data):
            raise IndexError("it is cut short")
        yield number, wire, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 63:
            raise IndexError("a number is too long")


def _unsupported(what: str) -> UnsupportedMediaType:
    return UnsupportedMediaType(
        f"{what} is not understood in protobuf ({MEDIA_TYPE}): send application/json, "
        "for example with kubectl create -f"
    )
