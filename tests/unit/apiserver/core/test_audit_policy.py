"""The first rule that matches says how much is recorded; secrets need to be named."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.audit_policy import (
    COMPLETE,
    METADATA,
    NONE,
    RECEIVED,
    REQUEST,
    REQUEST_RESPONSE,
    AuditPolicy,
    BadPolicy,
)
from mizzen.apiserver.core.user import User

JANE = User("jane", groups=("devs",))
PODS = Access(JANE, "create", "", "pods", "", "ns", "x")


def policy(*rules: dict[str, Any], **more: Any) -> AuditPolicy:
    return AuditPolicy(
        {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more}
    )


def level(access: Access, *rules: dict[str, Any]) -> int:
    return policy(*rules).treatment(access).level


@pytest.mark.parametrize(
    ("rule", "access", "matches"),
    [
        ({}, PODS, True),
        ({"users": ["joe"]}, PODS, False),
        ({"users": ["jane"], "verbs": ["create"]}, PODS, True),
        ({"userGroups": ["ops", "devs"]}, PODS, True),
        ({"verbs": ["get"]}, PODS, False),
        ({"namespaces": ["ns"]}, PODS, True),
        ({"namespaces": [""]}, PODS, False),
        ({"resources": [{"group": ""}]}, PODS, True),
        ({"resources": [{"group": "apps"}]}, PODS, False),
        ({"resources": [{"group": "*", "resources": ["pods"]}]}, PODS, True),
        ({"resources": [{"resources": ["pods"], "resourceNames": ["y"]}]}, PODS, False),
        ({"resources": [{"resources": ["pods"]}]}, PODS._replace(subresource="log"), False),
        ({"resources": [{"resources": ["pods/*"]}]}, PODS._replace(subresource="log"), True),
        ({"resources": [{"resources": ["*/log"]}]}, PODS._replace(subresource="log"), True),
        ({"nonResourceURLs": ["/api*"]}, Access(JANE, "get", path="/apis"), True),
        ({"nonResourceURLs": ["/api*"]}, PODS, False),
        ({"resources": [{"group": ""}]}, Access(JANE, "get", path="/apis"), False),
    ],
)
def test_rules_match(rule: dict[str, Any], access: Access, matches: bool) -> None:
    assert level(access, {"level": "Metadata", **rule}) == (METADATA if matches else NONE)


def test_the_first_rule_that_matches_decides_and_stages_add_up() -> None:
    made = policy(
        {"level": "None", "users": ["joe"]},
        {"level": "Request", "omitStages": ["ResponseComplete"]},
        omitStages=["RequestReceived"],
    )
    assert made.treatment(PODS).level == REQUEST
    assert made.treatment(PODS).omitted == {RECEIVED, COMPLETE}
    assert made.treatment(PODS._replace(user=User("joe"))).level == NONE


def test_what_holds_secrets_is_recorded_with_bodies_only_where_a_rule_names_it() -> None:
    secrets = PODS._replace(resource="secrets")
    token = PODS._replace(resource="serviceaccounts", subresource="token")
    for access in (secrets, token):
        for resources in ([], [{"resources": ["*"]}], [{"group": ""}]):
            assert level(access, {"level": "RequestResponse", "resources": resources}) == METADATA
    named = {"level": "RequestResponse", "resources": [{"resources": ["secrets"]}]}
    assert level(secrets, named) == REQUEST_RESPONSE


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"level": "All"}, r"rules\[0\].level: 'All' must be one of None, Metadata"),
        ({"level": "None", "user": []}, r"rules\[0\].user: there is no such field"),
        ({"level": "None", "verbs": "get"}, r"rules\[0\].verbs: must be a list"),
        ({"level": "None", "omitStages": ["x"]}, "omitStages: 'x' must be one of"),
        ({"level": "None", "nonResourceURLs": ["/"], "namespaces": ["a"]}, "cannot apply to both"),
    ],
)
def test_what_is_no_policy_is_refused(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(BadPolicy, match=says):
        policy(rule)
    with pytest.raises(BadPolicy, match="at least one"):
        policy()
    with pytest.raises(BadPolicy, match="apiVersion"):
        AuditPolicy({})
