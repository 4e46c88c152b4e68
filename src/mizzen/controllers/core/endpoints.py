"""Writes the Endpoints of Services with a selector, for clients that know no EndpointSlices.

Source: kube-controller-manager `pkg/controller/endpoint`; `pkg/api/v1/endpoints` RepackSubsets.
"""

from __future__ import annotations

from ipaddress import ip_address

from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    is_terminating,
    key_of,
    labels_of,
    uid_of,
)
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.reading import text
from mizzen.base.resources import ENDPOINTS, PODS, SERVICES
from mizzen.controllers.core import service_pods
from mizzen.controllers.core.actions import Action, Controller, Watch
from mizzen.controllers.core.service_pods import HEADLESS
from mizzen.controllers.core.view import View

ADDRESSES_MAX = 1000
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
_OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Makes the Endpoints of one Service say what its pods are; they go when it goes."""
    service, existing = view.get(SERVICES, key), view.get(ENDPOINTS, key)
    if service is None:
        if existing is None or labels_of(existing).get(MANAGED_BY) != MANAGER:
            return []
        return [Delete(ENDPOINTS, key.namespace, key.name, uid=uid_of(existing))]
    if is_terminating(service) or not service_pods.has_selector(service):
        return []
    subsets, is_whole = _subsets(view, service)
    labels = {k: v for k, v in labels_of(service).items() if k != HEADLESS}
    if service_pods.is_headless(service):
        labels[HEADLESS] = ""
    labels[MANAGED_BY] = MANAGER
    annotations = {} if is_whole else {_OVER_CAPACITY: "truncated"}
    if existing is None:
        metadata: Obj = {"name": key.name, "namespace": key.namespace, "labels": labels}
        if annotations:
            metadata["annotations"] = annotations
        return [Create(ENDPOINTS, {"metadata": metadata, "subsets": subsets})]
    known = annotations_of(existing).get(_OVER_CAPACITY)
    if (
        (existing.get("subsets") or []) == subsets
        and labels_of(existing) == labels
        and known == annotations.get(_OVER_CAPACITY)
    ):
        return []
    gone = dict.fromkeys(labels_of(existing).keys() - labels.keys())
    patch: Obj = {
        "metadata": {
            "labels": {**gone, **labels},
            "annotations": {_OVER_CAPACITY: annotations.get(_OVER_CAPACITY)},
        },
        "subsets": subsets,
    }
    return [Patch(ENDPOINTS, key.namespace, key.name, patch, uid=uid_of(existing),
                  resource_version=existing["metadata"]["resourceVersion"])]  # fmt: skip


def _subsets(view: View, service: Obj) -> tuple[list[Obj], bool]:
    """The pods' addresses by ports, and whether these are all of them."""
    groups: dict[tuple[tuple[str, str, int], ...], Obj] = {}
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    families: list[str] = service["spec"].get("ipFamilies") or ["IPv4"]
    count = 0
    for pod in _ready_first(service_pods.pods_of(view, service)):
        addresses = service_pods.addresses_of(pod, families[0])
        if not addresses or (is_terminating(pod) and not published):
            continue
        ports = service_pods.ports_of(pod, service)
        if not ports and service["spec"].get("ports"):
            continue
        count += 1
        if count > ADDRESSES_MAX:
            continue
        ports.sort(key=lambda port: str(port["name"]))
        for port in ports:
            if not port["name"]:
                del port["name"]
        identity = tuple((p.get("name", ""), p["protocol"], p["port"]) for p in ports)
        subset = groups.setdefault(identity, {"ports": ports} if ports else {})
        field = "addresses" if published or service_pods.is_ready(pod) else "notReadyAddresses"
        subset.setdefault(field, []).append(_address(pod, addresses[0], service))
    for subset in groups.values():
        for field in subset.keys() - {"ports"}:
            subset[field] = sorted(subset[field], key=_by_ip)
    return [groups[identity] for identity in sorted(groups)], count <= ADDRESSES_MAX


def _by_ip(address: Obj) -> bytes:
    return ip_address(address["ip"]).packed


def _ready_first(pods: list[Obj]) -> list[Obj]:
    return sorted(pods, key=lambda pod: not service_pods.is_ready(pod))


def _address(pod: Obj, address: str, service: Obj) -> Obj:
    found: Obj = {"ip": address, "targetRef": service_pods.target_reference(pod)}
    if name := text(pod, "spec", "nodeName"):
        found["nodeName"] = name
    if hostname := service_pods.hostname_of(pod, service):
        found["hostname"] = hostname
    return found


def _own(view: View, endpoints: Obj) -> list[Key]:
    """Those that it writes itself: they follow their Service, also when it went unseen."""
    return [key_of(endpoints)] if labels_of(endpoints).get(MANAGED_BY) == MANAGER else []


CONTROLLER = Controller(
    name="endpoint",
    resource=SERVICES,
    reconcile=reconcile,
    watches=(Watch(PODS, service_pods.services_of), Watch(ENDPOINTS, _own)),
    indexes=(service_pods.BY_LABEL, service_pods.SELECTING),
)
