"""Workers that write what they like into the files they share with the agent, and odd objects of its node."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from attack.stage import NAMESPACE, Attack, Stage

JOBS = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs"
RUNS_S = 60.0  # within which a pod of somebody else has run to its end
BEGIN = """
import json, os, random, struct, sys, time
rank, shared = os.environ["MIZZEN_RANK_FILE"], os.environ["MIZZEN_SEGMENTS"]
kept = os.environ["MIZZEN_CHECKPOINTS"]
def put(path, offset, word):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(struct.pack("<Q", word))
"""
HELD = "\ntime.sleep(2)\nsys.exit(1)\n"
WHOLE = 2**64 - 1


def attacks(stage: Stage) -> Iterator[Attack]:
    for name, script in _scripts().items():
        yield Attack(name, lambda script=script: _job(stage, script))
    for name, patch in _patches().items():
        yield Attack(name, lambda patch=patch: _patched(stage, *patch))
    yield Attack("file where checkpoints belong", lambda: _in_the_way(stage))
    yield Attack("amounts that no node has", lambda: _amounts(stage))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    number = 0
    while True:
        number += 1
        script = _noise(chance)
        yield Attack(f"generated {number}", lambda script=script: _job(stage, script))


def _scripts() -> dict[str, str]:
    every = "for offset in range(0, 4096, 8): put({0}, offset, {1})"
    return {
        "rank file cut to nothing": "for _ in range(20): open(rank, 'w').close(); time.sleep(.05)",
        "gang page cut to nothing": "for _ in range(20): open(shared + '/gang', 'w').close(); time.sleep(.05)",
        "every word of the rank file at its largest": every.format("rank", WHOLE),
        "every word of the gang page at its largest": every.format("shared + '/gang'", WHOLE),
        "ring of impossible intervals": (
            "put(rank, 128, 4000)\n"
            "for slot in range(4096, 135168, 8): put(rank, slot, random.getrandbits(64))"
        ),
        "rank files that are none": (
            "os.mkfifo(shared + '/rank-7'); os.mkdir(shared + '/rank-8'); "
            "open(shared + '/rank-x', 'w').close(); os.symlink('/dev/zero', shared + '/rank-9')"
        ),
        "pipe for the owner of the checkpoints": (
            "os.unlink(kept + '/owner'); os.mkfifo(kept + '/owner')"
        ),
        "checkpoints that are none": (
            "os.makedirs(kept + '/step-9'); open(kept + '/step-9/manifest.json', 'w').write('[' * 9999)\n"
            "os.makedirs(kept + '/step-x'); open(kept + '/step-x/manifest.json', 'w').write('{}')\n"
            "os.makedirs(kept + '/step-10'); os.mkfifo(kept + '/step-10/manifest.json')\n"
            "os.symlink('/dev/zero', kept + '/step-11')"
        ),
        "staged state larger than its file": (
            "put(rank, 64, 2**40); put(rank, 72, 2**41); put(rank, 112, 2**40); put(rank, 80, 6)"
        ),
        "termination message that is a folder": (
            "t = os.environ['MIZZEN_TERMINATION_LOG']; os.path.exists(t) and os.unlink(t); os.mkdir(t)"
        ),
    }  # fmt: skip


def _noise(chance: Random) -> str:
    seed = chance.getrandbits(32)
    return (
        f"random.seed({seed})\n"
        "end = time.time() + 2\n"
        "while time.time() < end:\n"
        "    path = random.choice([rank, shared + '/gang'])\n"
        "    if random.random() < .02: open(path, 'w').close()\n"
        "    word = random.choice([0, 1, 3, 5, 7, 2**24, 2**40, 2**63, 2**64 - 1, random.getrandbits(64)])\n"
        "    put(path, 8 * random.randrange(512 if random.random() < .1 else 24), word)\n"
        "    time.sleep(.001)"
    )  # fmt: skip


def _patches() -> dict[str, tuple[str, dict[str, Any]]]:
    """What somebody may write on a pod that runs: subresource, and the merge patch."""
    numbers = (
        "formation-generation",
        "formation-size",
        "awaits-generation",
        "step",
        "checkpoint-step",
    )
    odd = {f"mizzen.dev/{name}": "no number" for name in numbers}
    huge = {f"mizzen.dev/{name}": "9" * 400 for name in numbers}
    return {
        "annotations that are no numbers": ("", {"metadata": {"annotations": odd}}),
        "annotations beyond all numbers": ("", {"metadata": {"annotations": huge}}),
        "status of somebody else's making": (
            "/status",
            {"status": {"phase": "Pending", "conditions": None, "containerStatuses": None, "startTime": None}},
        ),
    }  # fmt: skip


def _job(stage: Stage, script: str) -> None:
    name = f"hostile-{time.monotonic_ns() % 10**9}"
    trainer = {"numNodes": 2, "command": ["python", "-c", BEGIN + script + HELD]}
    spec = {"runtimeRef": {"name": "jax-distributed"}, "trainer": trainer}
    made = stage.request("POST", JOBS, {"metadata": {"name": name}, "spec": spec})
    assert made.status == 201, made.said
    try:
        stage.until(lambda: _has_run(stage, name), f"{name} to have run", RUNS_S)
        _others_run(stage)
    finally:
        stage.delete(f"{JOBS}/{name}")


def _has_run(stage: Stage, job: str) -> bool:
    pods = stage.request("GET", f"{NAMESPACE}/pods").json["items"]
    mine = [p for p in pods if p["metadata"]["name"].startswith(job)]
    ended = [c for p in mine for c in p["status"].get("containerStatuses") or ()]
    return any(c["restartCount"] or "terminated" in c["state"] for c in ended)


def _others_run(stage: Stage) -> None:
    name = f"quick-{time.monotonic_ns():x}"
    created = stage.create_pod(name, ["true"])
    assert created.status == 201, created.said
    ended = _phase_is(stage, name, "Succeeded")
    try:
        stage.until(ended, "a pod of somebody else to run", RUNS_S)
    finally:
        stage.delete(f"{NAMESPACE}/pods/{name}")


def _phase_is(stage: Stage, name: str, phase: str) -> Callable[[], bool]:
    return lambda: stage.pod(name)["status"].get("phase") == phase


def _patched(stage: Stage, subresource: str, patch: dict[str, Any]) -> None:
    name = f"patched-{time.monotonic_ns():x}"
    assert stage.create_pod(name, ["sleep", "60"]).status == 201
    path = f"{NAMESPACE}/pods/{name}"
    try:
        stage.until(_phase_is(stage, name, "Running"), f"{name} to run", RUNS_S)
        said = stage.request(
            "PATCH", path + subresource, patch, content_type="application/merge-patch+json"
        )
        assert said.status in (200, 422), said.said
        _others_run(stage)
    finally:
        stage.delete(path)


def _in_the_way(stage: Stage) -> None:
    place = stage.home.checkpoints / "default"
    aside = place.with_name("aside")
    if place.exists():
        place.rename(aside)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file where a folder should be")
    try:
        name = f"blocked-{time.monotonic_ns() % 10**9}"
        spec = {"runtimeRef": {"name": "jax-distributed"}, "trainer": {"command": ["true"]}}
        assert stage.request("POST", JOBS, {"metadata": {"name": name}, "spec": spec}).status == 201
        pod = f"{name}-node-0-0"
        stage.until(lambda: "CreateContainerError" in str(stage.pod(pod)), "its reason", RUNS_S)
        _others_run(stage)
        stage.delete(f"{JOBS}/{name}")
    finally:
        place.unlink()
        with contextlib.suppress(FileNotFoundError):
            aside.rename(place)


def _amounts(stage: Stage) -> None:
    (node,) = stage.request("GET", "/api/v1/nodes").json["items"]
    path = f"/api/v1/nodes/{node['metadata']['name']}/status"
    for amount in ("8888888888888888888888888888888", "1e999999999", "-1", "0x10"):
        patch = {"status": {"capacity": {"example.com/foo": amount}}}
        said = stage.request("PATCH", path, patch, content_type="application/merge-patch+json")
        assert said.status in (200, 422), said.said
        _others_run(stage)
    stage.request(
        "PATCH", path, {"status": {"capacity": {"example.com/foo": None}}},
        content_type="application/merge-patch+json",
    )  # fmt: skip
