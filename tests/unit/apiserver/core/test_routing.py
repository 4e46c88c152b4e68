from __future__ import annotations

import pytest

from mizzen.apiserver.core.routing import Target, is_true, number, parse_path, parse_query, verb_of
from mizzen.base.errors import BadRequest


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1", Target("", "v1")),
        ("/api/v1/pods", Target("", "v1", "pods")),
        ("/api/v1/namespaces/a", Target("", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/status", Target("", "v1", "namespaces", "", "a", "status")),
        ("/api/v1/namespaces/a/pods/p/log", Target("", "v1", "pods", "a", "p", "log")),
        ("/apis/g.io/v2/things/x%2Fy", Target("g.io", "v2", "things", "", "x/y")),
        ("/apis/g.io/v2/namespaces/a/ts", Target("g.io", "v2", "ts", "a")),
    ],
)
def test_paths(path: str, target: Target) -> None:
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
    with pytest.raises(BadRequest):
        verb_of("BREW", one, {})


def test_numbers_say_which_parameter_is_wrong() -> None:
    assert number({"limit": "5"}, "limit") == 5
    assert number({}, "limit") is None
    with pytest.raises(BadRequest, match="limit=-1"):
        number({"limit": "-1"}, "limit")


@pytest.mark.parametrize(
    ("query", "wanted"),
    [("", False), ("watch=0", False), ("watch=False", False), ("watch", True), ("watch=", True),
     ("watch=1", True), ("watch=yes", True), ("watch=false&watch=true", False)],
)  # fmt: skip
def test_a_switch_is_on_unless_it_is_absent_or_says_no(query: str, wanted: bool) -> None:
    assert is_true(parse_query(query).get("watch")) is wanted


def test_of_parameters_that_are_repeated_the_first_counts() -> None:
    assert parse_query("a=1&b=x&a=2") == {"a": "1", "b": "x"}
    assert parse_query("dryRun=All&dryRun=All") == {"dryRun": "All"}


@pytest.mark.parametrize("query", ["dryRun=All&dryRun=", "dryRun=&dryRun=All"])
def test_a_write_that_may_be_none_is_refused(query: str) -> None:
    with pytest.raises(BadRequest, match="contradict"):
        parse_query(query)
