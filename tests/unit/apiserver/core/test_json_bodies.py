"""What Go's decoder takes for JSON is read, whatever orjson says of it."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core import json_bodies
from mizzen.apiserver.core.envelope import NoJson
from mizzen.base.errors import BadRequest


def test_halves_of_pairs_and_bytes_that_are_no_text_are_replaced() -> None:
    assert json_bodies.parse(b'["\\ud800", "\\\\ud800", "\\ud83d\\ude00"]') == [
        "\ufffd", "\\ud800", "\U0001f600",
    ]  # fmt: skip
    assert json_bodies.parse(b'"a\xff\xfeb"') == "a\ufffd\ufffdb"


def test_a_number_beyond_all_floats_is_told_with_its_place() -> None:
    with pytest.raises(json_bodies.NoNumber) as caught:
        json_bodies.parse(b'{"a": [1, {"b": -1e400}], "c": 1e400, "d": 99999999999999999999}')
    assert caught.value.paths == [("a", 1, "b"), ("c",)]
    assert caught.value.value["d"] == 1e20
    assert caught.value.problem == (
        "json: cannot unmarshal number -1e400 into Go value of type float64"
    )


def test_a_number_is_found_as_it_was_written() -> None:
    body = b'{"a": {"b": [1, 1e1]}, "c": "1e1"}'
    path = (((None, "a"), ("b",)), 1)
    assert json_bodies.literal(body, path) == "1e1"
    assert json_bodies.literal(body, (None, "c")) == json_bodies.literal(body, (None, "x")) == ""


@pytest.mark.parametrize("body", [b"", b"{", b"{'a': 1}", b"\xef\xbb\xbf{}", b"nul"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NoJson):
        json_bodies.parse(body)


def test_depth_is_bounded() -> None:
    for depth in (300, 100_000):
        with pytest.raises(BadRequest):
            json_bodies.parse(b"[" * depth + b"]" * depth)
        with pytest.raises(BadRequest):
            json_bodies.parse(b"[" * depth + b"1e400" + b"]" * depth)
