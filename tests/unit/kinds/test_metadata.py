"""Checks of ObjectMeta, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.metadata import check_metadata, immutable
from mizzen.kinds.names import dns_subdomain


def _fields(
    metadata: dict[str, Any], old: dict[str, Any] | None = None, namespaced: bool = True
) -> list[str]:
    before = {"metadata": old} if old is not None else None
    return [
        c.field for c in check_metadata({"metadata": metadata}, before, namespaced, dns_subdomain)
    ]


@pytest.mark.parametrize(
    ("metadata", "fields"),
    [
        ({"name": "ok.example"}, []),
        ({}, ["metadata.name"]),
        ({"name": "Not_ok"}, ["metadata.name"]),
        ({"name": "a", "namespace": "a.b"}, ["metadata.namespace"]),
        ({"name": "a", "labels": {"x/y/z": "1"}}, ["metadata.labels"]),
        ({"name": "a", "labels": {"x": "no spaces please"}}, ["metadata.labels"]),
        ({"name": "a", "labels": {"x": ""}}, []),
        ({"name": "a", "annotations": {"Upper.io/Fine": "any text\n"}}, []),
        ({"name": "a", "annotations": {"": "x"}}, ["metadata.annotations"] * 2),
        ({"name": "a", "generation": -1}, ["metadata.generation"]),
        ({"name": "a", "generateName": "Ab_-"}, ["metadata.generateName"]),
        ({"name": "a", "generateName": "a-"}, []),
        ({"name": "a", "finalizers": ["orphan", "kubernetes"]}, []),
        ({"name": "a", "finalizers": ["x"]}, ["metadata.finalizers[0]"]),
        ({"name": "a", "finalizers": ["orphan", "foregroundDeletion"]}, ["metadata.finalizers"]),
        ({"name": "a", "annotations": {"x": "y" * 300_000}}, ["metadata.annotations"]),
        ({"name": "a", "finalizers": ["bad f"]}, ["metadata.finalizers", "metadata.finalizers[0]"]),
        (
            {
                "name": "a",
                "ownerReferences": [{"apiVersion": "v1", "kind": "", "name": "x", "uid": "u"}],
            },
            ["metadata.ownerReferences.kind"],
        ),
    ],
)
def test_creates(metadata: dict[str, Any], fields: list[str]) -> None:
    assert _fields(metadata) == fields


def test_two_controllers_are_one_too_many() -> None:
    owner = {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u", "controller": True}
    assert _fields({"name": "a", "ownerReferences": [owner, owner]}) == ["metadata.ownerReferences"]


def test_cluster_scoped_objects_have_no_namespace() -> None:
    assert _fields({"name": "a", "namespace": "n"}, namespaced=False) == ["metadata.namespace"]


def test_updates() -> None:
    old = {
        "name": "a",
        "uid": "1",
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": ["x/y"],
    }
    assert _fields({**old, "uid": "2"}, old) == ["metadata.uid"]
    assert _fields({**old, "finalizers": []}, old) == []
    assert _fields({**old, "finalizers": ["x/y", "x/z"]}, old) == ["metadata.finalizers"]


def test_immutable_fields() -> None:
    old, new = {"spec": {"a": 1, "b": {"c": 2}}}, {"spec": {"a": 1, "b": {"c": 3}}}
    assert (
        immutable(new, old, "spec.a", "spec.b.c")[0].message
        == "Invalid value: 3: field is immutable"
    )
    assert immutable(new, None, "spec.b.c") == []
