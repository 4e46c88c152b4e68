"""OpenAPI v3 documents, as kubectl reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mizzen.kinds.openapi import document
from mizzen.kinds.registry import builtin_kinds, virtual_kinds

KINDS = {**builtin_kinds(), **virtual_kinds()}
GROUPS = sorted({(k.resource.group, k.resource.version) for k in KINDS.values()})


def _document(group: str, version: str) -> dict[str, Any]:
    kinds = [
        k for k in KINDS.values() if (k.resource.group, k.resource.version) == (group, version)
    ]
    return document(group, version, kinds)


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        found = {node["$ref"]} if isinstance(node.get("$ref"), str) else set[str]()
        return found.union(*(_references(value) for value in node.values()))
    if isinstance(node, list):
        return set[str]().union(*(_references(value) for value in node))
    return set()


@pytest.mark.parametrize(("group", "version"), GROUPS)
def test_every_reference_leads_somewhere(group: str, version: str) -> None:
    made = _document(group, version)
    known = {f"#/components/schemas/{name}" for name in made["components"]["schemas"]}
    assert (
        _references({"paths": made["paths"], "schemas": made["components"]}) - {"Forbidden."}
        <= known
    )
    json.dumps(made)


def test_merge_keys_are_where_kubectl_looks() -> None:
    made = _document("", "v1")
    pod = made["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]
    assert pod["containers"]["x-kubernetes-patch-merge-key"] == "name"
    assert pod["containers"]["x-kubernetes-patch-strategy"] == "merge"
    assert pod["volumes"]["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    assert pod["tolerations"]["x-kubernetes-list-type"] == "atomic"


def test_operations_name_their_kind_and_parameters() -> None:
    made = _document("", "v1")
    patch = made["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    assert patch["x-kubernetes-action"] == "patch"
    assert patch["x-kubernetes-group-version-kind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert {"fieldValidation", "dryRun"} <= {p["name"] for p in patch["parameters"]}
    assert (
        "/api/v1/nodes/{name}" in made["paths"]
        and "/api/v1/namespaces/{namespace}/nodes" not in made["paths"]
    )


def test_definitions_keep_their_own_description() -> None:
    schemas = _document("", "v1")["components"]["schemas"]
    assert schemas["io.k8s.api.core.v1.ResourceRequirements"].get("default") is None
    assert schemas["io.k8s.api.core.v1.PodSpec"]["description"] == "What to run, and where."
    for common in ("ObjectMeta", "ListMeta", "DeleteOptions", "Status", "Patch"):
        assert f"io.k8s.apimachinery.pkg.apis.meta.v1.{common}" in schemas


def test_plans_are_described_though_never_stored() -> None:
    made = _document("mizzen.dev", "v1alpha1")
    assert "post" in made["paths"]["/apis/mizzen.dev/v1alpha1/plans"]
    assert "dev.mizzen.v1alpha1.Plan" in made["components"]["schemas"]
