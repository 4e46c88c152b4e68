"""Bodies as kubectl encodes them; the whole way is tested with kubectl itself."""

from __future__ import annotations

import random
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.apiserver.core.envelope import NoJson, Unread
from mizzen.apiserver.core.protobuf import decode
from mizzen.apiserver.core.protobuf_answers import encode
from mizzen.base.errors import ApiError, BadRequest
from support.protobuf_cases import CASES


def varint(number: int) -> bytes:
    found = b""
    while number >= 0x80:
        found, number = found + bytes((number & 0x7F | 0x80,)), number >> 7
    return found + bytes((number,))


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


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


def test_fields_of_a_newer_release_are_passed_over() -> None:
    """As upstream does: a newer client must not be refused for a field that asks for nothing."""
    made = decode(body("v1", "Namespace", field(9, b"\x08\x01") + field(1, field(1, b"n"))))
    assert made["metadata"] == {"name": "n"}


def test_what_is_no_kind_of_upstream_is_refused() -> None:
    for api_version, kind in (("mizzen.dev/v1alpha1", "Plan"), ("apps/v2", "Deployment")):
        with pytest.raises(Unread, match=f'no kind "{kind}" is registered') as caught:
            decode(body(api_version, kind, b""))
        assert (caught.value.api_version, caught.value.kind) == (api_version, kind)


def test_a_body_that_does_not_say_what_it_is_is_what_is_expected() -> None:
    assert decode(body("", "", b""), ("v1", "Pod")) == {"apiVersion": "v1", "kind": "Pod"}


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (b"", "empty data"),
        (b"k8s\0", "empty body"),
        (b"{}", r"expected prefix \[107 56 115 0\]"),
        (b"k8s\0\x0a", "unexpected EOF"),
        (b"k8s\0" + b"\xff" * 11, "proto: integer overflow"),
    ],
)
def test_what_is_no_message_is_told_in_the_words_of_gos_reader(sent: bytes, problem: str) -> None:
    with pytest.raises(NoJson, match=problem):
        decode(sent)


def test_zeros_are_kept_where_go_has_a_pointer() -> None:
    """`kubectl create deployment --replicas=0` means none, not the default."""
    spec = number(1, 0) + number(5, 0)  # replicas, minReadySeconds
    made = decode(body("apps/v1", "Deployment", field(2, spec)))
    assert made["spec"] == {"replicas": 0}


def test_what_go_holds_inline_is_part_of_its_object() -> None:
    source = field(2, b"")  # emptyDir, in the message volumeSource
    volume = field(1, b"scratch") + field(2, source)
    spec = field(1, volume) + field(2, field(1, b"c") + field(10, field(1, field(1, b""))))
    made = decode(body("v1", "Pod", field(2, spec)))
    assert made["spec"]["volumes"] == [{"name": "scratch", "emptyDir": {}}]
    assert made["spec"]["containers"] == [{"name": "c", "livenessProbe": {"exec": {}}}]


def test_values_that_are_messages_on_the_wire() -> None:
    requests = field(1, b"cpu") + field(2, field(1, b"500m"))
    limits = field(2, requests)
    port = number(1, 1) + number(2, 0) + field(3, b"http")  # int-or-string: a string
    got = field(2, field(1, b"/") + field(2, port))  # httpGet
    container = field(8, limits) + field(11, field(1, got))
    pod = decode(body("v1", "Pod", field(2, field(2, container))))
    (made,) = pod["spec"]["containers"]
    assert made["resources"] == {"requests": {"cpu": "500m"}}
    assert made["readinessProbe"] == {"httpGet": {"path": "/", "port": "http"}}


def test_moments_are_written_as_json_has_them() -> None:
    spec = field(1, b"me") + number(2, 15) + field(4, number(1, 1767624000) + number(2, 1000))
    lease = decode(body("coordination.k8s.io/v1", "Lease", field(2, spec)))
    assert lease["spec"]["leaseDurationSeconds"] == 15
    assert lease["spec"]["renewTime"] == "2026-01-05T14:40:00.000001Z"
    never = field(8, number(1, 2**64 - 62_135_596_800) + number(2, 0))  # Go's zero
    assert "creationTimestamp" not in decode(body("v1", "Namespace", field(1, never)))["metadata"]


def test_schemas_of_definitions() -> None:
    """Where JSON has a schema or a boolean, a schema or a list: each is a message of its own."""
    inner = field(5, b"string")
    items = field(24, field(1, inner))
    schema = field(5, b"array") + items + field(30, number(1, 1))
    pair = field(1, b"a") + field(2, schema)
    open_schema = field(29, pair) + field(5, b"object") + field(8, field(1, b'{"a":[]}'))
    version = field(1, b"v1") + field(4, field(1, open_schema))
    raw = field(2, field(7, version))
    made = decode(body("apiextensions.k8s.io/v1", "CustomResourceDefinition", raw))
    shown = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert shown["properties"]["a"]["items"] == {"type": "string"}
    assert shown["properties"]["a"]["additionalProperties"] is True
    assert shown["default"] == {"a": []}


def test_a_message_in_parts_is_one() -> None:
    first, second = field(1, field(1, b"n")), field(1, field(3, b"space"))
    made = decode(body("v1", "ConfigMap", first + second))
    assert made["metadata"] == {"name": "n", "namespace": "space"}


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_broken_bodies_are_refused_not_fatal(raw: bytes) -> None:
    try:
        decode(body("batch/v1", "Job", raw))
        decode(body("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, raw)))
    except ApiError as error:
        assert error.code in (400, 415)


def test_bodies_with_flipped_bytes_are_read_or_refused() -> None:
    chance = random.Random(36)
    bodies = [encode(case) for case in CASES]
    for _ in range(3000):
        changed = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(1, 5)):
            changed[chance.randrange(4, len(changed))] = chance.randrange(256)
        try:
            decode(bytes(changed))
        except ApiError as error:
            assert error.code in (400, 415)


def refused(raw: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        decode(raw)
    assert caught.value.code in (400, 415)
    assert len(str(caught.value)) < 300
    return caught.value


def test_a_number_where_bytes_belong_is_refused_and_allocates_nothing() -> None:
    huge = struct.pack("<I", 1_000_000_000)
    tracemalloc.start()
    try:
        refused(b"k8s\0" + field(1, b"\x15" + huge))  # kind, fixed32
        refused(b"k8s\0\x0d" + huge)  # the envelope's typeMeta
        refused(body("v1", "ConfigMap", b"\x15" + huge))  # a map
        refused(body("v1", "Secret", field(2, field(1, b"k") + b"\x15" + huge)))  # a value
        refused(body("v1", "Namespace", field(1, b"\x0d" + huge)))  # metadata.name
        refused(body("v1", "ServiceAccount", b"\x1d" + huge))  # a list's item
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_bytes_where_a_number_belongs_are_refused() -> None:
    error = refused(body("v1", "ConfigMap", field(4, b"yes")))
    assert "immutable is bytes on the wire" in error.message


def test_messages_nested_without_end_are_refused() -> None:
    raw = b""
    for _ in range(3000):
        raw = field(28, raw)  # not
    version = field(4, field(1, raw))
    whole = field(2, field(7, version))
    made = field(1, field(1, b"apiextensions.k8s.io/v1") + field(2, b"CustomResourceDefinition"))
    assert "nested more than" in refused(b"k8s\0" + made + field(2, whole)).message


TYPE = field(1, b"v1") + field(2, b"Namespace")


def test_moments_that_no_calendar_has_are_refused() -> None:
    created = field(8, number(1, 2**63 - 1))
    assert "years 1 to 9999" in refused(body("v1", "Namespace", field(1, created))).message


def test_a_body_of_millions_of_fields_is_refused_before_they_are_read() -> None:
    unknown = b"\x78\x00" * (1 << 20)  # two bytes each, which no message of upstream has
    with pytest.raises(BadRequest, match="more than 200000 fields"):
        decode(body("v1", "ConfigMap", unknown))
