"""Files of volumes: entries of maps, fields of the pod, tokens; of a projected volume all in one."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import Obj
from mizzen.node.core.environment import Sources, Unresolved, needed
from mizzen.node.core.projection import TokenWish, files_of, token_wishes

POD: Obj = {
    "metadata": {"name": "p", "namespace": "team", "uid": "u", "labels": {"a": "1", "b": "2"}},
    "spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": "1500m"}}}]},
}
MAP: Obj = {"kind": "ConfigMap", "data": {"ca.crt": "CA", "other": "x"}}
SECRET: Obj = {"kind": "Secret", "data": {"k": "aGk="}}
SOURCES = Sources(
    {"m": MAP}, {"s": SECRET}, tokens={TokenWish("", 3607): "t", TokenWish("a", 3600): "ta"}
)


def projected(*sources: Obj) -> Obj:
    return {"name": "v", "projected": {"sources": list(sources)}}


def contents(volume: Obj, sources: Sources = SOURCES) -> dict[str, tuple[bytes, int]]:
    return {path: tuple(file) for path, file in files_of(POD, volume, sources).items()}


def test_the_volume_that_in_cluster_clients_read() -> None:
    volume = projected(
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "m", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    )  # fmt: skip
    assert contents(volume) == {
        "token": (b"t", 0o400), "ca.crt": (b"CA", 0o444), "namespace": (b"team", 0o444),
    }  # fmt: skip


def test_a_later_source_wins_and_secrets_are_their_owners_alone() -> None:
    items = [{"key": "k", "path": "other"}]
    volume = projected({"configMap": {"name": "m"}}, {"secret": {"name": "s", "items": items}})
    assert contents(volume) == {"ca.crt": (b"CA", 0o444), "other": (b"hi", 0o400)}


def test_fields_of_the_pod_are_files() -> None:
    items: list[Obj] = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu"}},
    ]
    volume = {"name": "v", "downwardAPI": {"items": items}}
    assert contents(volume) == {"labels": (b'a="1"\nb="2"', 0o444), "cpu": (b"2", 0o444)}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"configMap": {"name": "none"}}, 'ConfigMap "none" does not exist'),
        ({"secret": {"name": "s", "items": [{"key": "x", "path": "x"}]}}, "has no key 'x'"),
        ({"podCertificate": {"signerName": "x"}}, "is of type"),
    ],
)
def test_what_is_not_there_is_said(source: dict[str, Any], words: str) -> None:
    with pytest.raises(Unresolved, match=words):
        files_of(POD, projected(source), SOURCES)
    if "podCertificate" not in source:
        next(iter(source.values()))["optional"] = True
        assert files_of(POD, projected(source), SOURCES) == {}


def test_what_a_pod_needs_is_known_before() -> None:
    volume = projected(
        {"serviceAccountToken": {"path": "x", "audience": "a"}},
        {"configMap": {"name": "m"}},
        {"secret": {"name": "s"}},
    )
    spec: Obj = {"containers": [], "volumes": [volume]}
    assert token_wishes(spec) == {"v": {"x": TokenWish("a", 3600)}}
    assert needed(spec) == ({"m"}, {"s"})
    assert contents(volume)["x"] == (b"ta", 0o400)
