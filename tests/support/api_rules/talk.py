"""Plain HTTP to an API server: the answers as they are on the wire."""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 15.0
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, list[str]]  # names in lower case
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def warnings(self) -> list[str]:
        """The texts of its Warning headers, `299 - "text"`."""
        return [json.loads(each[6:]) for each in self.headers.get("warning", [])]

    def refused(self, status: int, reason: str) -> Any:
        """The Status of a refusal with this code and reason."""
        assert self.status == status, self.raw[:500]
        assert self.body["kind"] == "Status" and self.body["reason"] == reason, self.body
        return self.body

    def ok(self, status: int = 200) -> Any:
        assert self.status == status, self.raw[:500]
        return self.body


class Talk:
    """The administrator's requests."""

    _numbers = itertools.count()

    def __init__(self, url: str, authority: Path, token: str) -> None:
        self._place = urlsplit(url)
        self._context = ssl.create_default_context(cafile=str(authority))
        self._token = token

    def _connect(self) -> http.client.HTTPSConnection:
        host, port = self._place.hostname or "", self._place.port
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._context)

    def _headers(self, accept: str, kind: str) -> dict[str, str]:
        found = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        return {**found, "Content-Type": kind} if kind else found

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: str = "application/json",
        kind: str = "application/json",
        more: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Answer:
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
        connection = self._connect()
        try:
            headers = self._headers(accept, kind if data is not None else "")
            connection.request(method, with_query(path, query), data, {**headers, **(more or {})})
            answer = connection.getresponse()
            raw = answer.read()
            found: dict[str, list[str]] = {}
            for name, value in answer.getheaders():
                found.setdefault(name.lower(), []).append(value)
            if found.get("content-encoding") == ["gzip"]:
                raw = gzip.decompress(raw)
            return Answer(answer.status, found, raw)
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Answer:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any, **query: Any) -> Answer:
        return self.call("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: Any) -> Answer:
        return self.call("PUT", path, body, **query)

    def patch(self, path: str, body: Any, kind: str = MERGE, **query: Any) -> Answer:
        return self.call("PATCH", path, body, kind=kind, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.call("DELETE", path, body, **query)

    def watch(
        self, path: str, accept: str = "application/json", **query: Any
    ) -> Iterator[dict[str, Any]]:
        """The events of a watch, until it ends. Errors: AssertionError for a refusal."""
        query = {"watch": "true", "timeoutSeconds": 10, **query}
        connection = self._connect()
        try:
            connection.request("GET", with_query(path, query), headers=self._headers(accept, ""))
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()[:500]
            while line := answer.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def namespace(self) -> str:
        """A new one, as part of a path."""
        name = f"rules-{next(self._numbers)}"
        self.post("/api/v1/namespaces", {"metadata": {"name": name}}).ok(201)
        return f"/api/v1/namespaces/{name}"


def with_query(path: str, query: Mapping[str, Any]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def config_map(name: str, labels: Mapping[str, str] | None = None, **data: str) -> dict[str, Any]:
    metadata = {"name": name, **({"labels": dict(labels)} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def secret(name: str, labels: Mapping[str, str] | None = None, **data: str) -> dict[str, Any]:
    """Of a kind that no controller adds to a namespace."""
    body = config_map(name, labels)
    del body["data"]
    return {**body, "kind": "Secret", **({"stringData": data} if data else {})}
