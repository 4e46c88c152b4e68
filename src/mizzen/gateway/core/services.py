"""Resolves a Service's path to its port and ready pods.

A Service has an address on its node alone; by its path here it is reached from anywhere. The path
is `/services/NAMESPACE/NAME[:PORT]/PATH`, PORT being the number or the name of a Service's port.
Source: the proxy subresource of Services in Kubernetes, whose `NAME:PORT` this follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from mizzen.base.errors import failure_status, reason_of
from mizzen.base.objects import (
    Key,
    Obj,
    condition,
    is_terminating,
    key_of,
    labels_of,
    namespace_of,
)
from mizzen.base.selectors import labels_equal

PREFIX = "/services/"
_PORT_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
RETRY_AFTER_S = 1  # for a client that found no ready pod; a pod's probes run every few seconds


class ServiceError(Exception):
    """A request for a Service that is refused or failed, answered as a Kubernetes Status.

    `code` is one word for programs, the reason of the Status' only cause.
    """

    def __init__(
        self, status: int, message: str, *, code: str = "", retry_after_s: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.retry_after_s = retry_after_s

    def body(self) -> Obj:
        """The `Status` object."""
        details: Obj = {"kind": "services"}
        if self.code:
            details["causes"] = [{"reason": self.code, "message": self.message}]
        if self.retry_after_s:
            details["retryAfterSeconds"] = self.retry_after_s
        return failure_status(self.status, reason_of(self.status), self.message, details)

    def headers(self) -> dict[str, str]:
        """Response headers that belong to the error."""
        return {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}


@dataclass(frozen=True, slots=True)
class Route:
    """A request's target; `path` is what the pod gets, still percent-encoded."""

    key: Key
    port: str  # "" for the only port there is
    path: str

    @property
    def prefix(self) -> str:
        """The part before `path` that the client sees."""
        name = f"{self.key.name}:{self.port}" if self.port else self.key.name
        return f"{PREFIX}{self.key.namespace}/{name}"


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod that answers for a Service; `url` has no path."""

    pod: str
    url: str


def parse(raw_path: str) -> Route:
    """The route that a request's path (percent-encoded, without query) names.

    Errors: ServiceError 404 when it names no Service.
    """
    namespace, _, rest = raw_path.removeprefix(PREFIX).partition("/")
    name, _, path = rest.partition("/")
    name, _, port = unquote(name).partition(":")
    if not namespace or not name:
        raise ServiceError(
            404,
            f"{raw_path} names no Service; say {PREFIX}NAMESPACE/NAME[:PORT]/PATH",
            code="service_not_found",
        )
    return Route(Key(unquote(namespace), name), port, f"/{path}")


def resolve(route: Route, service: Obj | None, pods: Iterable[Obj]) -> tuple[Backend, ...]:
    """The ready pods behind a route, by name; at least one. `service` is None when unknown.

    Errors: ServiceError 404 for a Service or port that is not there, 400 for a port that must be
    named or is not TCP, 403 for ExternalName, 503 when no pod is ready.
    """
    if service is None:
        raise ServiceError(
            404, f'the Service "{route.key}" does not exist', code="service_not_found"
        )
    spec: Obj = service["spec"]
    if spec.get("type") == "ExternalName":
        raise ServiceError(
            403,
            f'Service "{route.key}" is of type ExternalName: it stands for '
            f'"{spec.get("externalName")}", outside of this cluster, where the gateway sends '
            "nothing; ask there yourself",
            code="external_name",
        )
    if not spec.get("selector"):
        raise ServiceError(
            503,
            f'Service "{route.key}" has no spec.selector, so no pod answers for it',
            code="no_ready_pod",
        )
    target = _target_port(route, spec.get("ports") or [])
    selector = labels_equal(spec["selector"])
    selected = [
        pod
        for pod in pods
        if namespace_of(pod) == route.key.namespace and selector.matches(labels_of(pod))
    ]
    unready = bool(spec.get("publishNotReadyAddresses"))
    able = [pod for pod in selected if _is_reachable(pod) and (unready or is_ready(pod))]
    found = [_backend(pod, port) for pod in able if (port := _pod_port(pod, target))]
    if not found:
        raise _none_ready(route, selected, able, target)
    return tuple(sorted(found, key=lambda backend: backend.pod))


def is_ready(pod: Obj) -> bool:
    """True if a running pod may get requests; one without probe and conditions may."""
    ready = condition(pod, "Ready")
    if ready is not None:
        return ready.get("status") == "True"
    containers: list[Obj] = pod["spec"].get("containers") or []
    return not any(container.get("readinessProbe") for container in containers)


def in_turn(backends: Sequence[Backend], turn: int) -> list[Backend]:
    """All backends, beginning with the one whose turn it is."""
    start = turn % len(backends)
    return [*backends[start:], *backends[:start]]


def _target_port(route: Route, ports: Sequence[Mapping[str, Any]]) -> int | str:
    """The pods' port that a route means: a number, or the name of a container's port."""
    if not ports:  # a headless Service without ports stands for every port of its pods
        if _PORT_NUMBER.fullmatch(route.port) and int(route.port) <= 65535:
            return int(route.port)
        raise ServiceError(
            400,
            f'Service "{route.key}" lists no ports; say the pods\' port by number, as in '
            f"{PREFIX}{route.key}:8000/",
            code="port_required",
        )
    listed = ", ".join(f"{p['port']}" + (f" ({p['name']})" if p.get("name") else "") for p in ports)
    if not route.port and len(ports) > 1:
        raise ServiceError(
            400,
            f'Service "{route.key}" has several ports: {listed}; say one, as in '
            f"{PREFIX}{route.key}:{ports[0]['port']}/",
            code="port_required",
        )
    for port in ports:
        if route.port in ("", str(port["port"]), port.get("name") or ""):
            if port.get("protocol", "TCP") != "TCP":
                raise ServiceError(
                    400,
                    f'Service "{route.key}": port {port["port"]} is {port["protocol"]}, '
                    "and the gateway speaks HTTP over TCP",
                    code="port_not_tcp",
                )
            return port.get("targetPort") or port["port"]
    raise ServiceError(
        404, f'Service "{route.key}" has no port "{route.port}"; it has {listed}',
        code="port_not_found",
    )  # fmt: skip


def _is_reachable(pod: Obj) -> bool:
    status: Obj = pod.get("status") or {}
    running = status.get("phase") == "Running" and not is_terminating(pod)
    return running and bool(status.get("podIP"))


def _pod_port(pod: Obj, target: int | str) -> int | None:
    """The number of the pod's port; by name it is what the containers say, else None."""
    if isinstance(target, int):
        return target
    containers: list[Obj] = pod["spec"].get("containers") or []
    for container in containers:
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == "TCP":
                return int(port["containerPort"])
    return None


def _backend(pod: Obj, port: int) -> Backend:
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    return Backend(key_of(pod).name, f"http://{host}:{port}")


def _none_ready(
    route: Route, selected: Sequence[Obj], able: Sequence[Obj], target: int | str
) -> ServiceError:
    if able:
        reason = f'none of its {len(able)} ready pods has a TCP port named "{target}"'
    elif selected:
        reason = f"0 of its {len(selected)} pods are ready"
    else:
        reason = "its selector matches no pod"
    return ServiceError(
        503,
        f'Service "{route.key}": {reason}',
        code="no_ready_pod",
        retry_after_s=RETRY_AFTER_S,
    )
