"""Addresses behind a Service: of its EndpointSlices, or else of the ready pods it selects."""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.base.objects import Obj, has_condition, is_terminating, labels_of
from mizzen.base.reading import entries, field, part, text
from mizzen.base.selectors import labels_equal

SERVICE_LABEL = "kubernetes.io/service-name"
Address = tuple[str, int]


def backends(service: Obj, port: int, slices: Iterable[Obj], pods: Iterable[Obj]) -> list[Address]:
    """Host and port of each, in order. Errors: LookupError for a port that the Service lacks."""
    spec = part(service, "spec")
    found = next((p for p in entries(spec, "ports") if p.get("port") == port), None)
    if found is None:
        raise LookupError(
            f'no service port {port} found for service "{service["metadata"]["name"]}"'
        )
    if spec.get("type") == "ExternalName":
        return [(text(spec, "externalName"), port)]
    sliced = [
        (address, int(number))
        for each in slices
        if labels_of(each).get(SERVICE_LABEL) == service["metadata"]["name"]
        for endpoint in entries(each, "endpoints")
        if field(endpoint, "conditions", "ready") is not False
        for number in _numbers(each, found)
        for address in endpoint.get("addresses") or ()
    ]
    selector = part(spec, "selector")
    if sliced or not selector:
        return sliced
    wanted = labels_equal(selector)
    chosen = (pod for pod in pods if wanted.matches(labels_of(pod)) and _is_ready(pod))
    return [
        (text(pod, "status", "podIP"), number)
        for pod in chosen
        if (number := _target(pod, found)) and text(pod, "status", "podIP")
    ]


def _numbers(endpoints: Obj, port: Obj) -> list[int]:
    ports = entries(endpoints, "ports")
    name = port.get("name") or ""
    return [int(p["port"]) for p in ports if (p.get("name") or "") == name and p.get("port")]


def _is_ready(pod: Obj) -> bool:
    return has_condition(pod, "Ready") and not is_terminating(pod)


def _target(pod: Obj, port: Obj) -> int:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    named = (
        int(p["containerPort"])
        for container in entries(pod, "spec", "containers")
        for p in entries(container, "ports")
        if p.get("name") == target
    )
    return next(named, 0)
