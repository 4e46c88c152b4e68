"""Pods' resource requests as whole numbers: milli-CPU, bytes, devices, the pod itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mizzen.base import quantity
from mizzen.base.objects import Obj
from mizzen.base.reading import part

CPU, PODS = "cpu", "pods"


def requests_of(spec: Obj) -> dict[str, int]:
    """A pod's requests of its node, the pod itself (`pods`: 1) included.

    The larger of all containers (with sidecars) together and any init container with the sidecars
    before it, plus overhead; a limit stands in for a missing request.
    Source: k8s.io/component-helpers resource.PodRequests, v1.36.
    """
    total: dict[str, int] = {}
    for container in spec.get("containers") or ():
        _add(total, container_requests(container))
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        needs = container_requests(container)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, needs)
            needs = dict(sidecars)
        else:
            _add(needs, sidecars)
        _raise_to(peak, needs)
    _add(total, sidecars)
    _raise_to(total, peak)
    total.update(container_requests(spec))  # pod-level resources prevail
    _add(total, amounts(part(spec, "overhead")))
    total[PODS] = 1
    return {name: amount for name, amount in total.items() if amount}


def container_requests(container: Mapping[str, Any]) -> dict[str, int]:
    resources = part(container, "resources")
    return amounts({**part(resources, "limits"), **part(resources, "requests")})


def amounts(quantities: Mapping[str, Any]) -> dict[str, int]:
    return {
        name: quantity.to_milli(text) if name == CPU else quantity.to_int(text)
        for name, text in quantities.items()
    }


def _add(into: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        into[name] = into.get(name, 0) + amount


def _raise_to(into: dict[str, int], least: Mapping[str, int]) -> None:
    for name, amount in least.items():
        into[name] = max(into.get(name, 0), amount)
