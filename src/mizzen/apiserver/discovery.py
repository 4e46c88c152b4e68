"""Discovery (aggregated and legacy) and OpenAPI, made once per change of the catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import orjson

from mizzen.apiserver.aggregation import Aggregation
from mizzen.apiserver.catalog import Catalog, Served
from mizzen.apiserver.core import aggregated_discovery, discovered_kinds
from mizzen.apiserver.core.local_api_services import group_priority
from mizzen.apiserver.core.negotiate import check_media, discovery_version, form_of
from mizzen.apiserver.core.refusals import unserved
from mizzen.apiserver.http import Request, Response, answer
from mizzen.base import names
from mizzen.base.api_versions import precedence
from mizzen.base.errors import NoPage, NotFound
from mizzen.base.objects import Obj
from mizzen.base.reading import number

_OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


class Discovery:
    """Answers about what is served."""

    def __init__(self, catalog: Catalog, aggregation: Aggregation, address: str) -> None:
        """`address`: where clients find the server, HOST:PORT."""
        self._address = address
        self._catalog = catalog
        self._aggregation = aggregation
        self._generation = (-1, -1)
        self._cache: dict[str, Response] = {}
        self._openapi_cache: dict[str, bytes] = {}

    def answer(self, path: str, request: Request) -> Response:
        """GET of /api, /apis, a group, a group-version, /openapi/v3 or a document below it."""
        generation = (self._catalog.generation, self._aggregation.generation)
        if self._generation != generation:
            self._cache.clear()
            self._openapi_cache.clear()
            self._generation = generation
        accept = request.head.accept
        version = discovery_version(accept) if path in ("/api", "/apis") else ""
        if accept and not version and not path.startswith("/openapi"):
            if self.is_routed(path):
                check_media(accept, is_list=False)
            form_of(accept, transforms=False)
        key = f"{path} {version}"
        made = self._cache.get(key)
        if made is None:
            made = self._cache[key] = self._make(path, version)
        etag = dict(made.headers).get("etag")
        if etag and request.headers.get("if-none-match") == etag:
            return Response(304, b"", made.content_type, made.headers)
        # A new one: whoever sends it adds headers to it.
        return Response(made.status, made.body, made.content_type, made.headers)

    def document(self, path: str, request: Request) -> Response | None:
        """/openapi/v3 or a document below it; None: there is none of this path."""
        place = path.removeprefix("/openapi/v3")
        if place and place[1:] not in self._documents():
            return None
        return self.answer(path, request)

    def paths(self) -> list[str]:
        """Those of discovery."""
        groups = [group for group in self._groups() if group]
        places = [f"/{place}" for place in self._documents()]
        return ["/api", "/apis", *(f"/apis/{group}" for group in groups), *places]

    def is_routed(self, path: str) -> bool:
        """True where upstream's router has the methods of a path: not of groups, nor below a group
        that has custom kinds alone."""
        parts = path.split("/")
        return path == "/api" or (
            (path.startswith("/api/") or len(parts) > 3)
            and any(
                (served.resource.group, served.resource.version) == (_group_of(parts), parts[-1])
                for served in self._catalog.all()
                if served.is_builtin
            )
        )

    def unknown(self, group: str) -> NotFound:
        """The error for what a group does not have: a Status below a built-in one alone."""
        is_builtin = any(s.is_builtin and s.resource.group == group for s in self._catalog.all())
        return unserved() if is_builtin else NoPage()

    def openapi_v2(self, request: Request) -> Response:
        """The OpenAPI v2 document as JSON; in protobuf one without definitions.

        kubectl asks for protobuf where v3 does not have a kind, such as a misspelt one, and must
        find a document to get to its own clear message.
        """
        if "protobuf" not in request.head.accept:
            return self.answer("/openapi/v2", request)
        # gnostic's openapi.v2.Document: swagger = 1, info = 2 (title = 1, version = 2).
        info = ("Kubernetes", "v3-only")
        inner = b"".join(_text_field(i + 1, text) for i, text in enumerate(info))
        body = _text_field(1, "2.0") + bytes((2 << 3 | 2, len(inner))) + inner
        return Response(200, body, _OPENAPI_V2)

    def _whole_openapi(self) -> Response:
        # Loaded when first asked for: most processes' lives pass without it.
        from mizzen.kinds import openapi_v2

        documents = (orjson.loads(self._document(place)) for place in self._documents())
        major, minor = names.KUBERNETES_VERSION
        body = orjson.dumps(openapi_v2.document(documents, f"v{major}.{minor}.0+mizzen"))
        return Response(200, body, headers=[("etag", f'"{_digest(body)}"'), ("vary", "Accept")])

    def _make(self, path: str, version: str) -> Response:
        parts = path.removeprefix("/").split("/")
        if version:
            return self._aggregated(core=path == "/api", version=version)
        if path == "/api":
            address = {"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}
            return answer(200, {"kind": "APIVersions", "versions": ["v1"],
                                "serverAddressByClientCIDRs": [address]})  # fmt: skip
        if path == "/apis":
            groups = [self._group(group) for group in self._groups() if group]
            return answer(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        if path == "/openapi/v2":
            return self._whole_openapi()
        if parts[0] == "openapi":
            return self._openapi(parts[2:])
        if parts[0] == "apis" and len(parts) == 2 and parts[1] in self._groups():
            return answer(200, {"kind": "APIGroup", "apiVersion": "v1", **self._group(parts[1])})
        group, found = _group_of(parts), parts[-1]
        if len(parts) != (2 if parts[0] == "api" else 3):
            raise self.unknown(group)
        served = self._served(group, found)
        if found not in self._versions(group):
            raise self.unknown(group)
        entries = [entry for each in served for entry in self._listed(each)]
        return answer(200, discovered_kinds.resource_list(group, found, entries))

    def _listed(self, served: Served) -> list[Obj]:
        resource, conversion = served.resource, served.conversion
        stored = self._catalog.by_place((resource.group, resource.plural))
        place = conversion.stored if conversion is not None else (stored or served).resource
        return discovered_kinds.listed(served.kind, place, is_builtin=served.is_builtin)

    def _groups(self) -> list[str]:
        names = {served.resource.group for served in self._catalog.all()}
        others = {
            each.place[0]: number(each.spec, "groupPriorityMinimum") or 0
            for each in self._aggregation.all()
        }
        return sorted(
            names | others.keys(),
            key=lambda name: (-group_priority(name) if name in names else -others[name], name),
        )

    def _versions(self, group: str) -> list[str]:
        found = {s.resource.version for s in self._catalog.all() if s.resource.group == group}
        found.update(each.place[1] for each in self._aggregation.all() if each.place[0] == group)
        return sorted(found, key=precedence)

    def _served(self, group: str, version: str) -> list[Served]:
        return sorted(
            (
                s
                for s in self._catalog.all()
                if s.resource.group == group and s.resource.version == version
            ),
            key=lambda s: s.resource.plural,
        )

    def _group(self, group: str) -> Obj:
        versions = [
            {"groupVersion": f"{group}/{version}", "version": version}
            for version in self._versions(group)
        ]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _aggregated(self, *, core: bool, version: str) -> Response:
        groups = [""] if core else [group for group in self._groups() if group]
        items = [
            {
                "metadata": {"name": group} if group else {},
                "versions": [self._version(group, each) for each in self._versions(group)],
            }
            for group in groups
        ]
        body: Obj = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }
        made = answer(200, body, _AGGREGATED.format(version))
        made.gather()
        tag = f'"{_digest(made.body)}"'
        headers = [("etag", tag), ("cache-control", "public"), ("vary", "Accept")]
        return Response(200, made.body, made.content_type, headers)

    def _version(self, group: str, version: str) -> Obj:
        other = self._aggregation.find(group, version)
        served = self._served(group, version)
        if other is None or served:
            shown, freshness = _aggregated(served), "Current"
        else:
            shown = aggregated_discovery.resources(group, version, other.resources)
            freshness = "Current" if other.is_available else "Stale"
        return {"version": version, "freshness": freshness, "resources": shown}

    def _openapi(self, parts: list[str]) -> Response:
        if not parts:
            paths = {
                place: {"serverRelativeURL": f"/openapi/v3/{place}?hash={self._hash(place)}"}
                for place in self._documents()
            }
            for each in self._aggregation.all():
                if each.openapi:
                    url = {"serverRelativeURL": each.openapi}
                    paths.setdefault("apis/{}/{}".format(*each.place), url)
            return answer(200, {"paths": paths})
        body = self._document("/".join(parts))
        etag = f'"{_digest(body)}"'
        headers = [("etag", etag), ("cache-control", "public, immutable"), ("vary", "Accept")]
        return Response(200, body, headers=headers)

    def _documents(self) -> list[str]:
        own = dict.fromkeys((s.resource.group, s.resource.version) for s in self._catalog.all())
        return [
            f"apis/{group}/{version}" if group else f"api/{version}"
            for group in self._groups()
            for version in self._versions(group)
            if (group, version) in own
        ]

    def _document(self, place: str) -> bytes:
        made = self._openapi_cache.get(place)
        if made is not None:
            return made
        # Loaded when first asked for: most processes' lives pass without it.
        from mizzen.kinds import openapi

        parts = place.split("/")
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
        kinds = [served.kind for served in self._served(group, version)]
        made = self._openapi_cache[place] = orjson.dumps(openapi.document(group, version, kinds))
        return made

    def _hash(self, place: str) -> str:
        return _digest(self._document(place))


def _group_of(parts: list[str]) -> str:
    """The group of a path's parts, with or without the empty one before its slash."""
    parts = parts[1:] if not parts[0] else parts
    return "" if parts[0] == "api" else parts[1]


def _aggregated(served: Iterable[Served]) -> list[Obj]:
    return [discovered_kinds.aggregated(s.kind, is_builtin=s.is_builtin) for s in served]


def _text_field(number: int, text: str) -> bytes:
    """A short string as a protobuf field."""
    return bytes((number << 3 | 2, len(text))) + text.encode()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest().upper()
