"""Everything that is not about objects: discovery, OpenAPI, health, version, metrics, history.

Upstream has a router for some of these paths, which knows their methods and media types, and takes
them with a slash behind; the others are compared whole and answer any method.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from functools import partial

from mizzen import __version__
from mizzen.apiserver import history, openid, role_metrics
from mizzen.apiserver.core import health, negotiate, refusals
from mizzen.apiserver.discovery import Discovery
from mizzen.apiserver.http import JSON, TEXT, Answer, Request, Response, Stream, answer
from mizzen.apiserver.role_metrics import RoleMetrics
from mizzen.apiserver.server import Server
from mizzen.base import names
from mizzen.base.errors import NoPage
from mizzen.base.exposition import CONTENT_TYPE, MetricsRegistry

VERSION = "/version"
_READS = ("GET", "HEAD")
_INDEX = ("/", "/index.html")
_METRICS, _OPENAPI_V2, _OPENAPI_V3 = "/metrics", "/openapi/v2", "/openapi/v3"
_HISTORY = "/mizzen/v1/history"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Go calls them
_KEYS_TYPE = "application/jwk-set+json"

_Handler = Callable[[Request], Response | Stream]


class PlainPaths:
    """Answers them. `registry` has the server's own metrics."""

    def __init__(self, server: Server, discovery: Discovery, registry: MetricsRegistry) -> None:
        self._aggregation = server.aggregation
        self._discovery = discovery
        self._registry = registry
        config = server.config
        self._roles = RoleMetrics(config.role_sockets, server.kubelets, server.store)
        self._routed: Mapping[str, tuple[_Handler, str]] = {
            VERSION: (lambda _: _version(), JSON),
            openid.CONFIGURATION: (partial(openid.configuration, server), JSON),
            openid.KEYS: (partial(openid.keys, server), _KEYS_TYPE),
        }
        self._exact: Mapping[str, _Handler] = {
            _OPENAPI_V2: discovery.openapi_v2,
            _METRICS: lambda _: Response(200, registry.render().encode(), CONTENT_TYPE),
        }
        self._history: _Handler = partial(history.history, server)

    async def answer(self, path: str, request: Request) -> Answer:
        """`path`: what the request's path means, without its escapes.

        Errors: NoPage, NotFound, MethodNotAllowed, NotAcceptable.
        """
        bare = path.rstrip("/") or "/"
        if bare in ("/api", "/apis") or path.startswith(("/api/", "/apis/")):
            return await self._discover(bare, request)
        if path == _OPENAPI_V3 or path.startswith(f"{_OPENAPI_V3}/"):
            return await self._openapi(path, request)
        routed = self._routed.get(bare)
        if routed is not None and not bare.startswith("//"):
            handler, media = routed
            if request.method != "GET":
                raise refusals.unrouted()
            if request.head.accept:
                negotiate.check_media(request.head.accept, is_list=False, served=(media,))
            return handler(request)
        if path in self._exact and request.method != "DELETE":
            return self._exact[path](request)
        told = health.told(path, request.query) if path.startswith(health.PATHS) else None
        if told is not None:
            return Response(200, told.encode(), TEXT)
        if path in _INDEX:
            return answer(200, {"paths": self._paths()})
        if request.method in _READS:
            if bare == _HISTORY:
                return self._history(request)
            if path.startswith(role_metrics.PATH) and path != role_metrics.PATH:
                return await self._roles.get(bare)
        raise NoPage

    async def _discover(self, path: str, request: Request) -> Answer:
        if path.startswith("/apis//"):
            raise NoPage
        known = self._aggregation.for_path(path)
        if known is not None:
            return await self._aggregation.answer(known, request)
        found = self._discovery.answer(path, request)
        if request.method != "GET" and self._discovery.is_routed(path):
            raise refusals.unrouted()
        return found

    async def _openapi(self, path: str, request: Request) -> Answer:
        known = self._aggregation.for_path(path)
        if known is not None:
            return await self._aggregation.answer(known, request)
        found = self._discovery.document(path, request)
        return found if found is not None else Response(404, b"", TEXT)

    def _paths(self) -> list[str]:
        """What `/` lists."""
        checks = [f"{root}/{check}" for root in health.PATHS for check in health.CHECKS]
        return sorted(
            (*self._routed, *self._exact, _OPENAPI_V3, *health.PATHS, *checks,
             *self._discovery.paths())
        )  # fmt: skip


def _version() -> Response:
    major, minor = names.KUBERNETES_VERSION
    return answer(
        200,
        {
            "major": major,
            "minor": minor,
            "emulationMajor": major,
            "emulationMinor": minor,
            "minCompatibilityMajor": major,
            "minCompatibilityMinor": str(int(minor) - 1),
            "gitVersion": f"v{major}.{minor}.0+mizzen.{__version__}",
            "gitCommit": "",
            "gitTreeState": "",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "none",
            "compiler": f"CPython {platform.python_version()}",
            "platform": f"linux/{_MACHINES.get(platform.machine(), platform.machine())}",
        },
    )
