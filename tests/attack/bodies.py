"""Bodies that are large, deep, half, doubled, or not what their type says."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

from attack.stage import NAMESPACE, Attack, Stage

PROTOBUF = "application/vnd.kubernetes.protobuf"
PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
MAPS = f"{NAMESPACE}/configmaps"


def attacks(stage: Stage) -> Iterator[Attack]:
    for name, body in _raw():
        yield Attack(f"JSON: {name}", lambda body=body: _refused(stage, body, "application/json"))
    for text, read in (
        (b"\xff\xfe", "\ufffd" * 2),
        (b"\\ud83d", "\ufffd"),
        (b"\xed\xa0\x80", "\ufffd" * 3),
    ):
        yield Attack(f"JSON: no text: {text!r}", lambda t=text, r=read: _replaced(stage, t, r))
    for name, body in _wire():
        yield Attack(f"protobuf: {name}", lambda body=body: _refused(stage, body, PROTOBUF))
    yield Attack("JSON patch that copies into itself", lambda: _copy_bomb(stage))
    yield Attack("patch of ten thousand finalizers", lambda: _finalizers(stage))
    yield Attack("key that would end a header", lambda: _header(stage))
    yield Attack("gateway: odd bodies", lambda: _gateway(stage))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    number = 0
    while True:
        number += 1
        body = _mutated(chance)
        kind = chance.choice(["create", *PATCHES])
        yield Attack(
            f"generated {number} ({kind})", lambda body=body, kind=kind: _any(stage, body, kind)
        )


def _raw() -> Iterator[tuple[str, bytes]]:
    whole = json.dumps(_config_map("raw")).encode()
    yield "empty", b""
    yield "half", whole[: len(whole) // 2]
    yield "byte order mark", b"\xef\xbb\xbf" + whole
    for depth in (253, 254, 300, 1023, 5000, 100_000):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        yield f"{depth} deep", whole[:-1] + b',"zz":' + deep + b"x"
        yield f"{depth} brackets", b"[" * depth
    yield "4 MB of text", json.dumps(_config_map("x" * 4_000_000)).encode()
    yield "number of 400 digits", whole.replace(b'"raw"', b"9" * 400)
    yield "not an object", b"[1,2,3]"


def _wire() -> Iterator[tuple[str, bytes]]:
    for size in (10 << 20, 1000 << 20):
        yield (
            f"fixed32 for a string, {size >> 20} MiB",
            (b"k8s\0" + b"\x0a\x05" + b"\x15" + struct.pack("<I", size)),
        )
    yield "length beyond the end", b"k8s\0\x0a\xff\xff\xff\xff\x0f"
    yield "varint without end", b"k8s\0" + b"\xff" * 4096
    nested = b""
    for _ in range(3000):
        nested = b"\x0a" + _varint(len(nested)) + nested
    yield "3000 deep", b"k8s\0" + nested
    yield "magic only", b"k8s\0"


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _refused(stage: Stage, body: bytes, content_type: str) -> None:
    try:
        answer = stage.request("POST", MAPS, body, content_type=content_type)
    except (ConnectionError, TimeoutError) as error:
        raise AssertionError(f"no answer: {error}") from error
    assert 400 <= answer.status < 500, answer.said
    assert answer.json["kind"] == "Status", answer.said


def _replaced(stage: Stage, text: bytes, read: str) -> None:
    """What is no text is read as Go reads it, and text is what is stored."""
    body = json.dumps(_config_map("raw")).encode().replace(b"raw", text)
    answer = stage.request("POST", MAPS, body, content_type="application/json")
    assert answer.status == 201, answer.said
    found = stage.request("GET", f"{MAPS}/attacked").json
    stage.delete(f"{MAPS}/attacked")
    assert found["data"] == {"k": read}, found


def _config_map(value: str, name: str = "attacked") -> dict[str, Any]:
    metadata = {"name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": value}}


def _copy_bomb(stage: Stage) -> None:
    stage.request("POST", MAPS, _config_map("v", "bomb"))
    operations: list[dict[str, Any]] = [
        {"op": "add", "path": "/data", "value": {"a": "x" * 10_000}},
    ]
    for number in range(400):
        operations.append({"op": "copy", "from": "/data/a", "path": f"/data/b{number}"})
    for _ in range(20):
        operations.append({"op": "copy", "from": "/data", "path": "/metadata/annotations"})
    answer = stage.request("PATCH", f"{MAPS}/bomb", operations, content_type=PATCHES["json"])
    assert 400 <= answer.status < 500, answer.said
    stage.delete(f"{MAPS}/bomb")


def _finalizers(stage: Stage) -> None:
    made = _config_map("v", "finalized")
    made["metadata"]["finalizers"] = [f"example.com/f{n}" for n in range(10_000)]
    created = stage.request("POST", MAPS, made)
    assert created.status < 500, created.said
    more = {"metadata": {"finalizers": [f"example.com/g{n}" for n in range(10_000)]}}
    answer = stage.request("PATCH", f"{MAPS}/finalized", more, content_type=PATCHES["strategic"])
    assert answer.status < 500, answer.said
    stage.request(
        "PATCH",
        f"{MAPS}/finalized",
        {"metadata": {"finalizers": None}},
        content_type=PATCHES["merge"],
    )
    stage.delete(f"{MAPS}/finalized")


def _header(stage: Stage) -> None:
    body = _config_map("v", "headed") | {"x\r\nX-Evil: yes": 1} | {f"u{n}": n for n in range(500)}
    answer = stage.request("POST", MAPS, body)
    assert answer.status == 201, answer.said
    assert "x-evil" not in {name.lower() for name, _ in answer.headers}
    assert sum(len(n) + len(v) for n, v in answer.headers) < 16_384, "headers of unbounded size"
    stage.delete(f"{MAPS}/headed")


def _gateway(stage: Stage) -> None:
    bodies: list[Any] = [b"", b"[]", b'{"model":', b"\xff", {"model": "\ud83d"}, {"model": []}]
    bodies += [b'{"a":' * depth + b"1" + b"}" * depth for depth in (254, 1000, 100_000)]
    bodies.append(b'{"model":"' + b"x" * (9 << 20) + b'"}')
    for body in bodies:
        answer = stage.ask("/v1/chat/completions", body)
        assert 400 <= answer.status < 500, f"{str(body)[:60]}: {answer.said}"
        assert "error" in answer.json, answer.said
    bomb = gzip.compress(b'{"model":"' + b"x" * 200_000_000)
    for packed, status in ((bomb, 413), (bomb[:-9], 413), (b"\x1f\x8b\x08", 400)):
        answer = stage.ask("/v1/completions", packed, headers={"Content-Encoding": "gzip"})
        assert answer.status == status, answer.said


_WORDS: list[Any] = [None, True, -1, 2**63, 2**64, 1e308, "", "\0", "x" * 5000, [], {}, [[]], "٣"]


def _mutated(chance: Random) -> Any:
    """A pod or ConfigMap with a few places replaced by what does not belong there."""
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": chance.choice(["ConfigMap", "ConfigMap", "Pod"]),
        "metadata": {"name": "attacked", "labels": {"a": "b"}, "annotations": {"c": "d"}},
        "data": {"k": "v"},
    }
    for _ in range(chance.randrange(1, 5)):
        place: Any = pod
        while True:
            if not isinstance(place, dict) or not place:
                break
            key = chance.choice(sorted(place))
            if isinstance(place[key], dict) and chance.random() < 0.7:
                place = place[key]
                continue
            place[key] = chance.choice(_WORDS)
            break
    return pod


def _any(stage: Stage, body: Any, kind: str) -> None:
    if kind == "create":
        answer = stage.request("POST", MAPS, body)
    else:
        change = [{"op": "add", "path": "/data/x", "value": body}] if kind == "json" else body
        stage.request("POST", MAPS, _config_map("v"))
        answer = stage.request("PATCH", f"{MAPS}/attacked", change, content_type=PATCHES[kind])
    assert answer.status < 500, answer.said
    assert answer.json["kind"] in ("Status", "ConfigMap"), answer.said
    stage.request("DELETE", f"{MAPS}/attacked")
