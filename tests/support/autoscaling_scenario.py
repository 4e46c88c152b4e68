"""HorizontalPodAutoscalers by custom and external metrics, whoever scales: an API of metrics behind an
APIService, pods that follow the wish, and what the autoscalers say of it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from mizzen.base.clock import rfc3339
from mizzen.base.errors import Conflict, NotFound
from mizzen.base.objects import Obj, name_of
from mizzen.base.resources import (
    API_SERVICES,
    DEPLOYMENTS,
    EVENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    PODS,
    SERVICES,
    Resource,
)
from mizzen.client.client import Client
from support.other_server import OtherServer, Told

SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
DEADLINE_S = 60.0
RESTS_S = 4.0  # how long nothing may change before a moment is compared
_MET = ("custom.metrics.k8s.io", "external.metrics.k8s.io")


class Metrics:
    """The other API server: `value` is what each pod is told to have, `queue` the external metric."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.value, self.queue = "20", "5"
        self.pods: list[str] = []

    def answer(self, request: Obj) -> Told | None:
        path = request["target"].partition("?")[0]
        parts = path.strip("/").split("/")
        if len(parts) == 3:
            return 200, {}, json.dumps(self._resources(parts[1], parts[2])).encode()
        now = rfc3339(time.time_ns())
        if parts[1] == _MET[1]:
            item: Obj = {"metricName": parts[-1], "timestamp": now, "value": self.queue}
            return 200, {}, _listed("ExternalMetricValueList", parts[1:3], [item])
        items = [self._of_pod(name, parts[-1], now) for name in self.pods]
        return 200, {}, _listed("MetricValueList", parts[1:3], items)

    def _of_pod(self, name: str, metric: str, now: str) -> Obj:
        described = {"kind": "Pod", "namespace": "default", "name": name, "apiVersion": "/v1"}
        told: Obj = {"metric": {"name": metric}} if self.version == "v1beta2" else {
            "metricName": metric
        }  # fmt: skip
        return {"describedObject": described, **told, "timestamp": now, "value": self.value}

    def _resources(self, group: str, version: str) -> Obj:
        name = "pods/requests" if group == _MET[0] else "queue"
        kind = "MetricValueList" if group == _MET[0] else "ExternalMetricValueList"
        resource = {
            "name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get"],
        }  # fmt: skip
        return {
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}",
            "resources": [resource],
        }  # fmt: skip


def _listed(kind: str, place: list[str], items: list[Obj]) -> bytes:
    body = {"kind": kind, "apiVersion": "/".join(place), "metadata": {}, "items": items}
    return json.dumps(body).encode()


def autoscaler(name: str, metric: Obj) -> Obj:
    at_once = {"stabilizationWindowSeconds": 0}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1, "maxReplicas": 5, "metrics": [metric],
            "behavior": {"scaleDown": at_once, "scaleUp": at_once},
        },
    }  # fmt: skip


_BY_PODS: Obj = {
    "type": "Pods",
    "pods": {
        "metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "10"},
    },
}  # fmt: skip
_BY_QUEUE: Obj = {
    "type": "External",
    "external": {
        "metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"},
    },
}  # fmt: skip


class Scenario:
    """Plays it through one client, while somebody's controller runs."""

    def __init__(self, client: Client, metrics: Metrics, other: OtherServer) -> None:
        self.client, self.metrics, self.other = client, metrics, other
        self._following: asyncio.Task[None] | None = None

    async def play(self) -> dict[str, Any]:
        """What there is at each moment."""
        for name in ("by-pods", "by-queue"):
            await self.client.create(DEPLOYMENTS, _deployment(name))
        following = self._following = asyncio.create_task(self._follow())
        try:
            await self.client.create(HORIZONTAL_POD_AUTOSCALERS, autoscaler("by-pods", _BY_PODS))
            await self.client.create(HORIZONTAL_POD_AUTOSCALERS, autoscaler("by-queue", _BY_QUEUE))
            moments = {"without metrics": await self._rest(lambda pods, queue: True)}
            await self._register()
            moments["up"] = await self._rest(lambda pods, queue: pods == 5)
            self.metrics.value, self.metrics.queue = "2", "34"
            moments["down"] = await self._rest(lambda pods, queue: (pods, queue) == (1, 4))
            self.metrics.value, self.metrics.queue = "10", "10"
            moments["as wanted"] = await self._rest(lambda pods, queue: (pods, queue) == (1, 1))
            moments["events"] = await self._events()
            return moments
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _register(self) -> None:
        ports = [{"port": 443, "targetPort": self.other.port}]
        service = {
            "metadata": {"name": "metrics", "namespace": "default"},
            "spec": {"ports": ports},
        }
        await self.client.create(SERVICES, service)
        labels = {"kubernetes.io/service-name": "metrics"}
        await self.client.create(SLICES, {
            "metadata": {"name": "metrics", "namespace": "default", "labels": labels},
            "addressType": "IPv4", "endpoints": [{"addresses": [self.other.address]}],
            "ports": [{"name": "", "port": self.other.port}],
        })  # fmt: skip
        for group, version in zip(_MET, (self.metrics.version, "v1beta1"), strict=True):
            spec = {
                "group": group, "version": version, "groupPriorityMinimum": 100,
                "versionPriority": 100, "insecureSkipTLSVerify": True,
                "service": {"name": "metrics", "namespace": "default"},
            }  # fmt: skip
            await self.client.create(
                API_SERVICES, {"metadata": {"name": f"{version}.{group}"}, "spec": spec}
            )

    async def _follow(self) -> None:
        """Pods are what Deployments wish, and run."""
        while True:
            pods = [name_of(each) for each in await self._all(PODS)]
            for deployment in await self._all(DEPLOYMENTS):
                name, wish = name_of(deployment), deployment["spec"]["replicas"]
                mine = sorted(each for each in pods if each.startswith(f"{name}-pod"))
                for number in range(len(mine), wish):
                    await self._run_pod(name, f"{name}-pod-{number}")
                for each in mine[wish:]:
                    await self.client.delete(PODS, each, "default")
                await self._tell(deployment, wish)
            current = [name_of(each) for each in await self._all(PODS)]
            self.metrics.pods = [each for each in current if each.startswith("by-pods")]
            await asyncio.sleep(0.1)

    async def _run_pod(self, app: str, name: str) -> None:
        container = {"name": "c", "image": "example.com/a:1"}
        made = await self.client.create(PODS, {
            "metadata": {"name": name, "namespace": "default", "labels": {"app": app}},
            "spec": {"containers": [container], "automountServiceAccountToken": False},
        })  # fmt: skip
        now = rfc3339(time.time_ns())
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        made["status"] = {"phase": "Running", "startTime": now, "conditions": [ready]}
        await self.client.update(PODS, made, subresource="status")

    async def _tell(self, deployment: Obj, replicas: int) -> None:
        if deployment.get("status", {}).get("replicas", 0) == replicas:
            return
        deployment["status"] = {**deployment.get("status", {}), "replicas": replicas}
        try:
            await self.client.update(DEPLOYMENTS, deployment, subresource="status")
        except (Conflict, NotFound):
            return  # it has been scaled meanwhile: the next round tells

    async def _all(self, resource: Resource) -> list[Obj]:
        return (await self.client.list(resource, "default"))[0]

    async def _rest(self, holds: Callable[[int, int], bool]) -> Any:
        """The autoscalers once the replicas are such, and nothing changes any more."""
        ends, seen, since = time.monotonic() + DEADLINE_S, None, time.monotonic()
        while True:
            found = {name_of(each): each for each in await self._all(DEPLOYMENTS)}
            replicas = [found[n]["spec"]["replicas"] for n in ("by-pods", "by-queue")]
            now = [_shown(each) for each in await self._all(HORIZONTAL_POD_AUTOSCALERS)]
            if now != seen:
                seen, since = now, time.monotonic()
            elif holds(*replicas) and time.monotonic() - since > RESTS_S:
                return replicas, now
            assert time.monotonic() < ends, (replicas, now)
            if self._following is not None and self._following.done():
                self._following.result()  # it has failed
            await asyncio.sleep(0.2)

    async def _events(self) -> list[tuple[str, ...]]:
        found = {
            (e["involvedObject"]["name"], e["type"], e["reason"], e["message"])
            for e in await self._all(EVENTS)
            if e["involvedObject"]["kind"] == "HorizontalPodAutoscaler"
        }
        return sorted(found)


def _deployment(name: str) -> Obj:
    container = {"name": "c", "image": "example.com/a:1"}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template, "replicas": 1}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def _shown(found: Obj) -> Any:
    status = found.get("status") or {}
    conditions = [
        (each["type"], each["status"], each["reason"], each["message"])
        for each in status.get("conditions") or []
    ]
    kept = {n: v for n, v in status.items() if n not in ("conditions", "lastScaleTime")}
    return name_of(found), kept, conditions
