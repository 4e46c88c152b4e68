"""Small clusters at random in which pods want to be near each other, or far, or spread."""

from __future__ import annotations

import random
from typing import Any

from mizzen.base.objects import Obj
from mizzen.base.resources import NAMESPACES
from support.scheduler_world import CREATED, World, node, pod

ZONE, RACK, HOST = "zone", "rack", "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
TAINT = {"key": "k", "effect": "NoSchedule"}


def namespace(name: str, **labels: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "uid": f"ns-{name}", "labels": labels, "resourceVersion": "1"},
    }


def random_world(rng: random.Random) -> World:
    """Nodes with room, pods that run on them, and nobody who waits."""
    nodes: list[Obj] = []
    for number in range(rng.randint(1, 6)):
        labels = {HOST: f"n{number}"}
        if rng.random() < 0.85:
            labels[ZONE] = rng.choice("ab")
        if rng.random() < 0.7:
            labels[RACK] = rng.choice(["x", "y", ""])
        spec: Obj = {"taints": [TAINT]} if rng.random() < 0.15 else {}
        if rng.random() < 0.1:
            spec["unschedulable"] = True
        nodes.append(node(f"n{number}", cpu="64", labels=labels, **spec))
    spaces = [namespace("default", team="one"), namespace("other", team="two")]
    world = World(nodes=nodes, slices=[], others={NAMESPACES: spaces})
    for number in range(rng.randint(0, 7)):
        made = random_pod(f"r{number}", rng)
        made["spec"]["nodeName"] = f"n{rng.randrange(len(nodes) + 1)}"  # one of them is unknown
        if rng.random() < 0.15:
            made["metadata"]["deletionTimestamp"] = CREATED
        if rng.random() < 0.1:
            made["status"]["phase"] = "Succeeded"
        world.add(made)
    return world


def random_pod(name: str, rng: random.Random, **more: Any) -> Obj:
    made = pod(name, **more)
    made["metadata"]["namespace"] = "default" if rng.random() < 0.75 else "other"
    made["metadata"]["labels"] |= {"app": rng.choice("pq")}
    if rng.random() < 0.6:
        made["metadata"]["labels"] |= {"hash": rng.choice("12")}
    spec: Obj = made["spec"]
    affinity: Obj = {}
    for kind, chance in (("podAffinity", 0.3), ("podAntiAffinity", 0.4)):
        if rng.random() < chance:
            affinity[kind] = {REQUIRED: [random_term(rng) for _ in range(rng.choice([1, 1, 2]))]}
    if affinity:
        spec["affinity"] = affinity
    if rng.random() < 0.35:
        spec["topologySpreadConstraints"] = [
            random_spread(key, rng) for key in rng.sample([ZONE, RACK, HOST], k=rng.choice([1, 2]))
        ]
    if rng.random() < 0.3:
        port = {"containerPort": 80, "hostPort": rng.choice([80, 81])}
        port |= {"hostIP": rng.choice(["127.0.0.1", "127.0.0.2"])} if rng.random() < 0.4 else {}
        port |= {"protocol": "UDP"} if rng.random() < 0.2 else {}
        spec["containers"][0]["ports"] = [port]
    if rng.random() < 0.3:
        spec["tolerations"] = [{"key": "k", "operator": "Exists"}]
    if rng.random() < 0.2:
        spec["nodeSelector"] = {ZONE: "a"}
    return made


def random_selector(rng: random.Random) -> Obj | None:
    if rng.random() < 0.05:
        return None
    chosen: list[Obj] = [
        {},
        {"matchLabels": {"app": rng.choice("pq")}},
        {"matchExpressions": [{"key": "hash", "operator": rng.choice(["Exists", "DoesNotExist"])}]},
        {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": [rng.choice("pq")]}]},
    ]
    return rng.choice(chosen)


def random_term(rng: random.Random) -> Obj:
    term: Obj = {"topologyKey": rng.choice([ZONE, RACK, HOST])}
    selector = random_selector(rng)
    if selector is not None:
        term["labelSelector"] = selector
    if rng.random() < 0.2:
        term["namespaces"] = ["other"]
    if rng.random() < 0.2:
        term["namespaceSelector"] = rng.choice([{}, {"matchLabels": {"team": "two"}}])
    if rng.random() < 0.2:
        term[rng.choice(["matchLabelKeys", "mismatchLabelKeys"])] = ["hash"]
    return term


def random_spread(key: str, rng: random.Random) -> Obj:
    one: Obj = {"topologyKey": key, "maxSkew": rng.choice([1, 1, 2])}
    one["whenUnsatisfiable"] = rng.choice(["DoNotSchedule"] * 4 + ["ScheduleAnyway"])
    selector = random_selector(rng)
    if selector is not None:
        one["labelSelector"] = selector
    if rng.random() < 0.3 and one["whenUnsatisfiable"] == "DoNotSchedule":
        one["minDomains"] = rng.choice([2, 3])
    if rng.random() < 0.3:
        one["nodeAffinityPolicy"] = "Ignore"
    if rng.random() < 0.3:
        one["nodeTaintsPolicy"] = "Honor"
    if rng.random() < 0.2:
        one["matchLabelKeys"] = ["hash"]
    return one
