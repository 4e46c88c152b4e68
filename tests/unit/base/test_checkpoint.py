"""A checkpoint's bytes: manifests of both versions, layouts, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mizzen.base.checkpoint import (
    Layout,
    Manifest,
    Shard,
    item_bytes,
    parse_head,
    parse_manifest,
    step_of,
)


def test_elements_are_as_wide_as_numpy_says() -> None:
    for code in "?bhilqBHILQefdgFDG":
        kind = np.dtype(code)
        assert item_bytes(kind.name) == kind.itemsize, kind
    for name, width in (("bfloat16", 2), ("float8_e4m3fn", 1), ("int4", 1), ("str160", 20)):
        assert item_bytes(name) == width
    with pytest.raises(ValueError, match="'object'"):
        item_bytes("object")


def test_a_manifest_comes_back_with_every_shard_and_where_its_arrays_lie() -> None:
    pieces = {"w": ((4, 0), (6, 3))}
    leaves = Layout.of({"w": np.zeros((2, 3), np.float32), "n": np.zeros(())}, pieces).leaves
    written = Manifest(9, (Shard("shard-0", 64, 5, 7, leaves), Shard("shard-1", 128, 6, None)))
    assert parse_manifest(written.to_json()) == written


def test_a_manifest_without_a_version_is_of_one_shard() -> None:
    old = b'{"step": 6, "bytes": 448, "checksum": 78, "crc32": 40}'
    assert parse_manifest(old) == Manifest(6, (Shard("state", 448, 78, 40),))
    older = b'{"step": 6, "bytes": 448, "checksum": 78}'
    assert parse_manifest(older).shards[0].crc32 is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 3}, "of version 3"),
        ({"shards": []}, "names no shards"),
        ({"shards": [7]}, "is no object but int"),
        ({"shards": [{"file": "../owner", "bytes": 1, "checksum": 1}]}, "names a file '../owner'"),
        ({"shards": [{"file": "a", "bytes": True, "checksum": 1}]}, "no whole number 'bytes'"),
        ({"shards": [{"file": "a", "bytes": 1, "checksum": 1, "leaves": [[1]]}]}, "leaves are odd"),
        ({"step": "9"}, "no whole number 'step'"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(change: dict[str, object], said: str) -> None:
    good = json.loads(Manifest(9, (Shard("state", 64, 5),)).to_json())
    with pytest.raises(ValueError, match=said):
        parse_manifest(json.dumps(good | change).encode())


def test_bytes_that_do_not_begin_like_a_state_are_none() -> None:
    for data in (b"", bytes(31), bytes(32)):
        with pytest.raises(ValueError, match=r"shorter than a head|begin like a state"):
            parse_head(data, len(data))
    for table in (
        b"{}",
        b"[]",
        b'{"leaves": [["a", "float32"]]}',
        b'{"leaves": [["a", "f", [1]]]}',
    ):
        with pytest.raises(ValueError, match=r"odd|type|unpack"):
            Layout.parse(table)


def test_folders_are_named_for_their_steps() -> None:
    assert [step_of(n) for n in ("step-0", "step-12")] == [0, 12]
    assert not any(step_of(n) for n in ("step-012", "step-", "step-x", "12", ".step-5.tmp"))
