"""Admission of those who connect to an object: exec, attach, port-forward, proxy.

Source: apiserver `endpoints/handlers/rest.go`: ConnectResource; pkg/apis/core: PodExecOptions and the
like; Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from mizzen.apiserver.admission_chain import CONNECT
from mizzen.apiserver.admission_subjects import admit
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import proxied
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.http import Request
from mizzen.apiserver.server import Server
from mizzen.base import query
from mizzen.base.objects import Obj
from mizzen.store.store import ObjectKey

_FLAGS = ("stdin", "stdout", "stderr", "tty")


async def check(server: Server, served: Served, target: Target, request: Request) -> None:
    """Asks admission for leave to connect. Errors: ApiError."""
    operation = CONNECT[target.subresource]
    kind, options = _OPTIONS[target.subresource]
    resource = served.resource
    asked: Obj = {
        "kind": f"{resource.kind}{kind}", "apiVersion": resource.api_version, **options(request),
    }  # fmt: skip
    if target.subresource == "proxy":
        asked["path"] = proxied.rest_of(request.path, bool(target.namespace))[1]
    key = ObjectKey(served.key, target.namespace, target.name)

    def work(draft: Draft) -> Obj:
        return admit(draft, draft.admission, resource, operation, key, dict(asked))

    await server.attempt(request.user, work, None, is_dry=False)


def _of_container(request: Request) -> Obj:
    flags = {name: True for name in _FLAGS if query.is_true(request.params.get(name))}
    container = request.params.get("container")
    return {**flags, "container": container} if container else flags


def _of_command(request: Request) -> Obj:
    command = parse_qs(request.query, keep_blank_values=True).get("command")
    return {**_of_container(request), **({"command": command} if command else {})}


def _of_ports(request: Request) -> Obj:
    ports = [int(port) for port in parse_qs(request.query).get("ports", ()) if port.isdigit()]
    return {"ports": ports} if ports else {}


def _of_path(request: Request) -> Obj:
    return {}


_OPTIONS: dict[str, tuple[str, Callable[[Request], Obj]]] = {
    "attach": ("AttachOptions", _of_container),
    "exec": ("ExecOptions", _of_command),
    "portforward": ("PortForwardOptions", _of_ports),
    "proxy": ("ProxyOptions", _of_path),
}
