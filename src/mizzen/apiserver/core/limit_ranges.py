"""Defaults and bounds that LimitRanges set for pods and volume claims.

Source: plugin/pkg/admission/limitranger/admission.go, Kubernetes 1.36; its words are upstream's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mizzen.apiserver.core.pod_resources import resources_of
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.base.reading import entries, part

ANNOTATION = "kubernetes.io/limit-ranger"

Amounts = Mapping[str, str]


def set_defaults(limit_range: Obj, pod: Obj) -> None:
    """Gives containers the requests and limits that they lack, and says so in an annotation."""
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    for limit in entries(limit_range, "spec", "limits"):
        if limit.get("type") == "Container":
            requests |= part(limit, "defaultRequest")
            limits |= part(limit, "default")
    if not requests and not limits:
        return
    said: list[str] = []
    for field, word in (("containers", "container"), ("initContainers", "init container")):
        for container in entries(pod, "spec", field):
            resources: Obj = container.setdefault("resources", {})
            said_limits = part(resources, "limits")
            for kind, defaults in (("requests", requests), ("limits", limits)):
                # A limit of its own stands for a request that it lacks.
                own = {**part(resources, kind), **(said_limits if kind == "requests" else {})}
                missing = {n: v for n, v in defaults.items() if n not in own}
                if missing:
                    resources[kind] = {**part(resources, kind), **missing}
                    names = ", ".join(sorted(missing))
                    said.append(f"{names} {kind[:-1]} for {word} {container['name']}")
    if said:
        annotations = part(pod, "metadata", "annotations")
        text = f"LimitRanger plugin set: {'; '.join(said)}"
        pod["metadata"]["annotations"] = {**annotations, ANNOTATION: text}


def pod_problems(limit_range: Obj, pod: Obj) -> list[str]:
    """Sentences about what of a pod is out of bounds."""
    problems: list[str] = []
    for limit in entries(limit_range, "spec", "limits"):
        if limit.get("type") == "Container":
            for field in ("containers", "initContainers"):
                for container in entries(pod, "spec", field):
                    resources = part(container, "resources")
                    requests, limits = part(resources, "requests"), part(resources, "limits")
                    problems += _out_of_bounds("Container", limit, requests, limits)
        elif limit.get("type") == "Pod":
            requests, limits = resources_of(pod, "requests"), resources_of(pod, "limits")
            problems += _out_of_bounds("Pod", limit, requests, limits)
    return problems


def claim_problems(limit_range: Obj, claim: Obj) -> list[str]:
    """Sentences about what of a PersistentVolumeClaim is out of bounds: its requests alone count."""
    problems: list[str] = []
    requests = part(claim, "spec", "resources", "requests")
    for limit in entries(limit_range, "spec", "limits"):
        kind = "PersistentVolumeClaim"
        if limit.get("type") != kind:
            continue
        for name, bound in sorted(part(limit, "min").items()):
            problems += _below(kind, name, bound, requests, {})
        for name, bound in sorted(part(limit, "max").items()):
            request, words = requests.get(name), f"maximum {name} usage per {kind} is {bound}"
            if request is None:
                problems.append(f"{words}.  No request is specified")
            elif parse(request) > parse(bound):
                problems.append(f"{words}, but request is {request}")
    return problems


def _out_of_bounds(kind: str, limit: Obj, requests: Amounts, limits: Amounts) -> list[str]:
    checks: tuple[tuple[str, Callable[..., list[str]]], ...] = (
        ("min", _below), ("max", _above), ("maxLimitRequestRatio", _beyond_ratio),
    )  # fmt: skip
    return [
        problem
        for field, check in checks
        for name, bound in sorted(part(limit, field).items())
        for problem in check(kind, name, bound, requests, limits)
    ]


def _below(kind: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> list[str]:
    request, limit = requests.get(name), limits.get(name)
    words, least = f"minimum {name} usage per {kind} is {bound}", parse(bound)
    if request is None:
        return [f"{words}.  No request is specified"]
    if parse(request) < least:
        return [f"{words}, but request is {request}"]
    if limit is not None and parse(limit) < least:
        return [f"{words}, but limit is {limit}"]
    return []


def _above(kind: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> list[str]:
    request, limit = requests.get(name), limits.get(name)
    words, most = f"maximum {name} usage per {kind} is {bound}", parse(bound)
    if limit is None:
        return [f"{words}.  No limit is specified"]
    if parse(limit) > most:
        return [f"{words}, but limit is {limit}"]
    if request is not None and parse(request) > most:
        return [f"{words}, but request is {request}"]
    return []


def _beyond_ratio(
    kind: str, name: str, bound: str, requests: Amounts, limits: Amounts
) -> list[str]:
    request, limit = parse(requests.get(name) or "0"), parse(limits.get(name) or "0")
    words = f"{name} max limit to request ratio per {kind} is {bound}, but"
    if not request:
        return [f"{words} no request is specified or request is 0"]
    if not limit:
        return [f"{words} no limit is specified or limit is 0"]
    ratio = limit / request
    return [] if ratio <= parse(bound) else [f"{words} provided ratio is {float(ratio):.6f}"]
