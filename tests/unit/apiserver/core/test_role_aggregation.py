"""Aggregated roles have the rules of those that they select, whatever those are made of."""

from __future__ import annotations

from typing import Any

from mizzen.apiserver.core.role_aggregation import is_aggregated, settle


def rule(verb: str) -> dict[str, Any]:
    return {"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}


def role(name: str, *verbs: str, label: str = "", of: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"metadata": {"name": name}, "rules": [rule(verb) for verb in verbs]}
    if label:
        made["metadata"]["labels"] = {label: "true"}
    if of:
        made["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {of: "true"}}]}
    return made


def verbs_of(roles: dict[str, dict[str, Any]], name: str) -> list[str]:
    return [each["verbs"][0] for each in {**roles, **settle(roles)}[name]["rules"]]


def named(*roles: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in roles}


def test_rules_come_in_order_of_names_once_each_and_through_other_aggregates() -> None:
    roles = named(
        role("admin", "stale", of="to-admin"),
        role("edit", of="to-edit", label="to-admin"),
        role("z", "get", "list", label="to-edit"),
        role("b", "list", "watch", label="to-edit"),
        role("other", "delete"),
    )
    assert verbs_of(roles, "edit") == verbs_of(roles, "admin") == ["list", "watch", "get"]
    assert is_aggregated(roles["admin"]) and not is_aggregated(roles["z"])
    assert settle({**roles, **settle(roles)}) == {}, "settled roles stay"
    assert roles["admin"]["rules"] == [rule("stale")], "what is given is not changed"


def test_roles_that_aggregate_each_other_come_to_an_end() -> None:
    roles = named(
        role("a", of="x", label="y"), role("b", of="y", label="x"), role("c", "get", label="x")
    )
    assert verbs_of(roles, "a") == verbs_of(roles, "b") == ["get"]
