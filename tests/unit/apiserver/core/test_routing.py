from __future__ import annotations

import pytest

from mizzen.apiserver.core.routing import Target, access_of, parse_path, verb_of
from mizzen.apiserver.core.user import User


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1", Target("", "v1")),
        ("/api/v1/pods", Target("", "v1", "pods")),
        ("/api/v1/namespaces/a", Target("", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/status", Target("", "v1", "namespaces", "", "a", "status")),
        ("/api/v1/namespaces/a/pods/p/log", Target("", "v1", "pods", "a", "p", "log")),
        ("/apis/g.io/v2/things/x%2Fy", Target("g.io", "v2", "things", "", "x", "y")),
        ("/apis/g.io/v2/namespaces/a/ts", Target("g.io", "v2", "ts", "a")),
        ("/api/v1/namespaces/any/pods", Target("", "v1", "pods", "any")),
        ("/api/v1/namespaces/a/pods/any/proxy", Target("", "v1", "pods", "a", "any", "proxy")),
        ("/api/v1/namespaces/a/pods/p/proxy/any", Target("", "v1", "pods", "a", "p", "proxy")),
        ("/api/v1/namespaces/a/finalize", Target("", "v1", "namespaces", "", "a", "finalize")),
        ("/api/v1/namespaces/a/pods/p%41", Target("", "v1", "pods", "a", "pA")),
    ],
)
def test_paths(path: str, target: Target) -> None:
    assert parse_path(path) == target
    beside = path.rpartition("/")[0] + "/other"  # what is remembered of it changes nothing
    parse_path(beside)
    assert parse_path(path) == target


@pytest.mark.parametrize(
    "path", ["/", "/apis", "/apis/g.io", "/api", "/api/v1//pods", "/apis//v1/pods", "/other"]
)
def test_paths_of_another_form(path: str) -> None:
    assert parse_path(path) is None


def test_verbs() -> None:
    one, many = Target("", "v1", "pods", "a", "p"), Target("", "v1", "pods", "a")
    assert verb_of("GET", one, {}) == "get"
    assert verb_of("GET", many, {}) == "list"
    assert verb_of("GET", many, {"watch": "1"}) == "watch"
    assert verb_of("DELETE", many, {}) == "deletecollection"
    assert verb_of("BREW", one, {}) == ""  # which nobody is allowed but by *


@pytest.mark.parametrize(
    ("method", "path", "judged"),
    [
        ("GET", "/api/v1/namespaces/a", ("get", "namespaces", "", "a", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "namespaces", "finalize", "a", "a")),
        ("GET", "/api/v1/namespaces", ("list", "namespaces", "", "", "")),
        ("GET", "/api/v1/pods?fieldSelector=a=b,metadata.name=x", ("list", "pods", "", "", "x")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name==x", ("list", "pods", "", "", "x")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name!=x", ("list", "pods", "", "", "")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name=a\\,b", ("list", "pods", "", "", "")),
        ("DELETE", "/api/v1/pods?fieldSelector=metadata.name=x", ("deletecollection", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/p/log", ("get", "pods", "log", "a", "p")),
    ],
)  # fmt: skip
def test_what_is_judged_is_upstreams(
    method: str, path: str, judged: tuple[str, str, str, str, str]
) -> None:
    path, _, query = path.partition("?")
    params = {"fieldSelector": query.partition("=")[2]} if query else {}
    target = parse_path(path)
    assert target is not None
    access = access_of(User("jane"), verb_of(method, target, params), target, params)
    found = (access.verb, access.resource, access.subresource, access.namespace, access.name)
    assert found == judged
