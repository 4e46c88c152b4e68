"""Jobs, TrainJobs, endpoints and claims that ask for what no machine has, or make no sense."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from attack.stage import NAMESPACE, Attack, Stage
from mizzen.base.resources import (
    JOBS,
    MODEL_ENDPOINTS,
    POD_GROUPS,
    RESOURCE_CLAIMS,
    TRAIN_JOBS,
    Resource,
)
from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.schema import Schema

MERGE = "application/merge-patch+json"
ANSWER_S_MAX = 20.0  # of one write, whatever has to be compiled for it
MUTATIONS_MAX = 4
TRACKING = "batch.kubernetes.io/job-tracking"
DEPTH_MAX = 6
INTEGERS = (0, 1, -1, 2, 7, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, 2**63, 10**30)
TEXTS = (
    "", "a", "0", "-", "0-2147483647", "A b", "x" * 64, "x" * 300, "é", "\0", "$(HOME)", "1_0",
    "../..", "true", "example.com/x", "1e309", "{}", "\ud83d\ude00",
)  # fmt: skip


def attacks(stage: Stage) -> Iterator[Attack]:
    huge = {"completions": 2**31 - 1, "completionMode": "Indexed", "backoffLimitPerIndex": 0}
    huge |= {"maxFailedIndexes": 10_000, "parallelism": 2}
    yield Attack("two thousand million completions", lambda: _short_lived(stage, _job(**huge)))
    for name, status in _odd_statuses().items():
        yield Attack(f"status of a Job: {name}", lambda status=status: _odd_status(stage, status))
    yield Attack("annotations that are no numbers", lambda: _odd_pods(stage))
    yield Attack("selectors that are slow to compile", lambda: _slow_selectors(stage))
    yield Attack("names that no pod can have", lambda: _long_names(stage))
    yield Attack("pods that no Job counts, with its finalizers", lambda: _forged(stage))
    yield Attack("a Job deleted and made again at once", lambda: _made_again(stage))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    """Objects of each kind with a few fields set to something else."""
    number = 0
    while True:
        number += 1
        resource, body = chance.choice(_bases())
        obj = _mutated(resource, body, chance)
        yield Attack(
            f"generated {number}: {resource.kind}",
            lambda resource=resource, obj=obj: _tolerated(stage, resource, obj),
        )


# -- named --------------------------------------------------------------------------


def _job(**spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "/bin/sleep", "command": ["/bin/sleep", "5"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "metadata": {"name": f"odd-{time.monotonic_ns():x}"},
        "spec": {"template": template, **spec},
    }


def _path(resource: Resource, name: str = "") -> str:
    scope = "/namespaces/default" if resource.namespaced else ""
    path = f"/apis/{resource.group}/{resource.version}{scope}/{resource.plural}"
    return f"{path}/{name}" if name else path


def _forged(stage: Stage) -> None:
    """They go when they are told to, whoever they say they belong to."""
    nobody = {"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "x", "controller": True}
    for owners in ([], [nobody]):
        name = f"forged-{time.monotonic_ns():x}"
        container = {"name": "c", "image": "/bin/true", "command": ["/bin/true"]}
        metadata = {"name": name, "finalizers": [TRACKING], "ownerReferences": owners}
        pod = {"metadata": metadata, "spec": {"restartPolicy": "Never", "containers": [container]}}
        created = stage.request("POST", f"{NAMESPACE}/pods", pod)
        assert created.status == 201, created.said
        stage.delete(f"{NAMESPACE}/pods/{name}")


def _made_again(stage: Stage) -> None:
    """The first one's pods go; the second has its own."""
    job = _job()
    name, path = job["metadata"]["name"], _path(JOBS, job["metadata"]["name"])
    assert stage.request("POST", _path(JOBS), job).status == 201
    stage.until(lambda: _status(stage, path).get("active"), f"pods of {path}")
    (first,) = _pods_of(stage, name)
    options = {"propagationPolicy": "Background"}  # by default a Job leaves its pods
    assert stage.request("DELETE", path, options).status == 200
    again = stage.request("POST", _path(JOBS), job)
    assert again.status == 201, again.said
    stage.until(
        lambda: stage.request("GET", f"{NAMESPACE}/pods/{first}").status == 404, f"{first} to go"
    )
    stage.until(lambda: _status(stage, path).get("active"), f"pods of the second {path}")
    stage.delete(path)


def _pods_of(stage: Stage, job: str) -> list[str]:
    listed = stage.request("GET", f"{NAMESPACE}/pods?labelSelector=job-name%3D{job}").json
    return [pod["metadata"]["name"] for pod in listed["items"]]


def _short_lived(stage: Stage, job: dict[str, Any]) -> None:
    """It has its first pods, and goes when it is told to; others are served meanwhile."""
    created = stage.request("POST", _path(JOBS), job)
    assert created.status == 201, created.said
    path = _path(JOBS, job["metadata"]["name"])
    stage.until(lambda: _status(stage, path).get("active"), f"pods of {path}")
    _others_are_served(stage)
    stage.delete(path)


def _others_are_served(stage: Stage) -> None:
    other = _job()
    other["spec"]["template"]["spec"]["containers"][0]["command"] = ["/bin/true"]
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "/bin/true"
    assert stage.request("POST", _path(JOBS), other).status == 201
    path = _path(JOBS, other["metadata"]["name"])
    stage.until(lambda: _status(stage, path).get("succeeded"), "another Job to be done")
    stage.delete(path)


def _status(stage: Stage, path: str) -> dict[str, Any]:
    return stage.request("GET", path).json.get("status") or {}


def _odd_statuses() -> dict[str, dict[str, Any]]:
    over = {"type": "Failed", "status": "True"}
    return {
        "indexes that are none": {"completedIndexes": "x,,-", "failedIndexes": "9-1"},
        "indexes by the thousand million": {"completedIndexes": "0-2147483646"},
        "counts below zero": {"succeeded": -5, "failed": -(2**31), "active": 2**31 - 1},
        "an end without a moment": {"conditions": [over]},
        "a start that is to come": {"startTime": "9999-12-31T23:59:59Z"},
    }


def _odd_status(stage: Stage, status: dict[str, Any]) -> None:
    job = _job(
        completions=3, parallelism=2, completionMode="Indexed", ttlSecondsAfterFinished=1,
        activeDeadlineSeconds=30,
    )  # fmt: skip
    assert stage.request("POST", _path(JOBS), job).status == 201
    path = _path(JOBS, job["metadata"]["name"])
    change = {"status": status}
    written = stage.request("PATCH", f"{path}/status", change, content_type=MERGE)
    assert written.status < 500, written.said
    _others_are_served(stage)
    stage.delete(path)


def _odd_pods(stage: Stage) -> None:
    """Whoever may write pods may write what controllers read on them."""
    job = _job(completions=2, parallelism=2, completionMode="Indexed")
    assert stage.request("POST", _path(JOBS), job).status == 201
    name = job["metadata"]["name"]
    pods = f"/api/v1/namespaces/default/pods?labelSelector=job-name={name}"
    found = stage.until(lambda: stage.request("GET", pods).json["items"], "pods")
    for text in ("x", "-1", "1" * 400, "", "٣"):
        notes = dict.fromkeys(
            ("batch.kubernetes.io/job-completion-index",
             "batch.kubernetes.io/job-index-failure-count"), text,
        )  # fmt: skip
        at = f"/api/v1/namespaces/default/pods/{found[0]['metadata']['name']}"
        stage.request("PATCH", at, {"metadata": {"annotations": notes}}, content_type=MERGE)
    _others_are_served(stage)
    stage.delete(_path(JOBS, name))


def _slow_selectors(stage: Stage) -> None:
    nested = ["[" * (200 + n) + "]" * (200 + n) + f".size() > {n}" for n in range(40)]
    wide = "{" + ",".join(f'"{i}": {{}}' for i in range(900)) + "}.size() > 0"
    selectors = [{"cel": {"expression": e}} for e in [wide, *nested][:32]]
    name = f"slow-{time.monotonic_ns():x}"
    body = {"metadata": {"name": name}, "spec": {"selectors": selectors}}
    began = time.monotonic()
    written = stage.request("POST", "/apis/resource.k8s.io/v1/deviceclasses", body)
    assert written.status in (201, 422), written.said
    assert time.monotonic() - began < ANSWER_S_MAX, "compiling held up everybody"
    if written.status == 201:
        stage.delete(f"/apis/resource.k8s.io/v1/deviceclasses/{name}")


def _long_names(stage: Stage) -> None:
    """Refused where the name is given, never accepted and silent."""
    indexed = _job(completions=20, completionMode="Indexed")
    indexed["metadata"]["name"] = "a" * 62
    train = {"runtimeRef": {"name": "jax-distributed"}, "trainer": {"numNodes": 2}}
    long = {"metadata": {"name": "a" * 56}}
    model = {"spec": {"model": {"path": "/none.gguf"}}}
    for resource, body in (
        (JOBS, indexed),
        (TRAIN_JOBS, {**long, "spec": train}),
        (MODEL_ENDPOINTS, {**long, **model}),
    ):
        refused = stage.request("POST", _path(resource), body)
        assert refused.status == 422 and b"metadata.name" in refused.body, refused.said


# -- generated ----------------------------------------------------------------------


def _bases() -> list[tuple[Resource, dict[str, Any]]]:
    train = {
        "runtimeRef": {"name": "jax-distributed"},
        "trainer": {"numNodes": 2, "command": ["/bin/true"], "image": "/bin/true"},
    }
    request = {"name": "r", "exactly": {"deviceClassName": "cpu-core.mizzen.dev"}}
    endpoint = {"model": {"path": "/none.gguf"}, "replicas": {"min": 0, "max": 1}}
    gang = {"schedulingPolicy": {"gang": {"minCount": 2}}}
    return [
        (JOBS, _job()),
        (
            JOBS,
            _job(completions=3, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=1),
        ),
        (TRAIN_JOBS, {"metadata": {}, "spec": train}),
        (MODEL_ENDPOINTS, {"metadata": {}, "spec": endpoint}),
        (RESOURCE_CLAIMS, {"metadata": {}, "spec": {"devices": {"requests": [request]}}}),
        (POD_GROUPS, {"metadata": {}, "spec": gang}),
    ]


def _mutated(resource: Resource, body: dict[str, Any], chance: Random) -> dict[str, Any]:
    obj = copy.deepcopy(body)
    schema = builtin_kinds()[resource.group, resource.plural].schema.fields["spec"]
    for _ in range(chance.randint(1, MUTATIONS_MAX)):
        _mutate(schema, obj["spec"], chance)
    obj["metadata"]["name"] = f"odd-{time.monotonic_ns():x}"
    return obj


def _mutate(schema: Schema, value: dict[str, Any], chance: Random) -> None:
    """Sets one field somewhere at or below this object to something of its type, or not."""
    name = chance.choice(sorted(schema.fields))
    child = schema.fields[name].resolve()
    below = value.get(name)
    if child.fields and isinstance(below, dict) and chance.random() < 0.7:
        _mutate(child, below, chance)
        return
    entries = [e for e in below if isinstance(e, dict)] if isinstance(below, list) else []
    if entries and child.items is not None and child.items.fields:
        _mutate(child.items, chance.choice(entries), chance)
    else:
        value[name] = _value(child, chance, DEPTH_MAX)


def _value(schema: Schema, chance: Random, depth: int) -> Any:
    node = schema.resolve()
    if depth == 0 or chance.random() < 0.05:
        return chance.choice((None, {}, [], "x", 1, True, 1.5))
    if node.enum:
        return chance.choice((*node.enum, "x"))
    if node.type == "array":
        assert node.items is not None
        return [_value(node.items, chance, depth - 1) for _ in range(chance.randint(0, 3))]
    if node.type == "boolean":
        return chance.random() < 0.5
    if node.type in ("integer", "int-or-string", "number"):
        return chance.choice(INTEGERS)
    if node.fields:
        names = chance.sample(sorted(node.fields), min(len(node.fields), chance.randint(0, 3)))
        names += [n for n, child in node.fields.items() if child.required and chance.random() < 0.8]
        return {name: _value(node.fields[name], chance, depth - 1) for name in names}
    if node.values is not None:
        keys = chance.sample(TEXTS, chance.randint(0, 3))
        return {key: _value(node.values, chance, depth - 1) for key in keys}
    return chance.choice(TEXTS)


def _tolerated(stage: Stage, resource: Resource, obj: dict[str, Any]) -> None:
    """Refused, or served for a moment and gone when it is told to."""
    try:
        created = stage.request("POST", _path(resource), obj)
    except UnicodeEncodeError:
        return  # no client can say it
    assert created.status < 500, created.said
    if created.status != 201:
        return
    name = obj["metadata"]["name"]
    time.sleep(0.2)  # for whoever acts upon it
    stage.delete(_path(resource, name))
