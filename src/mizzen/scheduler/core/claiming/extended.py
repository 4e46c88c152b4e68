"""Extended resources that DeviceClasses stand for: `nvidia.com/gpu: 2` becomes a claim.

A pod asks by name, in its containers, and has no claim. On nodes where a device plugin advertises
the resource it is counted there, like memory. On all others the scheduler makes one claim for the
pod, with one request per container and resource; init containers reuse what later containers hold.
Source: KEP-5004; pkg/scheduler/framework/plugins/dynamicresources/extendeddynamicresources.go, 1.36.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mizzen.base import quantity
from mizzen.base.names import EXTENDED_CLAIM_ANNOTATION
from mizzen.base.objects import Key, Obj
from mizzen.base.reading import entries, part
from mizzen.scheduler.core.dra.claim_spec import read_request
from mizzen.scheduler.core.dra.model import ClaimRequest

CLASS_PREFIX = "deviceclass.resource.kubernetes.io/"
CLAIM = "<extended-resources>"  # the entry of a pod's claims; no name of spec.resourceClaims
VARIANTS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class ContainerRequest:
    """One container's requests by name. `index` counts init containers first.

    `wants` are (resource, how many, place among the container's requests by name).
    """

    name: str
    index: int
    is_short_lived: bool  # an init container that ends before the next starts
    wants: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class RequestMapping:
    """The container and resource that became a request of the claim."""

    container: str
    resource: str
    request: str


@dataclass(frozen=True, slots=True)
class Extended:
    """A pod's extended resources that device classes can meet; `classes` are (resource, class)."""

    containers: tuple[ContainerRequest, ...]
    classes: tuple[tuple[str, str], ...]

    def request_on(self, allocatable: Mapping[str, int]) -> ClaimRequest | None:
        """The claim's requests on a node; None where device plugins offer all of it."""
        return _request(self.containers, self._claimed(allocatable))

    def spec_on(self, allocatable: Mapping[str, int]) -> tuple[Obj, tuple[RequestMapping, ...]]:
        """`spec` of the claim there, and what it was made from."""
        return _spec(self.containers, self._claimed(allocatable))

    def _claimed(self, allocatable: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
        return tuple(pair for pair in self.classes if allocatable.get(pair[0], 0) <= 0)


def extended_requests_of(spec: Obj) -> tuple[ContainerRequest, ...]:
    """The containers of a pod that ask for something a DeviceClass could stand for."""
    found: list[ContainerRequest] = []
    init = entries(spec, "initContainers")
    for index, container in enumerate([*init, *entries(spec, "containers")]):
        amounts = {
            **part(container, "resources", "limits"),
            **part(container, "resources", "requests"),
        }
        wants = tuple(
            (name, quantity.to_int(amounts[name]), place)
            for place, name in enumerate(sorted(amounts))
            if may_be_extended(name) and quantity.to_int(amounts[name]) > 0
        )
        if wants:
            is_short = index < len(init) and container.get("restartPolicy") != "Always"
            found.append(ContainerRequest(str(container["name"]), index, is_short, wants))
    return tuple(found)


def may_be_extended(name: str) -> bool:
    """Neither native (cpu, hugepages-2Mi) nor of kubernetes.io, but for the implicit names."""
    return name.startswith(CLASS_PREFIX) or ("/" in name and "kubernetes.io/" not in name)


def classes_by_resource(classes: Iterable[Obj]) -> dict[str, str]:
    """DeviceClass by resource name, explicit and implicit; of several the newest, then by name."""
    found: dict[str, str] = {}
    by_name = sorted(classes, key=lambda c: str(c["metadata"]["name"]), reverse=True)
    for item in sorted(by_name, key=lambda c: str(c["metadata"].get("creationTimestamp") or "")):
        name = str(item["metadata"]["name"])
        found[CLASS_PREFIX + name] = name
        resource = part(item, "spec").get("extendedResourceName")
        if resource:
            found[str(resource)] = name
    return found


def extended_of(
    containers: tuple[ContainerRequest, ...], classes: Mapping[str, str]
) -> Extended | None:
    """The requests that device classes can meet; None: there are none."""
    named = sorted({name for one in containers for name, _, _ in one.wants if name in classes})
    return Extended(containers, tuple((name, classes[name]) for name in named)) if named else None


def claim_key(pod: Key, uid: str) -> Key:
    """One name for each pod, so that a repeated attempt cannot make a second claim."""
    suffix = hashlib.sha256(uid.encode()).hexdigest()[:5]
    return Key(pod.namespace, f"{pod.name[:220]}-extended-resources-{suffix}")


def claim_object(key: Key, pod: Key, uid: str, spec: Obj) -> Obj:
    owner: Obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": pod.name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata: Obj = {
        "name": key.name,
        "namespace": key.namespace,
        "annotations": {EXTENDED_CLAIM_ANNOTATION: "true"},
        "ownerReferences": [owner],
    }
    return {"metadata": metadata, "spec": spec}


def status_object(claim: Key, mappings: Iterable[RequestMapping]) -> Obj:
    """`status.extendedResourceClaimStatus` of the pod."""
    return {
        "resourceClaimName": claim.name,
        "requestMappings": [
            {"containerName": m.container, "resourceName": m.resource, "requestName": m.request}
            for m in mappings
        ],
    }


# -- requests and mappings --------------------------------------------------------------

_Containers = tuple[ContainerRequest, ...]
_Classes = tuple[tuple[str, str], ...]
_Counts = dict[str, int]  # request name -> devices


@lru_cache(VARIANTS_KEPT)
def _request(containers: _Containers, classes: _Classes) -> ClaimRequest | None:
    spec, _ = _spec(containers, classes)
    return read_request(spec) if spec["devices"]["requests"] else None


def _spec(containers: _Containers, classes: _Classes) -> tuple[Obj, tuple[RequestMapping, ...]]:
    requests: list[dict[str, Any]] = []
    mappings: list[RequestMapping] = []
    for resource, device_class in classes:
        counts, mapped = _of_resource(containers, resource)
        mappings += mapped
        requests += [_exactly(name, device_class, count) for name, count in counts.items()]
    requests.sort(key=lambda request: str(request["name"]))
    return {"devices": {"requests": requests}}, tuple(mappings)


def _exactly(name: str, device_class: str, count: int) -> Obj:
    wanted: Obj = {"deviceClassName": device_class, "allocationMode": "ExactCount", "count": count}
    return {"name": name, "exactly": wanted}


def _of_resource(containers: _Containers, resource: str) -> tuple[_Counts, list[RequestMapping]]:
    """Long-lived containers have requests of their own; short-lived ones use those that start
    after them, and share one request for what they need beyond, as large as the largest."""
    asked = [
        (request, count, f"container-{request.index}-request-{place}")
        for request in containers
        for name, count, place in request.wants
        if name == resource
    ]
    lasting = [
        (request, count, name) for request, count, name in asked if not request.is_short_lived
    ]
    mappings = [RequestMapping(request.name, resource, name) for request, _, name in lasting]
    extra: _Counts = {}
    passing: list[RequestMapping] = []
    for request, count, name in (entry for entry in asked if entry[0].is_short_lived):
        missing = count
        for later, held, held_name in lasting:
            if later.index >= request.index and missing > 0:
                passing.append(RequestMapping(request.name, resource, held_name))
                missing -= held
        if missing > 0:
            passing.append(RequestMapping(request.name, resource, name))
            extra[name] = missing
    if extra:
        largest = max(extra, key=lambda name: extra[name])  # of several the first
        passing = [
            RequestMapping(m.container, m.resource, largest if m.request in extra else m.request)
            for m in passing
        ]
        extra = {largest: extra[largest]}
    return {**extra, **{name: count for _, count, name in lasting}}, [*mappings, *passing]
