"""Bodies as kubectl encodes them; the whole way is tested with kubectl itself."""

from __future__ import annotations

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
