"""Chooses the headers of a request and an answer that a proxy passes on.

Sources: RFC 9110, 7.6.1 (fields that concern one connection only); the `X-Forwarded-*` fields as
common proxies set them.
"""

from __future__ import annotations

from collections.abc import Iterable

REQUEST_HEADER = "x-request-id"
Headers = list[tuple[str, str]]
_ONE_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
     "te", "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
# The key opens the gateway; a workload must not learn it. The pod's own host name is its address.
# The server has answered `Expect` already.
_OURS = frozenset(("authorization", "expect", "host", "x-forwarded-for", "x-forwarded-host",
                   "x-forwarded-prefix", "x-forwarded-proto", REQUEST_HEADER))  # fmt: skip


def to_backend(
    headers: Iterable[tuple[str, str]], *, peer: str, host: str, prefix: str, request_id: str
) -> Headers:
    """The request's headers as the backend gets them. `prefix` is the path cut off in front."""
    given = list(headers)
    return [
        *_passed_on(given, _OURS),
        ("X-Forwarded-For", peer),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Prefix", prefix),
        ("X-Forwarded-Proto", "http"),
        (REQUEST_HEADER, request_id),
    ]


def to_client(headers: Iterable[tuple[str, str]], *, backend: str, prefix: str) -> Headers:
    """The answer's headers as the client gets them: redirects lead back through the gateway."""
    return [
        (name, _relocated(value, backend, prefix) if name.lower() == "location" else value)
        for name, value in _passed_on(list(headers), frozenset())
    ]


def _passed_on(headers: Headers, withheld: frozenset[str]) -> Headers:
    named = {
        word.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for word in value.split(",")
    }
    stays = _ONE_HOP | withheld | named
    return [(name, value) for name, value in headers if name.lower() not in stays]


def _relocated(location: str, backend: str, prefix: str) -> str:
    path = location.removeprefix(backend) if location.startswith(backend + "/") else location
    return prefix + path if path.startswith("/") and not path.startswith("//") else location
