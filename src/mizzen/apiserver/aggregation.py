"""API servers behind Services: what they answer, whether they do, and how they are asked.

A group's version that is not served here is asked of the Service that an APIService names, in the
name of who asks. While none is registered this costs a look into an empty table where an answer would
be 404. Source: k8s.io/kube-aggregator, v0.36.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from mizzen.apiserver import operations
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.context import ApiServerConfig
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.core.user import API_SERVER, User
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.forwarding import Site, forward
from mizzen.apiserver.http import Answer, Request, Response, Stream
from mizzen.apiserver.service_lookup import ENDPOINT_SLICES, backends_of
from mizzen.base.clock import rfc3339
from mizzen.base.errors import ApiError, Unavailable
from mizzen.base.objects import Obj, condition, with_condition
from mizzen.base.reading import entries, number, part, text
from mizzen.base.resources import API_SERVICES, CONFIG_MAPS, SERVICES
from mizzen.store.store import Event, ObjectKey, Store

RECHECK_S = 30.0
SOON_S = 1.0  # until the next look at one that does not answer
CHECK_S_MAX = 5.0
DISCOVERY_BYTES_MAX = 8 << 20
SERVICES_MAX = 256  # that are asked
AUTHENTICATION = "extension-apiserver-authentication"
_SYSTEM = "kube-system"
_KEY = qualified(API_SERVICES)
_USER = User("system:aggregator", groups=("system:masters",))
_log = logging.getLogger(__name__)


class Around(Protocol):
    """The server that this is a part of."""

    config: ApiServerConfig
    store: Store
    catalog: Catalog

    def draft(self, user: User) -> Draft: ...


class _NotThere(Exception):
    """A Service that cannot be asked: reason and message of the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(slots=True)
class Aggregated:
    """One APIService with a Service; `resources` and `openapi` are what it last told of itself."""

    spec: Obj
    is_available: bool = False
    resources: list[Obj] = field(default_factory=list[Obj])
    openapi: str = ""  # the URL of its document, "" for none

    @property
    def place(self) -> tuple[str, str]:
        return text(self.spec, "group"), text(self.spec, "version")


class Aggregation:
    """The API servers that are registered."""

    def __init__(self, server: Around) -> None:
        self._server = server
        self._by_place: dict[tuple[str, str], Aggregated] = {}
        self._contexts: dict[bytes, ssl.SSLContext] = {}
        self.generation = 0  # of what discovery shows

    # -- requests -------------------------------------------------------------------------
    def find(self, group: str, version: str) -> Aggregated | None:
        return self._by_place.get((group, version))

    def all(self) -> Sequence[Aggregated]:
        """The most important first, as discovery lists them."""
        return sorted(
            self._by_place.values(),
            key=lambda each: (
                -number(each.spec, "groupPriorityMinimum"), each.place[0],
                -number(each.spec, "versionPriority"),
            ),
        )  # fmt: skip

    def for_path(self, path: str) -> Aggregated | None:
        """The one that answers a path of discovery or OpenAPI: /apis/GROUP/VERSION..."""
        if not self._by_place:
            return None
        parts = path.removeprefix("/openapi/v3").split("/")
        return self.find(*parts[2:4]) if parts[1:2] == ["apis"] and len(parts) > 3 else None

    async def answer(self, known: Aggregated, request: Request) -> Answer:
        """Errors: Unavailable."""
        if not known.is_available:
            raise Unavailable("service unavailable")
        return await forward(
            self._site(known.spec), request, request.path, headers=_identity(request.user)
        )

    def _site(self, spec: Obj) -> Site:
        """Errors: Unavailable."""
        try:
            return self._resolved(spec)
        except _NotThere as error:
            raise Unavailable(f"service unavailable: {error.message}") from error

    def _resolved(self, spec: Obj) -> Site:
        service = part(spec, "service")
        namespace, name = text(service, "namespace"), text(service, "name")
        port, store = number(service, "port") or 443, self._server.store
        shown = f'service/{name} in "{namespace}"'
        found = store.get(ObjectKey(SERVICES.plural, namespace, name))
        if found is None:
            raise _NotThere("ServiceNotFound", f"{shown} is not present")
        try:
            addresses = backends_of(store, found, port)
        except LookupError as error:
            said = f"{shown} is not listening on port {port}"
            raise _NotThere("ServicePortError", said) from error
        if not addresses:
            said = f"endpointslices for {shown} have no addresses"
            raise _NotThere("MissingEndpoints", said)
        host, number_ = addresses[0]
        return Site(host, number_, self._context(spec), f"{name}.{namespace}.svc")

    def _context(self, spec: Obj) -> ssl.SSLContext:
        is_insecure = bool(spec.get("insecureSkipTLSVerify"))
        bundle = b"" if is_insecure else text(spec, "caBundle").encode()
        key = b"insecure" if is_insecure else bundle
        made = self._contexts.get(key)
        if made is None:
            try:
                written = base64.b64decode(bundle).decode() if bundle else None
                made = ssl.create_default_context(cadata=written)
            except (ssl.SSLError, ValueError, binascii.Error) as error:
                raise _NotThere("FailedDiscoveryCheck", f"caBundle: {error}") from error
            if is_insecure:
                made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
            shown = self._server.config.front_proxy
            if shown is not None:
                made.load_cert_chain(shown.cert_file, shown.key_file)
            if len(self._contexts) >= SERVICES_MAX:
                self._contexts.clear()
            self._contexts[key] = made
        return made

    # -- availability ---------------------------------------------------------------------
    async def run(self) -> None:
        """Keeps what is registered in step with the objects, and looks whether it answers; runs
        until cancelled."""
        store, changed = self._server.store, asyncio.Event()
        for resource in (_KEY, SERVICES.plural, ENDPOINT_SLICES):
            store.listen(resource, lambda event: changed.set() if self._rests_on(event) else None)
        await self._publish()
        while True:
            changed.clear()
            self._read()
            wait_s = await self._check()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await changed.wait()

    def _rests_on(self, event: Event) -> bool:
        return event.key.resource == _KEY or bool(self._by_place)

    async def _publish(self) -> None:
        """Tells aggregated API servers by which certificate they know this one, and how it says
        who asks."""
        shown, own = self._server.config.front_proxy, self._server.config.ca_file
        if shown is None or own is None:
            return
        served = self._server.catalog.by_place((CONFIG_MAPS.group, CONFIG_MAPS.plural))
        assert served is not None, "config maps are built in"
        data = {
            "client-ca-file": own.read_text(),
            "requestheader-client-ca-file": shown.ca_file.read_text(),
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-username-headers": '["X-Remote-User"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
        }
        draft = self._server.draft(API_SERVER)
        key = ObjectKey(served.key, _SYSTEM, AUTHENTICATION)
        found = draft.get(key)
        if found is None:
            body = {"metadata": {"name": AUTHENTICATION}, "data": data}
            operations.create(draft, served, _SYSTEM, body)
        elif found.get("data") != data:
            body = {**found, "metadata": dict(found["metadata"]), "data": data}
            operations.update(draft, served, _SYSTEM, AUTHENTICATION, body)
        done = draft.commit()
        if done is not None:
            await done

    def _read(self) -> None:
        found: dict[tuple[str, str], Aggregated] = {}
        is_other = False
        for stored in self._server.store.list(_KEY).items[:SERVICES_MAX]:
            obj = stored.object()
            spec = part(obj, "spec")
            if not spec.get("service"):
                continue
            known = self._by_place.get((text(spec, "group"), text(spec, "version")))
            known = known or Aggregated(spec)
            is_other = is_other or known.spec != spec
            known.spec = spec  # whoever answered is asked on until the next look says otherwise
            found[known.place] = known
        if is_other or found.keys() != self._by_place.keys():
            self.generation += 1
        self._by_place = found

    async def _check(self) -> float | None:
        """Looks at all; the seconds until the next time, None where there are none."""
        known = list(self._by_place.values())
        if not known:
            return None
        await asyncio.gather(*(self._check_one(each) for each in known))
        return RECHECK_S if all(each.is_available for each in known) else SOON_S

    async def _check_one(self, known: Aggregated) -> None:
        group, version = known.place
        reason, message = "Passed", "all checks passed"
        before = (known.is_available, known.resources, known.openapi)
        try:
            site = self._resolved(known.spec)
            path = f"/apis/{group}/{version}"
            told = await self._ask(site, path)
            known.resources = entries(told, "resources")
            known.openapi = await self._openapi(site, f"apis/{group}/{version}")
            known.is_available = True
        except _NotThere as error:
            reason, message, known.is_available = error.reason, error.message, False
        if before != (known.is_available, known.resources, known.openapi):
            self.generation += 1
        await self._tell(f"{version}.{group}", known.is_available, reason, message)

    async def _openapi(self, site: Site, place: str) -> str:
        try:
            told = await self._ask(site, "/openapi/v3")
        except _NotThere:
            return ""  # it need not have one
        return text(told, "paths", place, "serverRelativeURL")

    async def _ask(self, site: Site, path: str) -> Any:
        """Errors: _NotThere."""
        request = Request("GET", path, {}, {"accept": "application/json"}, b"")
        where = f"https://{site.authority}{path}"
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                made = await forward(site, request, path, headers=_identity(_USER))
                assert isinstance(made, Response | Stream), "no websocket was asked for"
                body = await _whole(made)
        except (ApiError, TimeoutError) as error:
            said = error.message if isinstance(error, ApiError) else "deadline exceeded"
            said = f"failing or missing response from {where}: {said}"
            raise _NotThere("FailedDiscoveryCheck", said) from error
        if made.status != 200:
            said = (
                f"failing or missing response from {where}: bad status from {where}: {made.status}"
            )
            raise _NotThere("FailedDiscoveryCheck", said)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise _NotThere("FailedDiscoveryCheck", f"{where} answers no JSON") from error

    async def _tell(self, name: str, is_available: bool, reason: str, message: str) -> None:
        """Writes the condition where it is new."""
        draft, key = self._server.draft(API_SERVER), ObjectKey(_KEY, "", name)
        obj = draft.get(key)
        if obj is None:
            return
        status = "True" if is_available else "False"
        known = condition(obj, "Available") or {}
        if (known.get("status"), known.get("reason"), known.get("message")) == (
            status, reason, message,
        ):  # fmt: skip
            return
        told: Obj = {
            "type": "Available", "status": status, "reason": reason, "message": message,
            "lastTransitionTime": rfc3339(draft.now_ns),
        }  # fmt: skip
        conditions = with_condition(entries(obj, "status", "conditions"), told)
        new = {**obj, "metadata": dict(obj["metadata"]), "status": {"conditions": conditions}}
        draft.put(key, new, "update/status")
        done = draft.commit()
        if done is not None:
            try:
                await done
            except ApiError as error:
                _log.warning("APIService %s keeps its old condition: %s", name, error)


async def _whole(made: Response | Stream) -> bytes:
    if isinstance(made, Response):
        return made.body
    pieces: list[bytes] = []
    size = 0
    async for piece in made.chunks:
        size += len(piece)
        if size > DISCOVERY_BYTES_MAX:
            raise Unavailable(f"its discovery has more than {DISCOVERY_BYTES_MAX} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _identity(user: User) -> list[tuple[str, str]]:
    """Who asks, as the other API server is told."""
    return [(name, _clean(value)) for name, value in _told(user)]


def _told(user: User) -> Iterator[tuple[str, str]]:
    yield "X-Remote-User", user.name
    if user.uid:
        yield "X-Remote-Uid", user.uid
    for group in user.groups:
        yield "X-Remote-Group", group
    extra: Mapping[str, Sequence[str]] = dict(user.extra)
    for key, values in extra.items():
        for value in values:
            yield f"X-Remote-Extra-{_escaped(key)}", value


def _escaped(key: str) -> str:
    """Source: client-go `transport/round_trippers.go`: headerKeyEscape."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else f"%{ord(c):02X}"
                   for c in key)  # fmt: skip


def _clean(value: str) -> str:
    """Without what would end the header field."""
    return "".join(c for c in value if c.isprintable())
