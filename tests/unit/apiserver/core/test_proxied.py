"""Names of proxies, and addresses to which none leads."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core import proxied
from mizzen.apiserver.core.routing import parse_path, verb_of
from mizzen.base.errors import BadRequest


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("web", ("http", "web", "")),
        ("web:80", ("http", "web", "80")),
        ("https:web:metrics", ("https", "web", "metrics")),
        (":web:80", ("http", "web", "80")),
        ("https:web:", ("https", "web", "")),
    ],
)
def test_a_name_may_have_scheme_and_port(written: str, parts: tuple[str, str, str]) -> None:
    assert proxied.split(written) == parts


@pytest.mark.parametrize("written", ["", ":", "ftp:web:80", "a:b:c:d", "web:"])
def test_what_is_no_name(written: str) -> None:
    with pytest.raises(BadRequest):
        proxied.split(written)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "web"]
)
def test_addresses_that_are_not_a_pods_own(address: str) -> None:
    with pytest.raises(BadRequest):
        proxied.address_of({"metadata": {"name": "p"}, "status": {"podIP": address}})


def test_ports_by_number_by_name_and_the_first() -> None:
    ports = [{"name": "http", "containerPort": 8080}, {"name": "more", "containerPort": 9}]
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"ports": ports}]}}
    assert [proxied.port_of(pod, said) for said in ("", "more", "70")] == [8080, 9, 70]
    with pytest.raises(BadRequest):
        proxied.port_of(pod, "none")


def test_whatever_follows_is_the_other_servers() -> None:
    path = "/api/v1/namespaces/d/pods/http:p:80/proxy/a//b/proxy/"
    target = parse_path(path)
    assert target is not None
    assert (target.plural, target.name, target.subresource) == ("pods", "http:p:80", "proxy")
    assert proxied.rest_of(path, True) == (
        "/api/v1/namespaces/d/pods/http:p:80/proxy", "/a//b/proxy/",
    )  # fmt: skip
    assert verb_of("GET", target, {"watch": "true"}) == "get"
    node = parse_path("/api/v1/nodes/n/proxy/stats")
    assert node is not None and (node.name, node.subresource) == ("n", "proxy")
    named = parse_path("/api/v1/namespaces/proxy/pods/proxy")
    assert named is not None and (named.namespace, named.name) == ("proxy", "proxy")
