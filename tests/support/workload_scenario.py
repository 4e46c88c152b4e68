"""One scenario of `apps` workloads for whoever runs their controllers, and its end without chance.

Pods run because the scenario says so: it is scheduler and agent. What comes out is every object as
it stands, with names, hashes, times and uids replaced by what they stand for.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from mizzen.base.clock import rfc3339
from mizzen.base.errors import ApiError, Conflict, NotFound
from mizzen.base.objects import Obj, is_terminating, name_of
from mizzen.base.resources import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVENTS,
    NODES,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
    Resource,
)
from mizzen.client.client import Client

DEADLINE_S = 60.0
EVENTS_LAG_S = 3.0
WORKLOADS = (
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    DAEMON_SETS,
    REPLICATION_CONTROLLERS,
)
SEEN = (*WORKLOADS, CONTROLLER_REVISIONS, PODS)
_WORD = "[bcdfghjklmnpqrstvwxz2456789]"
_POD = re.compile(rf"^(.*)-{_WORD}{{5}}$")


def template(app: str, version: str) -> Obj:
    container = {"name": "c", "image": f"example.com/{app}:{version}"}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container]}}


def workload(app: str, version: str = "1", **spec: Any) -> Obj:
    spec = {"selector": {"matchLabels": {"app": app}}, "template": template(app, version), **spec}
    return {"metadata": {"name": app, "namespace": "default"}, "spec": spec}


class Scenario:
    """Plays the scenario through one client, with the controllers that somebody else runs."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._broken: set[str] = set()  # images whose pods never become ready

    async def play(self) -> dict[str, Any]:
        """Everything in turn; the objects of each moment that is compared."""
        agent = asyncio.create_task(self._run_pods())
        try:
            for name in ("node-a", "node-b"):
                await self.client.create(NODES, {"metadata": {"name": name}})
            return {
                "deployment": await self._deployment(),
                "paused": await self._paused(),
                "recreate": await self._recreate(),
                "replicaset": await self._replica_set(),
                "replicationcontroller": await self._replication_controller(),
                "statefulset": await self._stateful_set(),
                "daemonset": await self._daemon_set(),
                "events": [await self._events()],
            }
        finally:
            agent.cancel()
            await asyncio.gather(agent, return_exceptions=True)

    # -- the moments ------------------------------------------------------------------

    async def _deployment(self) -> list[Any]:
        body = workload("web", replicas=4)
        body["metadata"]["annotations"] = {"example.com/note": "first"}
        await self.client.create(DEPLOYMENTS, body)
        moments = [await self._settled("web", replicas=4)]
        await self._set(DEPLOYMENTS, "web", template=template("web", "2"))
        moments.append(await self._settled("web", replicas=4))
        await self._set(DEPLOYMENTS, "web", replicas=7)
        moments.append(await self._settled("web", replicas=7))
        self._broken.add("example.com/web:3")
        await self._set(DEPLOYMENTS, "web", template=template("web", "3"))
        moments.append(await self._settled("web", updated=3))
        await self._set(DEPLOYMENTS, "web", replicas=12)
        moments.append(await self._settled("web", total=15))
        await self._set(DEPLOYMENTS, "web", template=template("web", "1"))
        moments.append(await self._settled("web", replicas=12))
        return moments

    async def _paused(self) -> list[Any]:
        await self.client.create(DEPLOYMENTS, workload("halt", replicas=2, paused=True))
        first = await self._settled("halt")
        await self._set(DEPLOYMENTS, "halt", paused=False)
        second = await self._settled("halt", replicas=2)
        await self._set(DEPLOYMENTS, "halt", paused=True, template=template("halt", "2"))
        await self._set(DEPLOYMENTS, "halt", replicas=3)
        return [first, second, await self._settled("halt", total=3)]

    async def _recreate(self) -> list[Any]:
        body = workload("anew", replicas=2, strategy={"type": "Recreate"}, minReadySeconds=1)
        await self.client.create(DEPLOYMENTS, body)
        first = await self._settled("anew", replicas=2)
        await self._set(DEPLOYMENTS, "anew", template=template("anew", "2"))
        return [first, await self._settled("anew", replicas=2)]

    async def _replica_set(self) -> list[Any]:
        body = workload("rs", replicas=3)
        orphan = {"metadata": {"name": "orphan", "namespace": "default", "labels": {"app": "rs"}}}
        await self.client.create(PODS, {**orphan, "spec": template("rs", "0")["spec"]})
        await self.client.create(REPLICA_SETS, body)
        first = await self._settled("rs", of=REPLICA_SETS, replicas=3)
        change = {"metadata": {"labels": {"app": "stray"}}}
        await self.client.patch(PODS, "orphan", change, "default")
        second = await self._settled("rs", of=REPLICA_SETS, replicas=3)
        await self._set(REPLICA_SETS, "rs", replicas=0)
        return [first, second, await self._settled("rs", of=REPLICA_SETS, replicas=0)]

    async def _replication_controller(self) -> list[Any]:
        body = workload("rc", replicas=2)
        body["spec"]["selector"] = {"app": "rc"}
        await self.client.create(REPLICATION_CONTROLLERS, body)
        return [await self._settled("rc", of=REPLICATION_CONTROLLERS, replicas=2)]

    async def _stateful_set(self) -> list[Any]:
        body = workload("db", replicas=3, serviceName="db", revisionHistoryLimit=1)
        await self.client.create(STATEFUL_SETS, body)
        moments = [await self._settled("db", of=STATEFUL_SETS, replicas=3)]
        partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
        change = {"template": template("db", "2"), "updateStrategy": partition}
        await self._set(STATEFUL_SETS, "db", **change)
        moments.append(await self._settled("db", of=STATEFUL_SETS, updated=2))
        partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
        await self._set(STATEFUL_SETS, "db", updateStrategy=partition)
        moments.append(await self._settled("db", of=STATEFUL_SETS, replicas=3))
        await self._set(STATEFUL_SETS, "db", template=template("db", "1"), replicas=2)
        moments.append(await self._settled("db", of=STATEFUL_SETS, replicas=2))
        return moments

    async def _daemon_set(self) -> list[Any]:
        await self.client.create(DAEMON_SETS, workload("each"))
        moments = [await self._settled("each", of=DAEMON_SETS, daemons=2)]
        await self._set(DAEMON_SETS, "each", template=template("each", "2"))
        moments.append(await self._settled("each", of=DAEMON_SETS, daemons=2))
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        change = {"template": template("each", "3"), "updateStrategy": strategy}
        await self._set(DAEMON_SETS, "each", **change)
        moments.append(await self._settled("each", of=DAEMON_SETS, daemons=2))
        taint = [{"key": "example.com/own", "effect": "NoExecute"}]
        await self.client.patch(NODES, "node-b", {"spec": {"taints": taint}})
        moments.append(await self._settled("each", of=DAEMON_SETS, daemons=1))
        return moments

    async def _events(self) -> list[Any]:
        """Who was told what, in whatever steps and words; they are written a while later."""
        told: set[tuple[str, str, str]] = set()
        since = time.monotonic()
        while time.monotonic() - since < EVENTS_LAG_S:
            events, _ = await self.client.list(EVENTS, "default")
            found = {(e["involvedObject"]["kind"], e["type"], e["reason"]) for e in events}
            if found != told:
                told, since = found, time.monotonic()
            await asyncio.sleep(0.1)
        return sorted(map(list, told))

    # -- waiting ----------------------------------------------------------------------

    async def _set(self, resource: Resource, name: str, **spec: Any) -> None:
        await self.client.patch(resource, name, {"spec": spec}, "default")

    async def _settled(
        self,
        app: str,
        *,
        of: Resource = DEPLOYMENTS,
        replicas: int | None = None,
        updated: int | None = None,
        total: int | None = None,
        daemons: int | None = None,
    ) -> list[Any]:
        """The objects of this app once its status says so and nothing has changed for a while."""

        def is_there(obj: Obj) -> bool:
            status: Obj = obj.get("status") or {}
            if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
                return False
            wanted: list[tuple[str, int | None]] = [
                ("replicas", replicas if total is None else total),
                ("readyReplicas", replicas),
                ("availableReplicas", replicas),
                ("updatedReplicas", updated),
                ("desiredNumberScheduled", daemons),
                ("updatedNumberScheduled", daemons),
                ("numberAvailable", daemons),
            ]
            if replicas is not None and of == DEPLOYMENTS:
                wanted.append(("updatedReplicas", replicas))
            return all(n is None or status.get(name, 0) == n for name, n in wanted)

        async def check() -> bool:
            return is_there(await self.client.get(of, app, "default"))

        await _until(check, f"{of.kind} {app}")
        return await self._calm(app)

    async def _calm(self, app: str) -> list[Any]:
        """Waits until nothing of the app changes for half a second."""
        last: list[Any] = []
        since = time.monotonic()
        deadline = since + DEADLINE_S
        while time.monotonic() < deadline:
            found = await self._objects(app)
            if found != last:
                last, since = found, time.monotonic()
            elif time.monotonic() - since > 0.5:
                return [*without_chance(found)]
            await asyncio.sleep(0.05)
        raise AssertionError(f"{app} never comes to rest")

    async def _objects(self, app: str) -> list[Obj]:
        found: list[Obj] = []
        for resource in SEEN:
            objects, _ = await self.client.list(resource, "default")
            found += [each for each in objects if _is_of(each, app)]
        return found

    # -- scheduler and agent ----------------------------------------------------------

    async def _run_pods(self) -> None:
        while True:
            pods, _ = await self.client.list(PODS, "default")
            for pod in pods:
                try:
                    await self._run_pod(pod)
                except (Conflict, NotFound):
                    continue
                except ApiError as error:
                    if error.code != 422:
                        raise
            await asyncio.sleep(0.03)

    async def _run_pod(self, pod: Obj) -> None:
        name = name_of(pod)
        if is_terminating(pod):
            await self.client.delete(PODS, name, "default", grace_period_s=0)
            return
        if not pod["spec"].get("nodeName"):
            body = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": name},
                "target": {"kind": "Node", "name": _target(pod)},
            }
            path = PODS.path("default", name, "binding")
            await self.client.raw("POST", path, body=orjson.dumps(body))
            return
        image = pod["spec"]["containers"][0]["image"]
        conditions: list[Obj] = (pod.get("status") or {}).get("conditions") or []
        is_ready = any(each["type"] == "Ready" for each in conditions)
        if is_ready:
            return
        ready = {
            "type": "Ready",
            "status": "False" if image in self._broken else "True",
            "lastTransitionTime": rfc3339(time.time_ns()),
        }
        status: Obj = {"phase": "Running", "conditions": [*conditions, ready]}
        await self.client.patch(PODS, name, {"status": status}, "default", subresource="status")


def _target(pod: Obj) -> str:
    affinity: Obj = pod["spec"].get("affinity") or {}
    if "nodeAffinity" not in affinity:
        return "node-a"
    required = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])


async def _until(check: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not await check():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not so in {DEADLINE_S:g} s")
        await asyncio.sleep(0.05)


# -- without chance ---------------------------------------------------------------------


def _is_of(obj: Obj, app: str) -> bool:
    metadata: Obj = obj["metadata"]
    owners = [str(each["name"]) for each in metadata.get("ownerReferences") or ()]
    names = [str(metadata["name"]), *owners]
    return any(name == app or name.startswith(f"{app}-") for name in names)


def without_chance(objects: list[Obj]) -> list[Any]:
    """The objects in an order of their own, with chance replaced by what it stands for."""
    words = _words(objects)
    shown = [_shown(each, words) for each in objects]
    return sorted(shown, key=lambda each: (each["kind"], str(each)))


def _words(objects: list[Obj]) -> dict[str, str]:
    """For each hash and each set's name: the image of the template that it stands for."""
    words: dict[str, str] = {}
    for obj in objects:
        labels: Obj = obj["metadata"].get("labels") or {}
        spec: Obj = obj.get("spec") or (obj.get("data") or {}).get("spec") or {}
        pods: Obj = (spec.get("template") or {}).get("spec") or {}
        if not pods or obj["kind"] not in (REPLICA_SETS.kind, CONTROLLER_REVISIONS.kind):
            continue
        image = str(pods["containers"][0]["image"]).rpartition(":")[2]
        for label in ("pod-template-hash", "controller.kubernetes.io/hash"):
            if labels.get(label):
                words[str(labels[label])] = f"HASH{image}"
        if obj["kind"] == CONTROLLER_REVISIONS.kind and labels.get("controller-revision-hash"):
            words[str(labels["controller-revision-hash"])] = f"HASH{image}"
    return words


_NOISE = frozenset(
    (
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
        "generateName",
        "lastTransitionTime",
        "lastUpdateTime",
        "lastProbeTime",
        "startTime",
        "selfLink",
    )
)


def _shown(obj: Any, words: dict[str, str]) -> Any:
    if isinstance(obj, dict):
        kept = {k: _shown(v, words) for k, v in obj.items() if k not in _NOISE}
        if obj.get("kind") == PODS.kind and "spec" in obj:
            return _shown_pod(kept)
        if obj.get("kind") == REPLICA_SETS.kind and "status" in obj:
            # In how many steps it came there is chance; that the last one was seen is not.
            seen = kept["status"].pop("observedGeneration", None)
            kept["metadata"]["isObserved"] = kept["metadata"].pop("generation") == seen
        return kept
    if isinstance(obj, list):
        return [_shown(each, words) for each in obj]
    if isinstance(obj, str):
        return _replaced(obj, words)
    return obj


def _replaced(text: str, words: dict[str, str]) -> str:
    for word, meaning in words.items():
        if text == word or text.endswith(f"-{word}"):
            return text.removesuffix(word) + meaning
        text = text.replace(f"-{word}-", f"-{meaning}-").replace(f'-{word}"', f'-{meaning}"')
    return text


def _shown_pod(pod: Obj) -> Obj:
    """What its controller made of it; the rest is the API server's."""
    metadata: Obj = pod["metadata"]
    name = str(metadata["name"])
    random = _POD.match(name)
    spec: Obj = pod["spec"]
    return {
        "kind": pod["kind"],
        "name": f"{random[1]}-XXXXX" if random else name,
        "labels": metadata.get("labels"),
        "annotations": metadata.get("annotations"),
        "ownerReferences": metadata.get("ownerReferences"),
        "node": spec.get("nodeName"),
        "hostname": spec.get("hostname"),
        "subdomain": spec.get("subdomain"),
        "affinity": spec.get("affinity"),
        "volumes": spec.get("volumes"),
        "tolerations": spec.get("tolerations"),
        "image": spec["containers"][0]["image"],
    }
