"""What would fill the store's memory or disk, stop its loops, or leave half of a refusal behind."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from random import Random
from typing import Any

from attack.stage import NAMESPACE, Attack, Stage

PLANS = "/apis/mizzen.dev/v1alpha1/plans"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MAPS = f"{NAMESPACE}/configmaps"
SHOVED = f"{NAMESPACE}/events/shoved"
MANY = 9000  # more than a watcher's queue holds
UPDATES = 150
LARGE_BYTES = 900_000
LAGGARDS = 20


def attacks(stage: Stage) -> Iterator[Attack]:
    yield Attack("deletion of 9,000 objects at once", lambda: _many(stage))
    yield Attack("large updates before watchers that never read", lambda: _laggards(stage))
    yield Attack("defaults that make a hundred megabytes", lambda: _defaults(stage))
    yield Attack("20,000 owners", lambda: _owners(stage))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    number = 0
    while True:
        number += 1
        plan = [_operation(chance) for _ in range(chance.randrange(1, 8))]
        plan.insert(chance.randrange(len(plan) + 1), _failing(chance))
        yield Attack(f"refused plan {number}", lambda plan=plan: _leaves_nothing(stage, plan))


def _map(name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "default"}, **fields}  # fmt: skip


def _plan(stage: Stage, operations: list[dict[str, Any]]) -> int:
    return stage.request("POST", PLANS, {"kind": "Plan", "spec": {"operations": operations}}).status


def _many(stage: Stage) -> None:
    marked = {"metadata": {"labels": {"attack": "many"}}}
    for first in range(0, MANY, 1000):
        operations = [
            {"op": "create", "resource": "configmaps", "object": {
                **_map(f"many-{n}"), "metadata": {**_map(f"many-{n}")["metadata"], **marked["metadata"]}}}
            for n in range(first, first + 1000)
        ]  # fmt: skip
        assert _plan(stage, operations) == 201
    said = stage.request("DELETE", f"{MAPS}?labelSelector=attack%3Dmany")
    assert said.status == 200, said.said
    left = stage.request("GET", f"{MAPS}?labelSelector=attack%3Dmany&limit=1").json["items"]
    assert not left, f"{left[0]['metadata']['name']} is still there"


def _laggards(stage: Stage) -> None:
    event = {"metadata": {"name": "shoved"}, "involvedObject": {}, "message": ""}
    stage.request("POST", f"{NAMESPACE}/events", event)
    head = (
        f"GET {NAMESPACE}/events?watch=true HTTP/1.1\r\nhost: x\r\n"
        f"authorization: Bearer {stage.token()}\r\n\r\n"
    ).encode()
    with contextlib.ExitStack() as stack:
        for _ in range(LAGGARDS):
            laggard: socket.socket = stack.enter_context(stage.connect())
            laggard.sendall(head)
        for n in range(UPDATES):
            change = {"message": f"{n}-" + "x" * LARGE_BYTES}
            said = stage.request(
                "PATCH", SHOVED, change, content_type="application/merge-patch+json"
            )
            assert said.status == 200, said.said
    stage.request("DELETE", SHOVED)


def _defaults(stage: Stage) -> None:
    item = {"type": "object", "properties": {"p": {"type": "string", "default": "x" * 5000}}}
    schema = {"type": "object", "properties": {"l": {"type": "array", "items": item}}}
    version = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": schema}}  # fmt: skip
    names = {"kind": "Bomb", "plural": "bombs", "singular": "bomb"}
    crd = {"metadata": {"name": "bombs.attack.example.com"},
           "spec": {"group": "attack.example.com", "names": names, "scope": "Namespaced",
                    "versions": [version]}}  # fmt: skip
    stage.request("POST", CRDS, crd)
    path = "/apis/attack.example.com/v1/namespaces/default/bombs"
    stage.until(lambda: stage.request("GET", path).status == 200, "bombs to be served")
    head = {"apiVersion": "attack.example.com/v1", "kind": "Bomb", "metadata": {"name": "b"}}
    said = stage.request("POST", path, {**head, "l": [{}] * 20_000})
    assert said.status in (413, 422), said.said
    stage.delete(f"{CRDS}/bombs.attack.example.com")


def _owners(stage: Stage) -> None:
    owners = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": f"o{n}", "uid": f"u{n}"}
        for n in range(20_000)
    ]
    body = _map("owned")
    body["metadata"]["ownerReferences"] = owners
    said = stage.request("POST", MAPS, body)
    assert said.status in (201, 413, 422), said.said
    stage.until(lambda: stage.request("GET", f"{MAPS}/owned").status == 404, "it to be collected")


def _operation(chance: Random) -> dict[str, Any]:
    name = f"plan-{chance.randrange(4)}"
    where = {"apiVersion": "v1", "resource": "configmaps", "namespace": "default", "name": name}
    return chance.choice(
        [
            {"op": "create", "resource": "configmaps", "object": _map(name, data={"v": "1"})},
            {"op": "patch", **where, "patch": {"data": {"v": str(chance.random())}}},
            {"op": "delete", **where},
        ]
    )


def _failing(chance: Random) -> dict[str, Any]:
    where = {"apiVersion": "v1", "resource": "configmaps", "namespace": "default"}
    deep: Any = 1
    for _ in range(chance.randrange(300, 900)):
        deep = {"a": deep}
    return chance.choice(
        [
            {"op": "delete", **where, "name": "is-not-there"},
            {"op": "patch", **where, "name": "is-not-there", "patch": {}},
            {"op": "create", "resource": "configmaps", "object": _map("No Name")},
            {"op": "create", "resource": "configmaps", "object": {**_map("deep"), "spec": deep}},
            {"op": "create", "resource": "nothing", "object": _map("x")},
            {"op": chance.choice(["", "frobnicate", None])},
        ]
    )


def _leaves_nothing(stage: Stage, plan: list[dict[str, Any]]) -> None:
    for n in range(2):
        stage.request("POST", MAPS, _map(f"plan-{n}", data={"v": "0"}))
    before = [_seen(stage, n) for n in range(4)]
    status = _plan(stage, plan)
    assert 400 <= status < 500, status
    assert [_seen(stage, n) for n in range(4)] == before, "the refused plan left something"


def _seen(stage: Stage, number: int) -> Any:
    said = stage.request("GET", f"{MAPS}/plan-{number}")
    return said.status, said.json.get("data"), said.json["metadata"].get("resourceVersion")
