"""Bodies as kubectl encodes them; the whole way is tested with kubectl itself."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.apiserver.core.protobuf import decode
from mizzen.base.errors import ApiError, UnsupportedMediaType


def field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2, len(data))) + data


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return b"k8s\0" + field(1, type_meta) + field(2, raw)


def test_a_config_map() -> None:
    metadata = field(1, b"name") + field(2, b"") + field(8, b"")  # Go sends empty ones, too
    pair = field(1, b"key") + field(2, b"value")
    made = decode(body("v1", "ConfigMap", field(1, metadata) + field(2, pair)))
    assert made == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "name"},
        "data": {"key": "value"},
    }


def test_nothing_is_dropped_silently() -> None:
    with pytest.raises(UnsupportedMediaType, match="field 9 of Namespace"):
        decode(body("v1", "Namespace", field(9, b"\x08\x01")))
    with pytest.raises(UnsupportedMediaType, match="apps/v1 Deployment"):
        decode(body("apps/v1", "Deployment", b""))
    assert decode(body("v1", "Namespace", field(3, field(1, b""))))["kind"] == "Namespace"


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_broken_bodies_are_refused_not_fatal(raw: bytes) -> None:
    try:
        decode(body("batch/v1", "Job", raw))
    except ApiError as error:
        assert error.code in (400, 415)


def long_field(number: int, data: bytes) -> bytes:
    length, size = len(data), b""
    while length >= 0x80:
        size, length = size + bytes((length & 0x7F | 0x80,)), length >> 7
    return bytes((number << 3 | 2,)) + size + bytes((length,)) + data


def refused(raw: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        decode(raw)
    assert caught.value.code in (400, 415)
    assert len(str(caught.value)) < 300
    return caught.value


def test_a_number_where_bytes_belong_is_refused_and_allocates_nothing() -> None:
    number = struct.pack("<I", 1_000_000_000)
    tracemalloc.start()
    try:
        refused(b"k8s\0" + field(1, b"\x15" + number))  # kind, fixed32
        refused(b"k8s\0\x0d" + number)  # the envelope's typeMeta
        refused(body("v1", "ConfigMap", b"\x15" + number))  # a map
        refused(body("v1", "Secret", field(2, field(1, b"k") + b"\x15" + number)))  # a value
        refused(body("v1", "Namespace", field(1, b"\x0d" + number)))  # metadata.name
        refused(body("v1", "ServiceAccount", b"\x1d" + number))  # a list's item
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_bytes_where_a_number_belongs_are_refused() -> None:
    error = refused(body("v1", "ConfigMap", field(4, b"yes")))
    assert "immutable is bytes on the wire" in error.message


def test_fields_nested_without_end_are_refused() -> None:
    raw = b"\x08\x00"
    for _ in range(3000):
        raw = long_field(15, raw)
    assert (
        "field 15 of Namespace" in refused(b"k8s\0" + field(1, TYPE) + long_field(2, raw)).message
    )


TYPE = field(1, b"v1") + field(2, b"Namespace")


def test_moments_that_no_calendar_has_are_refused() -> None:
    created = field(8, b"\x08" + b"\xff" * 8 + b"\x7f")  # seconds = 2^63 - 1
    assert "years 1 to 9999" in refused(body("v1", "Namespace", field(1, created))).message
