"""Pods, claims and groups that would hold up the scheduler; whoever comes after them gets a place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random
from typing import Any

from attack.stage import NAMESPACE, Attack, Stage
from support.neighbour_cases import random_pod

CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
GROUPS = "/apis/scheduling.k8s.io/v1alpha2/namespaces/default/podgroups"
CORE = "cpu-core.mizzen.dev"
PLACE_S = 20.0  # within which a pod of somebody else has a node
CROWD = 60  # pods of one strike
_LETTERS = '"' + "a" * 500 + '"'
_SHARED = "[[1]]" + ".map(x, [x, x])" * 40
BOMBS = {
    "nested replacements": _LETTERS + f'.replace("a", {_LETTERS})' * 3 + ".size() > 0",
    "a list added to itself": "[[1]]" + ".map(x, x + x)" * 40 + ".size() > 0",
    "a list shared with itself": f"cel.bind(l, {_SHARED}, cel.bind(m, {_SHARED}, l == m))",
    "long lists": "lists.range(90000).map(x, [x" + ",1" * 4500 + "]).size() > 0",
    "a million steps": "lists.range(1000).all(i, lists.range(1000).all(j, i + j >= 0))",
    "a text without end": f'cel.bind(b, {_LETTERS}.replace("a", {_LETTERS}), '
    "lists.range(2000).map(x, b).join(b).size() > 0)",
}


def attacks(stage: Stage) -> Iterator[Attack]:
    for name, expression in BOMBS.items():
        yield Attack(f"selector: {name}", lambda e=expression: _selector(stage, e))
    yield Attack("many dear selectors", lambda: _dear(stage))
    yield Attack("sixty pods that mind each other", lambda: _crowd(stage))
    yield Attack("a gang of unequal members that fits nowhere", lambda: _unequal(stage))
    yield Attack("pods deleted by force while others wait", lambda: _vanishing(stage))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    """Pods whose neighbours matter in every way, a few at a time."""
    number = 0
    while True:
        number += 1
        pods = [random_pod(f"near-{time.monotonic_ns():x}-{n}", chance) for n in range(5)]
        yield Attack(f"generated {number}", lambda pods=pods: _random(stage, pods))


def _selector(stage: Stage, expression: str) -> None:
    name = f"bomb-{time.monotonic_ns():x}"
    request = {"deviceClassName": CORE, "selectors": [{"cel": {"expression": expression}}]}
    spec = {"devices": {"requests": [{"name": "r", "exactly": request}]}}
    written = stage.request("POST", CLAIMS, {"metadata": {"name": name}, "spec": spec})
    assert written.status in (201, 422), written.said
    claims = [{"name": "c", "resourceClaimName": name}]
    stage.create_pod(name, ["/bin/true"], resourceClaims=claims)
    _others_get_places(stage)
    stage.delete(f"{NAMESPACE}/pods/{name}")
    if written.status == 201:
        stage.request("DELETE", f"{CLAIMS}/{name}")


def _dear(stage: Stage) -> None:
    names = [f"dear-{time.monotonic_ns():x}-{n}" for n in range(5)]
    for at, name in enumerate(names):
        expression = f"lists.range({60000 + at}).all(x, x >= 0) && device.driver == 'x'"
        request = {"deviceClassName": CORE, "selectors": [{"cel": {"expression": expression}}]}
        spec = {"devices": {"requests": [{"name": "r", "exactly": request}]}}
        stage.request("POST", CLAIMS, {"metadata": {"name": name}, "spec": spec})
        claims = [{"name": "c", "resourceClaimName": name}]
        stage.create_pod(name, ["/bin/true"], resourceClaims=claims)
    _others_get_places(stage)
    for name in names:
        stage.delete(f"{NAMESPACE}/pods/{name}")
        stage.request("DELETE", f"{CLAIMS}/{name}")


def _crowd(stage: Stage) -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    spread = {"topologyKey": "none", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    names = [f"crowd-{time.monotonic_ns():x}-{n}" for n in range(CROWD)]
    for at, name in enumerate(names):
        more: dict[str, Any] = {"affinity": apart} if at % 2 else {}
        more |= {"topologySpreadConstraints": [spread]} if at % 3 == 0 else {}
        made = stage.create_pod(name, ["/bin/sleep", "60"], nodeSelector={"no": "where"}, **more)
        assert made.status < 500, made.said
    _others_get_places(stage)
    for name in names:
        stage.delete(f"{NAMESPACE}/pods/{name}")


def _unequal(stage: Stage) -> None:
    group = f"unequal-{time.monotonic_ns():x}"
    spec = {"schedulingPolicy": {"gang": {"minCount": 20}}}
    stage.request("POST", GROUPS, {"metadata": {"name": group}, "spec": spec})
    for rank in range(20):
        container = {"resources": {"requests": {"cpu": f"{rank + 90}m", "memory": f"{rank}Gi"}}}
        belongs = {"podGroupName": group}
        name = f"{group}-{rank}"
        stage.create_pod(name, ["/bin/true"], container=container, schedulingGroup=belongs)
    _others_get_places(stage)
    for rank in range(20):
        stage.delete(f"{NAMESPACE}/pods/{group}-{rank}")
    stage.request("DELETE", f"{GROUPS}/{group}")


def _vanishing(stage: Stage) -> None:
    """What a pod held by force goes to who waits for it."""
    names = [f"vanishing-{time.monotonic_ns():x}-{n}" for n in range(2)]
    first, second = names
    ports = {"ports": [{"containerPort": 80, "hostPort": 8099}]}
    stage.create_pod(first, ["/bin/sleep", "60"], container=ports)
    stage.until(lambda: _node_of(stage, first), f"{first} to have a node", PLACE_S)
    stage.create_pod(second, ["/bin/sleep", "60"], container=ports)
    stage.delete(f"{NAMESPACE}/pods/{first}")
    stage.until(lambda: _node_of(stage, second), f"{second} to have a node", PLACE_S)
    stage.delete(f"{NAMESPACE}/pods/{second}")


def _random(stage: Stage, pods: list[dict[str, Any]]) -> None:
    for pod in pods:
        metadata = {"name": pod["metadata"]["name"], "labels": pod["metadata"]["labels"]}
        spec = pod["spec"]
        spec["containers"][0] |= {"image": "mizzen.dev/python", "command": ["/bin/true"]}
        made = stage.request("POST", f"{NAMESPACE}/pods", {"metadata": metadata, "spec": spec})
        assert made.status < 500, made.said
    _others_get_places(stage)
    for pod in pods:
        stage.delete(f"{NAMESPACE}/pods/{pod['metadata']['name']}")


def _others_get_places(stage: Stage) -> None:
    name = f"after-{time.monotonic_ns():x}"
    made = stage.create_pod(name, ["/bin/true"])
    assert made.status == 201, made.said
    stage.until(
        lambda: _node_of(stage, name), "a pod that asks for nothing to have a node", PLACE_S
    )
    stage.delete(f"{NAMESPACE}/pods/{name}")


def _node_of(stage: Stage, name: str) -> str:
    return stage.pod(name).get("spec", {}).get("nodeName", "")
