from __future__ import annotations

import pytest

from mizzen.gateway.core.forwarding import to_backend, to_client

PREFIX = "/services/default/web"


def test_the_key_and_the_connections_own_fields_stay_here() -> None:
    given = [
        ("Authorization", "Bearer secret"),
        ("Host", "gateway:7480"),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Expect", "100-continue"),
        ("X-Forwarded-For", "a lie"),
        ("X-Request-Id", "two words"),
        ("Accept", "text/plain"),
        ("Content-Length", "3"),
    ]
    way = {"peer": "127.0.0.1", "host": "gateway:7480", "prefix": PREFIX, "request_id": "r-1"}
    assert to_backend(given, **way) == [
        ("Accept", "text/plain"),
        ("Content-Length", "3"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "gateway:7480"),
        ("X-Forwarded-Prefix", PREFIX),
        ("X-Forwarded-Proto", "http"),
        ("x-request-id", "r-1"),
    ]


def test_repeated_fields_stay_repeated() -> None:
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert to_client(cookies, backend="http://127.70.0.1:80", prefix=PREFIX) == cookies


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("/folder/", PREFIX + "/folder/"),
        ("http://127.70.0.1:80/folder/", PREFIX + "/folder/"),
        ("folder/", "folder/"),
        ("//elsewhere/x", "//elsewhere/x"),
        ("https://elsewhere/x", "https://elsewhere/x"),
    ],
)
def test_redirects_lead_back_through_the_gateway(said: str, seen: str) -> None:
    given = [("Location", said)]
    assert to_client(given, backend="http://127.70.0.1:80", prefix=PREFIX) == [("Location", seen)]
