"""Defaults are completed; what people added, or protected, stays."""

from __future__ import annotations

from typing import Any

from mizzen.apiserver.core.rbac_reconcile import (
    AUTOUPDATE,
    is_of_another_role,
    reconciled_binding,
    reconciled_role,
)


def rule(*verbs: str) -> dict[str, Any]:
    return {"verbs": list(verbs), "apiGroups": [""], "resources": ["pods"]}


def role(*rules: dict[str, Any], autoupdate: str = "true", **labels: str) -> dict[str, Any]:
    metadata = {"name": "r", "annotations": {AUTOUPDATE: autoupdate}, "labels": labels}
    return {"metadata": metadata, "rules": list(rules)}


def binding(role: str, *names: str, autoupdate: str = "true") -> dict[str, Any]:
    return {
        "metadata": {"name": "b", "annotations": {AUTOUPDATE: autoupdate}},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": name} for name in names],
    }


def test_missing_rules_and_labels_are_added_and_others_kept() -> None:
    existing = role(rule("get"), rule("delete"), mine="1", theirs="changed")
    new = reconciled_role(existing, role(rule("get", "list", "watch"), theirs="1", more="2"))
    assert new is not None
    assert new["rules"] == [rule("get"), rule("delete"), rule("list", "watch")]
    assert new["metadata"]["labels"] == {"mine": "1", "theirs": "changed", "more": "2"}
    assert reconciled_role(new, role(rule("get", "list"))) is None


def test_what_is_protected_stays() -> None:
    assert reconciled_role(role(autoupdate="false"), role(rule("get"))) is None
    assert reconciled_binding(binding("a", autoupdate="false"), binding("a", "x")) is None
    assert not is_of_another_role(binding("a", autoupdate="false"), binding("b"))


def test_an_aggregated_role_gets_selectors_and_its_rules_are_left_alone() -> None:
    selectors = [{"matchLabels": {"x": "true"}}]
    wanted = {**role(), "aggregationRule": {"clusterRoleSelectors": selectors}}
    new = reconciled_role(role(rule("get")), wanted)
    assert new is not None and new["rules"] == [rule("get")]
    assert new["aggregationRule"]["clusterRoleSelectors"] == selectors
    assert reconciled_role(new, wanted) is None


def test_missing_subjects_are_added_and_another_role_is_noticed() -> None:
    new = reconciled_binding(binding("a", "mine"), binding("a", "x"))
    assert new is not None and [s["name"] for s in new["subjects"]] == ["mine", "x"]
    assert reconciled_binding(new, binding("a", "x")) is None
    assert is_of_another_role(binding("a"), binding("b"))
    assert not is_of_another_role(binding("a"), binding("a", "x"))
