"""The gateway's routes: keys, names, bodies; the rest is the pool's and the proxy's."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

import orjson
from aiohttp import web

from mizzen.base.clock import Clock, parse_rfc3339
from mizzen.base.exposition import CONTENT_TYPE, MetricsRegistry
from mizzen.base.objects import Obj
from mizzen.base.openai import OpenAIError, read_json, refused_by_http, write_json
from mizzen.gateway.config import GatewayConfig
from mizzen.gateway.core.endpoints import Endpoint, model_ids
from mizzen.gateway.core.forwarding import REQUEST_HEADER
from mizzen.gateway.core.keys import Unauthenticated, check_key
from mizzen.gateway.core.picker import RequestContext
from mizzen.gateway.core.prefixes import prefix_hashes
from mizzen.gateway.core.services import PREFIX, ServiceError
from mizzen.gateway.demand import DemandWriter
from mizzen.gateway.directory import Directory
from mizzen.gateway.metrics import collect_requests
from mizzen.gateway.pool import Pool
from mizzen.gateway.proxy import OutboundRequest, Proxy
from mizzen.gateway.request_ids import REQUEST_ID, identify
from mizzen.gateway.services import ServiceProxy
from mizzen.host.bodies import Bodies
from mizzen.host.logs import about

BODY_BYTES_MAX = 8 << 20
_log = logging.getLogger(__name__)
# Who has no key keeps no connection; the rest of a body that is not wanted is not waited for.
_ENDS_THE_CONNECTION = (401, 408, 413)
# They tell no secrets; probes and scrapers carry no key.
_HEALTH_PATHS = ("/health", "/livez", "/readyz")  # it listens once it knows all there is
_OPEN_PATHS = (*_HEALTH_PATHS, "/metrics")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GatewayServer:
    """Serves the endpoints in `directory`, and Services."""

    def __init__(
        self,
        config: GatewayConfig,
        clock: Clock,
        directory: Directory,
        demand: DemandWriter,
        proxy: Proxy,
        services: ServiceProxy,
        metrics: MetricsRegistry,
    ) -> None:
        self._config = config
        self._clock = clock
        self._directory = directory
        self._demand = demand
        self._proxy = proxy
        self._services = services
        self._bodies = Bodies(BODY_BYTES_MAX)
        self._metrics = metrics
        metrics.register(partial(collect_requests, directory.pools, services.answered()))

    def app(self) -> web.Application:
        app = web.Application(
            client_max_size=BODY_BYTES_MAX, middlewares=[answer_errors, self._check_key]
        )
        app.add_routes(
            [
                *(web.get(path, self._health) for path in _HEALTH_PATHS),
                web.get("/metrics", self._show_metrics),
                web.get("/v1/models", self._models),
                web.get("/v1/models/{name:.+}", self._show_model),
                web.post("/v1/completions", self._generate),
                web.post("/v1/chat/completions", self._generate),
                web.get("/debug/decisions", self._decisions),
                web.route("*", PREFIX + "{rest:.*}", self._services.forward),
            ]
        )
        return app

    def statistics(self) -> Mapping[str, int]:
        return {
            **self._demand.statistics(),
            **self._bodies.statistics(),
            "retries": self._proxy.retries,
        }

    @web.middleware
    async def _check_key(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in _OPEN_PATHS:
            check_key(request.headers.get("Authorization", ""), self._config.api_keys)
        return await handler(request)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _show_metrics(self, _: web.Request) -> web.Response:
        body = self._metrics.render().encode()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def _models(self, _: web.Request) -> web.Response:
        cards = [_card(name, endpoint) for name, endpoint in model_ids(self._directory.endpoints)]
        return _json({"object": "list", "data": cards})

    async def _show_model(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return _json(_card(name, self._directory.find(name).endpoint))

    async def _decisions(self, request: web.Request) -> web.Response:
        if request.remote not in ("127.0.0.1", "::1"):
            raise OpenAIError(403, "/debug is served to this machine only")
        return _json({"decisions": list(self._demand.decisions)})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        arrived_ns, began_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        async with self._bodies.of(request) as raw:
            return await self._answer(request, _object(raw), arrived_ns, began_ns)

    async def _answer(
        self, request: web.Request, body: Mapping[str, Any], arrived_ns: int, began_ns: int
    ) -> web.StreamResponse:
        pool = self._find(body)
        context = RequestContext(
            REQUEST_ID.get(),
            arrived_ns,
            prefix_hashes(_prompt_bytes(body), pool.endpoint.engine.block_tokens),
        )

        def on_first_byte() -> None:
            elapsed_ns = self._clock.monotonic_ns() - began_ns
            pool.first_byte.observe(elapsed_ns / 1e9)

        outbound = OutboundRequest(
            path=request.path,
            body=write_json({**body, "model": pool.endpoint.served}),
            context=context,
            streams=body.get("stream") is True,
            on_first_byte=on_first_byte,
        )
        del body  # as objects it may take many times its bytes, and the request may wait for long
        status = 499  # what nginx logs for a client that left; nobody reads it
        try:
            response = await self._proxy.forward(request, pool, outbound)
            status = response.status
            return response
        except OpenAIError as error:
            status = error.status
            raise
        finally:
            pool.answers[status] += 1

    def _find(self, body: Mapping[str, Any]) -> Pool:
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise OpenAIError(
                400,
                "model: must name a model; GET /v1/models lists them",
                param="model",
                code="invalid_value",
            )
        return self._directory.find(model)


def is_of_a_model(request: web.Request) -> bool:
    """True if the answer comes from a model and so flows; a Service's answer may pause for ever."""
    return not request.path.startswith(PREFIX)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal, aiohttp's included: a Status for Services, else in OpenAI's form.

    From here on the request has its id: the client's, or one made here.
    """
    request_id = identify(request)
    response = await _answered(request, handler)
    if _log.isEnabledFor(logging.DEBUG):
        said = (request.method, request.path, response.status)
        _log.debug("%s %s: %d", *said, extra=about(request=request_id))
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Unauthenticated as error:
        form = OpenAIError if is_of_a_model(request) else ServiceError
        return _refusal(form(401, error.message, code=error.code))
    except (OpenAIError, ServiceError) as error:
        if error.status >= 500:
            _log.warning("%s", error.message, extra=about(request=REQUEST_ID.get()))
        return _refusal(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refused = refused_by_http(
            error.status, request.method, request.path, error.reason, BODY_BYTES_MAX
        )
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        headers[REQUEST_HEADER] = REQUEST_ID.get()
        return _json(refused.body(), refused.status, headers)


def _refusal(error: OpenAIError | ServiceError) -> web.Response:
    headers = {**error.headers(), REQUEST_HEADER: REQUEST_ID.get()}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    response = _json(error.body(), error.status, headers)
    if error.status in _ENDS_THE_CONNECTION:
        response.force_close()
    return response


def _object(raw: bytes) -> dict[str, Any]:
    body = read_json(raw)
    if not isinstance(body, dict):
        raise OpenAIError(400, "the request body must be a JSON object", code="invalid_json")
    return cast(dict[str, Any], body)


def _prompt_bytes(body: Mapping[str, Any]) -> bytes:
    """The prompt as the engine will read it: equal beginnings have equal bytes."""
    prompt = body.get("messages") or body.get("prompt") or ""
    return (
        prompt.encode("utf-8", "surrogatepass") if isinstance(prompt, str) else write_json(prompt)
    )


def _card(name: str, endpoint: Endpoint) -> Obj:
    created = parse_rfc3339(endpoint.created) // 10**9 if endpoint.created else 0
    return {"id": name, "object": "model", "created": created, "owned_by": "mizzen"}


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", headers=headers
    )
