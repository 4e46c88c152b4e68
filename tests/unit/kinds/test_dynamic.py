"""Kinds that users define."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.dynamic import kinds_from_crd, served_status
from mizzen.kinds.openapi import document
from mizzen.kinds.registry import builtin_kinds

DEFINITION = builtin_kinds()[("apiextensions.k8s.io", "customresourcedefinitions")]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "color": {"type": "string", "default": "red"},
                "since": {"type": "string", "format": "date-time"},
                "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "nested": {
                    "type": "object",
                    "default": {},
                    "properties": {"on": {"type": "boolean", "default": True}},
                },
            },
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
    },
}
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": False,
                "schema": {"openAPIV3Schema": SCHEMA},
                "selectableFields": [{"jsonPath": ".spec.color"}],
            },
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": SCHEMA},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"}},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Since", "type": "date", "jsonPath": ".spec.since"},
                ],
                "selectableFields": [{"jsonPath": ".spec.color"}],
            },
        ],
    },
}  # fmt: skip


def _stored(crd: dict[str, Any] = CRD) -> dict[str, Any]:
    decoded = DEFINITION.decode(crd)
    assert not decoded.causes and not decoded.unknown
    DEFINITION.prepare_create(decoded.object)
    DEFINITION.default(decoded.object)
    return decoded.object


def test_a_kind_from_a_definition() -> None:
    crd = _stored()
    assert DEFINITION.check(crd, None) == []
    kind = kinds_from_crd(crd)[0]
    assert kind.resource.api_version == "example.com/v1" and kind.short_names == ("wd",)
    assert kind.has_status and kind.subresource("scale") is not None
    assert kind.scale is not None and kind.scale.spec_replicas == "spec.size"
    assert kind.selectable_fields == ("spec.color",)
    body = {
        "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"},
        "spec": {"size": 2, "sise": 3, "extra": {"any": 1}, "since": "1970-01-01T00:00:00Z"},
    }  # fmt: skip
    decoded = kind.decode(body)
    assert decoded.causes == []
    assert [u.path for u in decoded.unknown] == ["spec.sise"]
    spec = decoded.object["spec"]
    assert spec["color"] == "red" and spec["nested"] == {"on": True} and spec["extra"] == {"any": 1}
    assert [column.cell(decoded.object, 5 * 10**9) for column in kind.columns] == ["w", 2, "5s"]


def test_versions_are_served_the_stored_one_first() -> None:
    crd = _stored()
    assert [k.resource.version for k in kinds_from_crd(crd)] == ["v1", "v1alpha1"]


def test_the_status_of_a_served_definition() -> None:
    status = served_status(_stored(), "2026-01-01T00:00:00Z")
    assert (
        status["storedVersions"] == ["v1"] and status["acceptedNames"]["listKind"] == "WidgetList"
    )
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    refused = served_status(_stored(), "2026-01-01T00:00:00Z", "taken")
    assert {c["status"] for c in refused["conditions"]} == {"False"}


def test_its_openapi() -> None:
    made = document("example.com", "v1", [kinds_from_crd(_stored())[0]])
    schema = made["components"]["schemas"]["com.example.v1.Widget"]
    assert schema["x-kubernetes-group-version-kind"] == [
        {"group": "example.com", "version": "v1", "kind": "Widget"}
    ]
    assert schema["properties"]["spec"]["required"] == ["size"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda c: c["metadata"].update(name="x"), "metadata.name"),
        (lambda c: c["spec"].update(group="nodots"), "spec.group"),
        (lambda c: c["spec"]["versions"][0].update(storage=True), "spec.versions"),
        (lambda c: c["spec"]["versions"][0].update(name="v1"), "spec.versions"),
        (
            lambda c: c["spec"]["versions"][0].pop("schema"),
            "spec.versions[0].schema.openAPIV3Schema",
        ),
        (
            lambda c: c["spec"].update(conversion={"strategy": "Webhook"}),
            "spec.conversion.webhookClientConfig",
        ),
        (lambda c: c["spec"].update(preserveUnknownFields=True), "spec.preserveUnknownFields"),
        (
            lambda c: c["spec"]["versions"][1]["additionalPrinterColumns"][0].update(
                jsonPath="oops"
            ),
            "spec.versions[1].additionalPrinterColumns[0].JSONPath",
        ),
    ],
)
def test_definitions_that_are_refused(change: Any, field: str) -> None:
    crd = copy.deepcopy(CRD)
    change(crd)
    assert field in [cause.field for cause in DEFINITION.check(_stored(crd), None)]


def test_a_column_that_cannot_be_read_leaves_the_kind_its_plain_ones() -> None:
    crd = copy.deepcopy(CRD)
    crd["spec"]["versions"][1]["additionalPrinterColumns"][0]["jsonPath"] = ".spec["
    stored = _stored(crd)
    assert DEFINITION.check(stored, None) == []
    assert [column.name for column in kinds_from_crd(stored)[0].columns] == ["Name", "Age"]


def test_what_a_definition_cannot_change() -> None:
    old = _stored()
    old["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    new = copy.deepcopy(old)
    new["spec"]["scope"] = "Cluster"
    assert [c.field for c in DEFINITION.check(new, old)] == ["spec.scope"]
