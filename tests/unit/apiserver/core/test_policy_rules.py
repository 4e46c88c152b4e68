"""Rules allow, cover and are written as upstream's."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.policy_rules import (
    FULL_AUTHORITY,
    PolicyRule,
    compacted,
    described,
    listed,
    rules_of,
    uncovered,
)
from mizzen.apiserver.core.user import User

JANE = User("jane")


def rule(verbs: str, groups: str = "", resources: str = "", names: str = "") -> PolicyRule:
    return PolicyRule(*(tuple(p.split(",")) for p in (verbs, groups, resources)),
                      tuple(filter(None, names.split(","))))  # fmt: skip


PODS = rule("get,list", "", "pods")


@pytest.mark.parametrize(
    ("rule", "verb", "group", "what", "name", "allowed"),
    [
        (PODS, "get", "", "pods", "x", True),
        (PODS, "delete", "", "pods", "x", False),
        (PODS, "get", "apps", "pods", "x", False),
        (PODS, "get", "", "pods/log", "x", False),
        (rule("*", "*", "*"), "escalate", "x", "y/z", "", True),
        (rule("get", "*", "*/scale"), "get", "apps", "deployments/scale", "x", True),
        (rule("get", "*", "*/scale"), "get", "apps", "deployments", "x", False),
        (rule("get", "", "pods", "a,b"), "get", "", "pods", "b", True),
        (rule("get", "", "pods", "a,b"), "get", "", "pods", "c", False),
        (rule("list", "", "pods", "a"), "list", "", "pods", "", False),
    ],
)
def test_a_rule_allows(
    rule: PolicyRule, verb: str, group: str, what: str, name: str, allowed: bool
) -> None:
    resource, _, subresource = what.partition("/")
    assert rule.allows(Access(JANE, verb, group, resource, subresource, "ns", name)) is allowed


@pytest.mark.parametrize(
    ("url", "path", "allowed"),
    [("/healthz", "/healthz", True), ("/healthz", "/healthz/x", False), ("*", "/any", True),
     ("/apis/*", "/apis/x/y", True), ("/apis/*", "/apis", False), ("/apis/**", "/apis/", True)],
)  # fmt: skip
def test_a_rule_of_paths_allows(url: str, path: str, allowed: bool) -> None:
    assert PolicyRule(("get",), urls=(url,)).allows(Access(JANE, "get", path=path)) is allowed
    assert not PolicyRule(("get",), urls=(url,)).allows(Access(JANE, "get", "", "pods"))
    assert not FULL_AUTHORITY[0].allows(Access(JANE, "get", path=path))


def test_what_is_not_covered_comes_in_pieces_and_is_told_by_resource() -> None:
    lacking = uncovered([PODS], [rule("get,delete,watch", ",apps", "pods", "")])
    assert [(p.verbs, p.groups) for p in lacking] == [
        (("delete",), ("",)), (("watch",), ("",)),
        (("get",), ("apps",)), (("delete",), ("apps",)), (("watch",), ("apps",)),
    ]  # fmt: skip
    assert [described(each) for each in compacted(lacking)] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}',
        '{APIGroups:["apps"], Resources:["pods"], Verbs:["get" "delete" "watch"]}',
    ]
    named = PolicyRule(("get",), ("",), ("pods",), ("x",))
    assert described(named) == (
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["x"], Verbs:["get"]}'
    )
    assert (
        described(PolicyRule(("get",), urls=("/a",))) == '{NonResourceURLs:["/a"], Verbs:["get"]}'
    )


@pytest.mark.parametrize(
    ("owned", "wanted", "covered"),
    [
        (rule("*", "*", "*"), rule("get", "", "pods/log", "a"), True),
        (rule("get", "", "pods", "a"), rule("get", "", "pods"), False),
        (rule("get", "", "pods", "a,b"), rule("get", "", "pods", "a"), True),
        (rule("get", "", "pods"), rule("get", "", "pods", "a"), True),
        (rule("get", "", "*/log"), rule("get", "", "pods/log"), True),
        (rule("get", "", "pods"), rule("get", "", "*"), False),
        (rule("get", "*", "pods"), rule("get", "*", "pods"), True),
        (rule("get", "", "pods"), rule("get", "*", "pods"), False),
        (PolicyRule(("get",), urls=("/a/*",)), PolicyRule(("get",), urls=("/a/b", "/a/*")), True),
        (PolicyRule(("get",), urls=("/a/*",)), PolicyRule(("get",), urls=("/a",)), False),
    ],
)
def test_covering(owned: PolicyRule, wanted: PolicyRule, covered: bool) -> None:
    assert (not uncovered([owned], [wanted])) is covered
    assert not uncovered(FULL_AUTHORITY, [wanted])


def test_wire_form_and_back() -> None:
    role = {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
                      {"verbs": ["get"], "nonResourceURLs": ["/x"]}]}  # fmt: skip
    assert [each.to_object() for each in rules_of(role)] == role["rules"]
    assert rules_of({"rules": None}) == ()


def test_texts_are_quoted_whole() -> None:
    assert listed(["a", 'b"c', "x" * 100]) == f'["a" "b\\"c" "{"x" * 100}"]'
