"""A pod's requests or limits as quantities, in the units in which they are written.

Source: k8s.io/component-helpers resource.PodRequests and PodLimits, v1.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.base.reading import entries, part
from mizzen.kinds.quantities import plus

_POD_LEVEL = ("cpu", "memory")  # and huge pages: what a pod's own resources may say


def resources_of(
    pod: Obj, kind: Literal["requests", "limits"], *, with_overhead: bool = False
) -> dict[str, str]:
    """Those of all containers together, or of the init container that takes most, with the sidecars
    before it; what the pod itself says prevails. Overhead is added to limits that there are."""
    total: dict[str, str] = {}
    for container in entries(pod, "spec", "containers"):
        _add(total, part(container, "resources", kind))
    sidecars: dict[str, str] = {}
    peak: dict[str, str] = {}
    for container in entries(pod, "spec", "initContainers"):
        own = part(container, "resources", kind)
        if container.get("restartPolicy") == "Always":
            _add(total, own)
            _add(sidecars, own)
            needs = dict(sidecars)
        else:
            needs = dict(own)
            _add(needs, sidecars)
        _raise_to(peak, needs)
    _raise_to(total, peak)
    for name, amount in part(pod, "spec", "resources", kind).items():
        if name in _POD_LEVEL or name.startswith("hugepages-"):
            total[name] = amount
    if with_overhead:
        overhead = part(pod, "spec", "overhead")
        is_requests = kind == "requests"
        _add(total, {n: v for n, v in overhead.items() if is_requests or n in total})
    return total


def _add(into: dict[str, str], more: Mapping[str, str]) -> None:
    for name, amount in more.items():
        into[name] = plus(into[name], amount) if name in into else amount


def _raise_to(into: dict[str, str], least: Mapping[str, str]) -> None:
    for name, amount in least.items():
        if name not in into or parse(into[name]) < parse(amount):
            into[name] = amount
