"""Entries of discovery are upstream's: what is not said, in which order, with which sums."""

from __future__ import annotations

from dataclasses import replace

from mizzen.apiserver.core.discovered_kinds import aggregated, listed, resource_list
from mizzen.kinds.registry import builtin_kinds

PODS = builtin_kinds()["", "pods"]
DEPLOYMENTS = builtin_kinds()["apps", "deployments"]


def test_a_built_in_kind_says_no_type_that_is_its_group_versions_own() -> None:
    entry = aggregated(PODS, is_builtin=True)
    assert entry["responseKind"] == {"group": "", "version": "", "kind": "Pod"}
    below = {each["subresource"]: each["responseKind"] for each in entry["subresources"]}
    assert below["exec"] == {"group": "", "version": "", "kind": "PodExecOptions"}
    assert below["eviction"] == {"group": "policy", "version": "v1", "kind": "Eviction"}


def test_a_custom_kind_says_its_type_and_has_its_status_first() -> None:
    entry = aggregated(DEPLOYMENTS, is_builtin=False)
    assert entry["responseKind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert [each["subresource"] for each in entry["subresources"]] == ["status", "scale"]
    assert entry["verbs"][:2] == ["delete", "deletecollection"] and entry["verbs"][5] == "create"


def test_the_sum_of_the_stored_type_is_upstreams() -> None:
    entries = listed(DEPLOYMENTS, DEPLOYMENTS.resource, is_builtin=True)
    assert entries[0]["storageVersionHash"] == "8aSe+NMegvE="
    assert [each["name"] for each in entries[1:]] == ["deployments/scale", "deployments/status"]
    assert "group" not in entries[2] and entries[1]["group"] == "autoscaling"
    virtual = replace(DEPLOYMENTS, is_stored=False)
    assert "storageVersionHash" not in listed(virtual, virtual.resource, is_builtin=True)[0]


def test_the_list_of_the_oldest_group_has_no_version() -> None:
    assert "apiVersion" not in resource_list("", "v1", [])
    assert resource_list("apps", "v1", [])["apiVersion"] == "v1"
