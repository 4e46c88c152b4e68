"""What one object takes of a quota, by the names of resources that quotas have.

Source: pkg/quota/v1/evaluator/core, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mizzen.apiserver.core.pod_resources import resources_of
from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Obj, annotations_of, controller_of, namespace_of, uid_of
from mizzen.base.quantity import parse, to_int
from mizzen.base.reading import entries, field, number, part, text
from mizzen.kinds.quantities import minus, plus

Usage = dict[str, str]
Lookup = Callable[[str, str, str], "Obj | None"]  # by the store's resource, namespace and name

PODS, SERVICES = "pods", "services"
VOLUME_CLAIMS, CLAIMS = "persistentvolumeclaims", "resourceclaims.resource.k8s.io"
DEVICE_CLASSES = "deviceclasses.resource.k8s.io"
ALL_DEVICES = 32  # that a request for all may be given; upstream's AllocationResultsMaxSize
_COUNT = "count/"
_ALIASES = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")
_NAMED = ("cpu", "memory", "ephemeral-storage")
_DEVICES = ".deviceclass.resource.k8s.io/devices"
_IMPLICIT = "requests.deviceclass.resource.kubernetes.io/"
_OF_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
_NS = 1_000_000_000


def usage_of(resource: str, obj: Obj, now_ns: int, lookup: Lookup) -> Usage:
    """The quantities by name, the count of objects among them."""
    usage = {_COUNT + resource: "1"}
    if resource == PODS:
        usage |= _of_pod(obj, now_ns)
    elif resource == SERVICES:
        usage |= _of_service(obj)
    elif resource == VOLUME_CLAIMS:
        usage |= _of_volume_claim(obj)
    elif resource == CLAIMS:
        usage |= _of_claim(obj, now_ns, lookup)
    elif resource in _ALIASES:
        usage[resource] = "1"
    return usage


def resources_behind(name: str) -> tuple[str, ...]:
    """The resources, as the store names them, whose objects are counted by this name."""
    if name.startswith(_COUNT):
        return (name.removeprefix(_COUNT),)
    if name in _ALIASES:
        return (name,)
    if name.startswith(SERVICES):
        return (SERVICES,)
    if name in (VOLUME_CLAIMS, "requests.storage") or _OF_STORAGE_CLASS in name:
        return (VOLUME_CLAIMS,)
    if name.endswith(_DEVICES):
        return (CLAIMS,)
    return (PODS, CLAIMS) if is_extended(name) else (PODS,)


def is_extended(name: str) -> bool:
    """True for an extended resource, which quotas name with `requests.` before it."""
    is_native = "/" not in name or "kubernetes.io/" in name
    return name.startswith("requests.") and (not is_native or name.startswith(_IMPLICIT))


def is_ended(pod: Obj) -> bool:
    return text(pod, "status", "phase") in ("Failed", "Succeeded")


def is_overdue(pod: Obj, now_ns: int) -> bool:
    """True if a pod is deleted and its grace is over: stuck, it is charged no longer."""
    deleted = text(pod, "metadata", "deletionTimestamp")
    grace_s = field(pod, "metadata", "deletionGracePeriodSeconds")
    if not deleted or grace_s is None:
        return False
    return now_ns > parse_rfc3339(deleted) + int(grace_s) * _NS


def container_usage(resources: Obj) -> Usage:
    """What requests and limits of this form are charged as."""
    requests, limits = part(resources, "requests"), part(resources, "limits")
    usage: Usage = {PODS: "1"}
    for name, amount in requests.items():
        if name in _NAMED or name.startswith("hugepages-"):
            usage[name] = usage[f"requests.{name}"] = amount
        elif is_extended(f"requests.{name}"):
            usage[f"requests.{name}"] = amount
    for name in _NAMED:
        if name in limits:
            usage[f"limits.{name}"] = limits[name]
    return usage


def _of_pod(pod: Obj, now_ns: int) -> Usage:
    if is_ended(pod) or is_overdue(pod, now_ns):
        return {}
    return container_usage(
        {kind: resources_of(pod, kind, with_overhead=True) for kind in ("requests", "limits")}
    )


def _of_service(service: Obj) -> Usage:
    spec = part(service, "spec")
    ports, kind = entries(spec, "ports"), spec.get("type")
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if port.get("nodePort")]
    elif kind not in ("LoadBalancer", "NodePort"):
        ports = []
    balancers = "1" if kind == "LoadBalancer" else "0"
    return {
        SERVICES: "1", "services.nodeports": str(len(ports)), "services.loadbalancers": balancers,
    }  # fmt: skip


def _of_volume_claim(claim: Obj) -> Usage:
    beta = annotations_of(claim).get("volume.beta.kubernetes.io/storage-class")
    chosen = beta if beta is not None else text(claim, "spec", "storageClassName")
    usage = {VOLUME_CLAIMS: "1"}
    storage = field(claim, "spec", "resources", "requests", "storage")
    if storage is not None:
        allocated = field(claim, "status", "allocatedResources", "storage")
        if allocated is not None and parse(allocated) > parse(storage):
            storage = allocated
        whole = parse(storage).denominator == 1
        usage["requests.storage"] = storage if whole else str(to_int(storage))
    if chosen:
        usage |= {f"{chosen}{_OF_STORAGE_CLASS}{name}": each for name, each in usage.items()}
    return usage


def _of_claim(claim: Obj, now_ns: int, lookup: Lookup) -> Usage:
    devices: dict[str, int] = {}
    for request in entries(claim, "spec", "devices", "requests"):
        alternatives = entries(request, "firstAvailable") or [part(request, "exactly")]
        most: dict[str, int] = {}
        for each in alternatives:
            is_all = each.get("allocationMode") == "All"
            count = ALL_DEVICES if is_all else int(each.get("count") or 1)
            name = text(each, "deviceClassName")
            most[name] = max(most.get(name, 0), count)
        for name, count in most.items():
            devices[name] = devices.get(name, 0) + count
    usage = {f"{name}{_DEVICES}": str(count) for name, count in devices.items() if name}
    charged = _charged_to_pod(claim, now_ns, lookup)
    for name, count in devices.items():
        extended = text(lookup(DEVICE_CLASSES, "", name) or {}, "spec", "extendedResourceName")
        also = [f"{_IMPLICIT}{name}", *([f"requests.{extended}"] if extended else [])]
        for each in also if name else ():
            left = minus(str(count), charged.get(each, "0"))
            if parse(left) > 0:
                usage[each] = left
    return usage


def _charged_to_pod(claim: Obj, now_ns: int, lookup: Lookup) -> Usage:
    """What the pod is charged already for which the claim stands."""
    owner = controller_of(claim)
    is_standin = (
        annotations_of(claim).get("resource.kubernetes.io/extended-resource-claim") == "true"
    )
    if not is_standin or owner is None or (owner["apiVersion"], owner["kind"]) != ("v1", "Pod"):
        return {}
    pod = lookup(PODS, namespace_of(claim), owner["name"])
    if pod is None or uid_of(pod) != owner["uid"]:
        return {}
    named = text(pod, "status", "extendedResourceClaimStatus", "resourceClaimName")
    return _of_pod(pod, now_ns) if named in ("", claim["metadata"]["name"]) else {}


def added(usage: Mapping[str, str], more: Mapping[str, str]) -> Usage:
    """The sum; names that are in one of them alone are as they are there."""
    return {
        name: plus(usage.get(name, "0"), more.get(name, "0")) for name in (*usage, *more)
    }  # fmt: skip


def difference(usage: Mapping[str, str], less: Mapping[str, str]) -> Usage:
    """What remains, below zero where there is less; without what is zero."""
    left = {name: minus(usage.get(name, "0"), less.get(name, "0")) for name in (*usage, *less)}
    return {name: amount for name, amount in left.items() if amount != "0"}


def deadline_of(pod: Obj) -> bool:
    """True if the pod has a deadline, which scopes call terminating."""
    seconds = field(pod, "spec", "activeDeadlineSeconds")
    return seconds is not None and number(pod, "spec", "activeDeadlineSeconds") >= 0
