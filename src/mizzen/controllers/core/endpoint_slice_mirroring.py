"""Mirrors Endpoints that people write, for Services without a selector, into EndpointSlices.

Source: kube-controller-manager `pkg/controller/endpointslicemirroring`.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from typing import Any

from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    is_terminating,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.reading import entries
from mizzen.base.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from mizzen.controllers.core.actions import Action, Controller, Watch
from mizzen.controllers.core.endpoint_slices import MANAGED_BY
from mizzen.controllers.core.service_pods import HEADLESS, SERVICE_NAME
from mizzen.controllers.core.view import Index, View

ENDPOINTS_MAX = 1000  # of a subset
MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration",
               "endpoints.kubernetes.io/last-change-trigger-time")  # fmt: skip


def _endpoints_of(slice_: Obj) -> Iterator[str]:
    labels = labels_of(slice_)
    if labels.get(MANAGED_BY) == MANAGER:
        yield f"{namespace_of(slice_)}/{labels.get(SERVICE_NAME)}"


OF_ENDPOINTS = Index("mirrored slices by service", ENDPOINT_SLICES, _endpoints_of)


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Makes the slices say what the Endpoints say; they go with them, by owner."""
    endpoints, service = view.get(ENDPOINTS, key), view.get(SERVICES, key)
    existing = view.find(OF_ENDPOINTS, str(key))
    if endpoints is None or is_terminating(endpoints):
        return []
    wanted: dict[Any, Obj] = {}
    if service is not None and _is_mirrored(endpoints, service):
        wanted = {_identity(made): made for made in _slices(endpoints)}
    actions: list[Action] = []
    for each in existing:
        made = wanted.pop(_identity(each), None)
        if made is None:
            actions.append(Delete(ENDPOINT_SLICES, key.namespace, name_of(each), uid=uid_of(each)))
        elif made["endpoints"] != (each.get("endpoints") or []) or (
            made["metadata"]["labels"] != labels_of(each)
        ):
            gone = dict.fromkeys(labels_of(each).keys() - made["metadata"]["labels"].keys())
            labels = {**gone, **made["metadata"]["labels"]}
            patch: Obj = {"metadata": {"labels": labels}, "endpoints": made["endpoints"]}
            actions.append(
                Patch(ENDPOINT_SLICES, key.namespace, name_of(each), patch, uid=uid_of(each),
                      resource_version=each["metadata"]["resourceVersion"])
            )  # fmt: skip
    return [*actions, *(Create(ENDPOINT_SLICES, made) for made in wanted.values())]


def _is_mirrored(endpoints: Obj, service: Obj) -> bool:
    return (
        labels_of(endpoints).get(SKIP_MIRROR) != "true"
        and _LEADER not in annotations_of(endpoints)
        and service["spec"].get("selector") is None
    )


def _slices(endpoints: Obj) -> Iterator[Obj]:
    """A slice for each subset and family."""
    labels = {k: v for k, v in labels_of(endpoints).items() if k != HEADLESS}
    labels |= {SERVICE_NAME: name_of(endpoints), MANAGED_BY: MANAGER}
    annotations = {k: v for k, v in annotations_of(endpoints).items() if k not in _NOT_COPIED}
    for subset in entries(endpoints, "subsets"):
        found: dict[str, list[Obj]] = {}
        for field, is_ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or ():
                is_ipv6 = isinstance(ip_address(address["ip"]), IPv6Address)
                family = found.setdefault("IPv6" if is_ipv6 else "IPv4", [])
                if len(family) < ENDPOINTS_MAX:
                    family.append(_endpoint(address, is_ready))
        for family, listed in found.items():
            metadata: Obj = {
                "generateName": f"{name_of(endpoints)}-",
                "namespace": namespace_of(endpoints),
                "labels": labels,
                "ownerReferences": [
                    owner_reference({"apiVersion": "v1", "kind": "Endpoints", **endpoints})
                ],
            }
            if annotations:
                metadata["annotations"] = annotations
            ports = [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or ()]
            yield {"metadata": metadata, "addressType": family, "ports": ports,
                   "endpoints": listed}  # fmt: skip


def _endpoint(address: Obj, is_ready: bool) -> Obj:
    found: Obj = {"addresses": [address["ip"]], "conditions": {"ready": is_ready}}
    for name in ("hostname", "nodeName", "targetRef"):
        if address.get(name):
            found[name] = address[name]
    return found


def _identity(slice_: Obj) -> tuple[Any, ...]:
    ports = ((p.get("name") or "", p.get("protocol"), p.get("port"), p.get("appProtocol") or "")
             for p in slice_.get("ports") or ())  # fmt: skip
    return (slice_.get("addressType"), *sorted(ports))


def _of_service(view: View, service: Obj) -> list[Key]:
    return [key_of(service)]


def _of_slice(view: View, slice_: Obj) -> list[Key]:
    labels = labels_of(slice_)
    if labels.get(MANAGED_BY) != MANAGER or not labels.get(SERVICE_NAME):
        return []
    return [Key(namespace_of(slice_), labels[SERVICE_NAME])]


CONTROLLER = Controller(
    name="endpointslicemirroring",
    resource=ENDPOINTS,
    reconcile=reconcile,
    watches=(Watch(SERVICES, _of_service), Watch(ENDPOINT_SLICES, _of_slice)),
    indexes=(OF_ENDPOINTS,),
)
