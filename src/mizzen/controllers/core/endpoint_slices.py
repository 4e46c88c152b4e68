"""Writes the EndpointSlices of Services with a selector, with few changes to those there are.

Source: kube-controller-manager `pkg/controller/endpointslice`, k8s.io/endpointslice reconciler.go.
Left out: hints, and the annotation that times a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mizzen.base.objects import (
    Key,
    Obj,
    is_owned_by,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.operations import Create, Delete, Operation, Patch
from mizzen.base.reading import text
from mizzen.base.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES
from mizzen.controllers.core import service_pods
from mizzen.controllers.core.actions import Action, Controller, RequeueAfter, Watch
from mizzen.controllers.core.service_pods import HEADLESS, SERVICE_NAME
from mizzen.controllers.core.view import Index, View

ENDPOINTS_MAX = 100  # of a slice
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
NODE_LAG_S = 1.0
_ZONE = "topology.kubernetes.io/zone"
_RESERVED = (SERVICE_NAME, MANAGED_BY, HEADLESS)
_PREFIX_CHARS_MAX = 252

Ports = tuple[tuple[str, str, int, str], ...]


@dataclass(slots=True)
class _Group:
    """Endpoints with the same ports, and the slices that hold them."""

    ports: list[Obj]
    wanted: dict[str, Obj] = field(default_factory=dict[str, Obj])  # pod uid -> endpoint
    slices: list[Obj] = field(default_factory=list[Obj])


@dataclass(slots=True)
class _Changes:
    create: list[Obj] = field(default_factory=list[Obj])
    update: list[tuple[Obj, Obj]] = field(default_factory=list[tuple[Obj, Obj]])  # slice, fields
    delete: list[Obj] = field(default_factory=list[Obj])


def _service_of(slice_: Obj) -> Iterator[str]:
    labels = labels_of(slice_)
    if labels.get(MANAGED_BY) == MANAGER:
        yield f"{namespace_of(slice_)}/{labels.get(SERVICE_NAME)}"


OF_SERVICE = Index("slices by service", ENDPOINT_SLICES, _service_of)


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Makes the slices of one Service say what its pods are; they go with it, by owner."""
    service = view.get(SERVICES, key)
    if service is None or is_terminating(service) or not service_pods.has_selector(service):
        return []
    changes = _Changes()
    lacking = False
    families: list[str] = service["spec"].get("ipFamilies") or ["IPv4"]
    existing = view.find(OF_SERVICE, str(key))
    changes.delete += [s for s in existing if s.get("addressType") not in families]
    for family in families:
        slices = [s for s in existing if s.get("addressType") == family]
        lacking |= _reconcile_family(view, service, family, slices, changes)
    actions: list[Action] = [*_operations(service, changes)]
    return [*actions, RequeueAfter(NODE_LAG_S)] if lacking else actions


def _reconcile_family(
    view: View, service: Obj, family: str, existing: list[Obj], changes: _Changes
) -> bool:
    """True where a pod's node is not known yet, so that the pod is left out for now."""
    groups: dict[Ports, _Group] = {}
    lacking = False
    for pod in service_pods.pods_of(view, service):
        node = view.get(NODES, Key("", text(pod, "spec", "nodeName")))
        if node is None and not service["spec"].get("publishNotReadyAddresses"):
            lacking = True
            continue
        endpoint = _endpoint(pod, node, service, family)
        if endpoint["addresses"]:
            ports = service_pods.ports_of(pod, service)
            group = groups.setdefault(_identity(ports), _Group(ports))
            group.wanted[uid_of(pod)] = endpoint
    delete: list[Obj] = []
    for each in existing:
        group = groups.get(_identity(each.get("ports") or []))
        if group is None or not is_owned_by(each, service):
            delete.append(each)
        else:
            group.slices.append(each)
    create: list[Obj] = []
    for group in groups.values():
        _pack(service, family, group, create, changes.update, delete)
    if len(existing) == len(delete) and not create:  # a Service has one slice at least
        placeholder = _slice(service, family, [], [])
        if len(delete) == 1 and _is_alike(delete[0], placeholder):
            return lacking
        create.append(placeholder)
    for stale in list(delete):  # one that would go becomes what would be made
        if create and is_owned_by(stale, service):
            made = create.pop()
            delete.remove(stale)
            changes.update.append((stale, {n: made[n] for n in ("endpoints", "ports")}))
    changes.create += create
    changes.delete += delete
    return lacking


def _pack(
    service: Obj,
    family: str,
    group: _Group,
    create: list[Obj],
    update: list[tuple[Obj, Obj]],
    delete: list[Obj],
) -> None:
    """Changes those slices that must change, fills them and then others, makes new ones last."""
    rest = dict(group.wanted)
    kept: list[tuple[Obj, list[Obj]]] = []
    touched: list[tuple[Obj, list[Obj]]] = []
    for each in sorted(group.slices, key=name_of):
        before: list[Obj] = each.get("endpoints") or []
        known = [text(e, "targetRef", "uid") for e in before]
        after = [rest.pop(uid) for uid in known if uid in rest]
        (kept if after == before and after else touched).append((each, after))
    for _, after in touched:
        while rest and len(after) < ENDPOINTS_MAX:
            after.append(rest.pop(next(iter(rest))))
    if rest:
        room = [pair for pair in kept if len(pair[1]) + len(rest) <= ENDPOINTS_MAX]
        if room:
            fullest = max(room, key=lambda pair: len(pair[1]))
            kept.remove(fullest)
            touched.append((fullest[0], [*fullest[1], *rest.values()]))
            rest = {}
    left = list(rest.values())
    for start in range(0, len(left), ENDPOINTS_MAX):
        create.append(_slice(service, family, group.ports, left[start : start + ENDPOINTS_MAX]))
    for each, after in touched:
        if after:
            update.append((each, {"endpoints": after}))
        else:
            delete.append(each)
    labels = _labels(service)
    update += [(each, {}) for each, _ in kept if labels_of(each) != labels]


def _operations(service: Obj, changes: _Changes) -> Iterator[Operation]:
    namespace = namespace_of(service)
    labels = _labels(service)
    for made in changes.create:
        yield Create(ENDPOINT_SLICES, made)
    for each, fields in changes.update:
        gone = dict.fromkeys(labels_of(each).keys() - labels.keys())
        patch: Obj = {"metadata": {"labels": {**gone, **labels}}, **fields}
        yield Patch(ENDPOINT_SLICES, namespace, name_of(each), patch, uid=uid_of(each),
                    resource_version=each["metadata"]["resourceVersion"])  # fmt: skip
    for each in changes.delete:
        yield Delete(ENDPOINT_SLICES, namespace, name_of(each), uid=uid_of(each))


def _endpoint(pod: Obj, node: Obj | None, service: Obj, family: str) -> Obj:
    serving, terminating = service_pods.is_ready(pod), is_terminating(pod)
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Obj = {
        "addresses": service_pods.addresses_of(pod, family),
        "conditions": {
            "ready": published or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": service_pods.target_reference(pod),
    }
    if name := text(pod, "spec", "nodeName"):
        endpoint["nodeName"] = name
    if node is not None and (zone := labels_of(node).get(_ZONE)):
        endpoint["zone"] = zone
    if hostname := service_pods.hostname_of(pod, service):
        endpoint["hostname"] = hostname
    return endpoint


def _slice(service: Obj, family: str, ports: list[Obj], endpoints: list[Obj]) -> Obj:
    name = name_of(service)
    return {
        "metadata": {
            "generateName": f"{name}-" if len(name) < _PREFIX_CHARS_MAX else name,
            "namespace": namespace_of(service),
            "labels": _labels(service),
            "ownerReferences": [
                owner_reference({"apiVersion": "v1", "kind": "Service", **service})
            ],
        },
        "addressType": family,
        "ports": ports,
        "endpoints": endpoints,
    }


def _labels(service: Obj) -> dict[str, str]:
    labels = {k: v for k, v in labels_of(service).items() if k not in _RESERVED}
    if service_pods.is_headless(service):
        labels[HEADLESS] = ""
    return {**labels, SERVICE_NAME: name_of(service), MANAGED_BY: MANAGER}


def _is_alike(existing: Obj, made: Obj) -> bool:
    """True for a slice that is the placeholder already."""
    return (
        not existing.get("endpoints")
        and not existing.get("ports")
        and labels_of(existing) == labels_of(made)
        and existing["metadata"].get("ownerReferences") == made["metadata"]["ownerReferences"]
    )


def _identity(ports: list[Any]) -> Ports:
    return tuple(
        sorted(
            (p.get("name") or "", p.get("protocol") or "", p.get("port") or 0,
             p.get("appProtocol") or "")
            for p in ports
        )
    )  # fmt: skip


def _slices_service(view: View, slice_: Obj) -> list[Key]:
    labels = labels_of(slice_)
    if labels.get(MANAGED_BY) != MANAGER or not labels.get(SERVICE_NAME):
        return []
    return [Key(namespace_of(slice_), labels[SERVICE_NAME])]


CONTROLLER = Controller(
    name="endpointslice",
    resource=SERVICES,
    reconcile=reconcile,
    watches=(Watch(PODS, service_pods.services_of), Watch(ENDPOINT_SLICES, _slices_service)),
    reads=(NODES,),
    indexes=(service_pods.BY_LABEL, service_pods.SELECTING, OF_SERVICE),
)
