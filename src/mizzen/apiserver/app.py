"""From a request to its answer: who asks, what for, may they, who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from mizzen.apiserver import handlers, metrics
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import (
    health,
    impersonation,
    negotiate,
    patching,
    refusals,
    routing,
    warnings,
)
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.discovery import Discovery
from mizzen.apiserver.flow_control import Place
from mizzen.apiserver.handlers import Handler
from mizzen.apiserver.http import (
    Answer,
    Request,
    Response,
    Stream,
    Upgrade,
    refusal,
)
from mizzen.apiserver.plain_paths import VERSION, PlainPaths
from mizzen.apiserver.server import Server
from mizzen.base.errors import (
    ApiError,
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NoPage,
    Unauthorized,
)
from mizzen.base.exposition import MetricsRegistry
from mizzen.host.process_metrics import collect_process
from mizzen.kinds.subresource import Subresource

_OPEN = (VERSION,)  # to strangers, too


class App:
    """Answers requests. All state is in `Server`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        config = server.config
        host = f"[{config.host}]" if ":" in config.host else config.host
        address = f"{host}:{config.port}"
        self._discovery = Discovery(server.catalog, server.aggregation, address)
        self._of_subresources = handlers.of_subresources()
        self._of_virtual_kinds = handlers.of_virtual_kinds()
        # Ways that requests have gone, while the kinds that are served stay the same.
        self._ways: dict[tuple[object, ...], tuple[Served, Handler]] = {}
        self._ways_of = 0
        self._user_of = server.authenticate
        self.metrics = MetricsRegistry(partial(metrics.collect, server), collect_process)
        self._plain = PlainPaths(server, self._discovery, self.metrics)

    def authenticate(self, request: Request) -> None:
        """Sets the user, from the head alone: who asks, or in whose name it is asked.

        Health and version need no credential. Errors: Unauthorized; BadRequest and Forbidden where
        the head says another name.
        """
        if request.path in health.PATHS:
            return
        try:
            user = self._user_of(request)
        except Unauthorized:
            if request.path not in _OPEN or "authorization" in request.headers:
                raise
            return  # what strangers may do is the authorizers' to say
        request.user = user
        if request.head.impersonates:
            self._impersonate(request)

    def _impersonate(self, request: Request) -> None:
        wanted = impersonation.requested(request.pairs())
        if wanted is not None:
            access = self.access_of(request)
            request.requester = request.user
            request.user = impersonation.impersonated(self._server.authorizer, access, wanted)

    def access_of(self, request: Request) -> Access:
        """The attributes by which a request is judged. Errors: BadRequest."""
        path = routing.decoded(request.path)
        is_of_api = path.startswith(("/api/", "/apis/"))
        target = routing.parse_path(request.path) if is_of_api else None
        if target is None or not target.plural:
            return _of_path(request, path)
        verb = routing.verb_of(request.method, target, request.params)
        return routing.access_of(request.user, verb, target, request.params)

    def answer(self, request: Request) -> Awaitable[Answer]:
        """Answers an authenticated request; with an `Upgrade` exactly if it asks for a websocket.

        Errors: ApiError, to be answered as its Status.
        """
        if request.warnings:
            return _warned(request.warnings, lambda: self._answer(request))
        return self._answer(request)

    def _answer(self, request: Request) -> Awaitable[Answer]:
        path = routing.decoded(request.path)
        if request.path in health.PATHS:
            return self._plain.answer(path, request)
        if path.startswith(("/api/", "/apis/")):
            target = request.target = routing.parse_path(request.path)
            if target is not None and target.plural:
                verb = routing.verb_of(request.method, target, request.params)
                access = routing.access_of(request.user, verb, target, request.params)
                return self._in_turn(access, request, target)
        if request.offered is not None:
            raise _no_websocket(path)
        return self._in_turn(_of_path(request, path), request, None)

    # From here to the handler nothing waits but for its turn: each way ends in the one awaitable.

    def _in_turn(
        self, access: Access, request: Request, target: Target | None
    ) -> Awaitable[Answer]:
        """Answers once it is the request's turn, also with a refusal."""
        place = self._server.flows.enter(access, request.params)
        if place is None:
            return self._judged(access, request, target)
        return self._queued(place, access, request, target)

    async def _queued(
        self, place: Place, access: Access, request: Request, target: Target | None
    ) -> Answer:
        flows = self._server.flows
        try:
            ticket = place.ticket
            if ticket is None or ticket.started_s is None:
                await flows.wait(place)
            result = await self._judged(access, request, target)
        except ApiError as error:
            flows.leave(place)
            result = refusal(error)
        except BaseException:
            flows.leave(place)
            raise
        else:
            self._leave_after(result, place)
        if not isinstance(result, Upgrade):
            result.headers = (*result.headers, *place.classification.headers)
        return result

    def _leave_after(self, result: Answer, place: Place) -> None:
        """A list keeps its place until it is sent, a watch until all is sent that was there."""
        flows = self._server.flows
        if isinstance(result, Response) and result.rest is not None:
            result.rest.end = flows.leave_late(place)
        elif isinstance(result, Stream) and result.start is not None:
            result.start.leave = flows.leave_late(place)
        else:
            flows.leave(place)

    def _judged(self, access: Access, request: Request, target: Target | None) -> Awaitable[Answer]:
        if not self._server.authorize(access):
            raise self._server.denial(access)
        if target is None:
            return self._plain.answer(routing.decoded(request.path), request)
        return self._resource(access, target, request)

    def _resource(self, access: Access, target: Target, request: Request) -> Awaitable[Answer]:
        catalog = self._server.catalog
        if not target.subresource and request.offered is None:
            if self._ways_of != catalog.generation:  # kinds have come or gone
                self._ways, self._ways_of = {}, catalog.generation
            known = self._ways.get(_way(access, target, request))
            if known is not None:
                served, handler = known
                self._check(served, access, target, request)
                return handler(self._server, served, target, request)
        served = catalog.find(target.group, target.version, target.plural)
        if served is None:
            known = self._server.aggregation.find(target.group, target.version)
            if known is not None:
                return self._server.aggregation.answer(known, request)
            raise self._discovery.unknown(target.group)
        if served.kind.deprecation:
            work = partial(self._served, served, access, target, request)
            return _warned((served.kind.deprecation,), work)
        return self._served(served, access, target, request)

    def _served(
        self, served: Served, access: Access, target: Target, request: Request
    ) -> Awaitable[Answer]:
        verb, resource = access.verb, served.resource
        if bool(target.namespace) and not resource.namespaced:
            raise refusals.unserved()
        if resource.namespaced and not target.namespace:
            if target.name:
                raise refusals.unserved()
            if verb not in ("list", "watch"):  # of all namespaces objects are only listed
                raise refusals.unrouted() if served.is_builtin else NoPage
        subresource = served.kind.subresource(target.subresource) if target.subresource else None
        handler = self._handler(verb, served, subresource, target, request.method)
        self._check(served, access, target, request)
        if subresource is not None or request.offered is not None:
            self._check_upgrade(access, served, subresource, request)
            if subresource is not None and subresource.upgrades and request.offered is None:
                # Refused as those are who ask in another way, once what is asked for is found.
                handler = self._of_subresources.get((subresource.name, "create"), _not_upgraded)
        elif not served.kind.deprecation:
            self._ways[_way(access, target, request)] = served, handler
        return handler(self._server, served, target, request)

    def _check(self, served: Served, access: Access, target: Target, request: Request) -> None:
        """Errors: BadRequest for a name that nothing has, NotAcceptable."""
        verb, head = access.verb, request.head
        if target.name and verb == "get" and not target.subresource:
            refusals.check_name(target.name)
        if not head.accept or head.takes_json:
            return
        if served.is_builtin:
            negotiate.check_media(head.accept, is_list=verb in ("list", "watch"))
        if verb != "watch" and not target.subresource:
            form = negotiate.form_of(head.accept)
            if form.is_protobuf and not served.is_builtin:
                raise negotiate.none_acceptable()

    def _check_upgrade(
        self, access: Access, served: Served, subresource: Subresource | None, request: Request
    ) -> None:
        """A websocket is a GET, but who may only read must not run anything by it.

        Errors: BadRequest, Forbidden. Source: kube-apiserver 1.35, feature gate
        AuthorizePodWebsocketUpgradeCreatePermission: pods/exec, attach, portforward ask for create.
        """
        upgrades = subresource is not None and subresource.upgrades
        if request.offered is None:
            return
        if subresource is not None and subresource.may_upgrade:
            return
        if not upgrades:
            raise _no_websocket(request.path)
        access = access._replace(verb="create")
        if not self._server.authorize(access):
            raise self._server.denial(access)

    def _handler(
        self,
        verb: str,
        served: Served,
        subresource: Subresource | None,
        target: Target,
        method: str,
    ) -> Handler:
        """Errors: NotFound, MethodNotAllowed."""
        kind, resource = served.kind, served.resource
        if target.subresource:
            if subresource is None and not served.is_builtin and target.name:
                raise refusals.not_found(resource, target.name)
            if subresource is None:
                raise self._discovery.unknown(resource.group)
            is_proxy = subresource.name == "proxy"
            passes_on = verb == "options" and is_proxy
            is_unrouted = method == "HEAD" and served.is_builtin and not is_proxy
            if is_unrouted or (verb not in subresource.verbs and not passes_on):
                raise _not_allowed(served, verb)
            if verb == "get" and not is_proxy:
                refusals.check_name(target.name)
            return self._of_subresources[subresource.name, "get" if passes_on else verb]
        if target.name and not kind.is_stored and "get" not in kind.verbs:
            raise refusals.unserved()  # there is nothing of a name
        if verb not in kind.verbs or (method == "HEAD" and served.is_builtin):
            raise _not_allowed(served, verb)
        if kind.is_stored:
            handler = handlers.OF_STORED_KINDS.get((verb, bool(target.name)))
        else:
            is_by_name = verb == "get"  # all else is asked of them without one
            found = self._of_virtual_kinds[resource.plural, verb]
            handler = found if bool(target.name) == is_by_name else None
        if handler is None and served.is_builtin:
            raise refusals.unrouted()
        if handler is None:
            handler = self._of_custom_kind(verb, target)
        return handler

    def _of_custom_kind(self, verb: str, target: Target) -> Handler:
        """Upstream asks by the verb alone, and each verb looks for the name that it needs.

        Errors: BadRequest.
        """
        found = handlers.OF_STORED_KINDS.get((verb, not target.name))
        assert found is not None, "the kind has the verb"
        return found if verb == "create" else _unnamed


def _way(access: Access, target: Target, request: Request) -> tuple[object, ...]:
    """All that decides which handler answers a request for what is no subresource."""
    group, version, plural, namespace, name, _ = target
    return request.method, access.verb, group, version, plural, not namespace, not name


def _not_allowed(served: Served, what: str) -> MethodNotAllowed:
    """Upstream's router knows the methods of built-in kinds; custom ones it asks itself."""
    if served.is_builtin:
        return refusals.unrouted()
    return refusals.method_not_allowed(served.resource, what)


async def _not_upgraded(server: Server, served: Served, target: Target, _: Request) -> Answer:
    raise BadRequest("Upgrade request required")


async def _unnamed(server: Server, served: Served, target: Target, request: Request) -> Answer:
    if request.method == "PATCH":
        patching.check_type(request.head.patch_type, served.kind, is_builtin=False)
    raise BadRequest("name must be provided")


async def _warned(texts: Sequence[str], work: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer, whatever it is, with these warnings before its own. Errors: ApiError."""
    try:
        result = await work()
    except ApiError as error:
        error.warnings = [*texts, *error.warnings]
        raise
    if not isinstance(result, Upgrade):
        result.headers = (*warnings.headers(texts), *result.headers)
    return result


def _of_path(request: Request, path: str) -> Access:
    path = path.rstrip("/") or "/"
    return Access(request.user, request.method.lower(), path=path)


def _no_websocket(path: str) -> BadRequest:
    return BadRequest(f"{path} is no websocket: ask without Connection: Upgrade")


def broken(error: Exception) -> InternalError:
    """The error that a client gets for a bug; the log has the details."""
    return InternalError(f"Internal error occurred: {type(error).__name__}: {error}")
