"""From a request to its answer: who asks, what for, may they, who answers."""

from __future__ import annotations

import hmac
import platform
from collections.abc import Awaitable, Callable

from mizzen import __version__
from mizzen.apiserver import history, logs, metrics, plans, reads, scale, watch, writes
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import authorize, refusals, routing
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.discovery import Discovery
from mizzen.apiserver.http import TEXT, Request, Response, Stream, answer
from mizzen.apiserver.server import Server
from mizzen.base import names
from mizzen.base.errors import Forbidden, InternalError, Unauthorized
from mizzen.base.resources import PLANS, PODS

_HEALTH = ("/healthz", "/readyz", "/livez")
_REFUSED_POD = {
    "exec": "exec is not served: pods are processes of this machine; use kubectl logs to see them",
    "attach": "attach is not served: use kubectl logs -f",
    "portforward": "port-forward is not served: pods listen on their own 127.x.y.z address "
    "(status.podIP), which this machine can reach directly",
    "proxy": "proxy is not served: connect to the pod's own address (status.podIP)",
    "eviction": "eviction is not served: delete the pod",
    "ephemeralcontainers": "ephemeral containers are not served",
}

Handler = Callable[[Server, Served, Target, Request], Awaitable[Response | Stream]]


class App:
    """Answers requests. All state is in `Server`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._discovery = Discovery(server.catalog)
        self._tokens = {token.encode(): name for token, name in server.config.tokens.items()}

    def authenticate(self, request: Request) -> None:
        """Sets the identity, from the head alone. Errors: Unauthorized."""
        if request.path not in _HEALTH:
            request.identity = self._identity(request)

    async def answer(self, request: Request) -> Response | Stream:
        """Of an authenticated request. Errors: ApiError, to be answered as its Status."""
        path = request.path
        if path in _HEALTH:
            return Response(200, b"ok", TEXT)
        if path.startswith(("/api/", "/apis/")):
            target = request.target = routing.parse_path(path)
            if target is not None and target.plural:
                return await self._resource(target, request)
        return self._other(path, request)

    def _identity(self, request: Request) -> str:
        """The identity behind the bearer token, compared in constant time."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token.strip().encode()
        found = ""
        if scheme.lower() == "bearer":
            for known, identity in self._tokens.items():
                if hmac.compare_digest(known, given):
                    found = identity
        if not found:
            raise Unauthorized(
                "Unauthorized: send a bearer token, as the kubeconfig of this server does"
            )
        return found

    def _other(self, path: str, request: Request) -> Response | Stream:
        """Everything that is not about objects."""
        if request.method not in ("GET", "HEAD"):
            raise refusals.unserved()
        path = path.rstrip("/")
        if path in ("/api", "/apis") or path.startswith(("/api/", "/apis/", "/openapi/v3")):
            return self._discovery.answer(path, request)
        if path == "/openapi/v2":
            return self._discovery.openapi_v2(request)
        if path == "/version":
            return self._version()
        if path == "/metrics":
            return metrics.metrics(self._server)
        if path == "/mizzen/v1/history":
            if not authorize.may_read_history(request.identity):
                raise Forbidden(f'User "{request.identity}" cannot read the history')
            return history.history(self._server, request)
        raise refusals.unserved()

    def _version(self) -> Response:
        major, minor = names.KUBERNETES_VERSION
        return answer(
            200,
            {
                "major": major,
                "minor": minor,
                "gitVersion": f"v{major}.{minor}.0+mizzen.{__version__}",
                "gitCommit": "",
                "gitTreeState": "",
                "buildDate": "1970-01-01T00:00:00Z",
                "goVersion": "none",
                "compiler": f"CPython {platform.python_version()}",
                "platform": f"linux/{platform.machine()}",
            },
        )

    async def _resource(self, target: Target, request: Request) -> Response | Stream:
        if (target.group, target.version, target.plural) == (
            PLANS.group,
            PLANS.version,
            PLANS.plural,
        ):
            return await self._plan(target, request)
        served = self._server.catalog.find(target.group, target.version, target.plural)
        if served is None:
            raise refusals.unserved()
        verb = routing.verb_of(request.method, target, request.params)
        subresource = target.subresource
        if not authorize.is_allowed(request.identity, verb, served.key, subresource):
            raise _not_allowed(request.identity, verb, served, target)
        if bool(target.namespace) and not served.resource.namespaced:
            raise refusals.unserved()
        if target.name and served.resource.namespaced and not target.namespace:
            raise refusals.unserved()
        if subresource:
            return await self._subresource(verb, served, target, request)
        if verb not in served.kind.verbs:
            raise refusals.method_not_allowed(served.resource, verb)
        handler = _HANDLERS.get((verb, bool(target.name)))
        if handler is None:
            raise refusals.method_not_allowed(served.resource, f"{request.method} on this path")
        return await handler(self._server, served, target, request)

    async def _plan(self, target: Target, request: Request) -> Response:
        if request.method != "POST" or target.name:
            raise refusals.method_not_allowed(
                PLANS, request.method, "plans are not kept; POST one, and read it in the history"
            )
        if not authorize.is_allowed(request.identity, "create", "plans.mizzen.dev"):
            raise Forbidden(f'User "{request.identity}" cannot create plans')
        return await plans.commit(self._server, request)

    async def _subresource(
        self, verb: str, served: Served, target: Target, request: Request
    ) -> Response | Stream:
        name = target.subresource
        if name not in served.kind.subresources:
            if served.resource == PODS and name.partition("/")[0] in _REFUSED_POD:
                reason = _REFUSED_POD[name.partition("/")[0]]
                raise refusals.method_not_allowed(served.resource, name, reason)
            raise refusals.unserved()
        server = self._server
        if name == "log" and verb == "get":
            return await logs.log(server, served, target, request)
        if name == "binding" and verb == "create":
            return await writes.bind(server, served, target, request)
        if name in ("status", "scale") and verb == "update":
            return await writes.update(server, served, target, request)
        if name in ("status", "scale") and verb == "patch":
            return await writes.patch(server, served, target, request)
        if name == "status" and verb == "get":
            return reads.get(server, served, target, request)
        if name == "scale" and verb == "get":
            return scale.get_scale(server, served, target)
        raise refusals.method_not_allowed(served.resource, f"{request.method} on {name}")


def _not_allowed(identity: str, verb: str, served: Served, target: Target) -> Forbidden:
    resource = served.resource
    what = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    where = (
        f' in the namespace "{target.namespace}"' if target.namespace else " at the cluster scope"
    )
    return refusals.forbidden(
        resource,
        target.name,
        f'User "{identity}" cannot {verb} resource "{what}" in API group "{resource.group}"{where}',
    )


async def _get(server: Server, served: Served, target: Target, request: Request) -> Response:
    return reads.get(server, served, target, request)


async def _list(server: Server, served: Served, target: Target, request: Request) -> Response:
    return reads.list_objects(server, served, target, request)


async def _watch(server: Server, served: Served, target: Target, request: Request) -> Stream:
    return watch.watch(server, served, target, request)


_HANDLERS: dict[tuple[str, bool], Handler] = {
    ("get", True): _get,
    ("list", False): _list,
    ("watch", False): _watch,
    ("watch", True): _watch,
    ("create", False): writes.create,
    ("update", True): writes.update,
    ("patch", True): writes.patch,
    ("delete", True): writes.delete,
    ("deletecollection", False): writes.delete_collection,
}


def broken(error: Exception) -> InternalError:
    """What a client is told about a bug; the log has the rest."""
    return InternalError(f"Internal error occurred: {type(error).__name__}: {error}")
