"""What is encoded is decoded again; upstream's own reader is asked in tests/kubernetes."""

from __future__ import annotations

import struct

import pytest

from mizzen.apiserver.core.protobuf import decode
from mizzen.apiserver.core.protobuf_answers import can_encode, encode, frame
from support.protobuf_cases import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["kind"])
def test_an_answer_says_what_its_json_says(case: dict[str, object]) -> None:
    assert decode(encode(case)) == case


def test_lists_hold_their_items() -> None:
    items = [{"metadata": {"name": name}} for name in ("a", "b")]
    listing = {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {}, "items": items}
    body = encode({**listing, "metadata": {"resourceVersion": "7"}})
    assert body.startswith(b"k8s\0") and body.count(b"ConfigMapList") == 1
    assert body.count(b"\x0a\x01a") == body.count(b"\x0a\x01b") == 1


def test_what_upstream_does_not_have_cannot_be_encoded() -> None:
    assert can_encode("v1", "PodList") and can_encode("v1", "Status")
    assert not can_encode("mizzen.dev/v1alpha1", "ModelEndpoint")


def test_an_event_of_a_watch_has_its_length_before_it() -> None:
    made = frame("ADDED", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
    (length,) = struct.unpack(">I", made[:4])
    assert length == len(made) - 4
    assert made[4:11] == b"\x0a\x05ADDED"
