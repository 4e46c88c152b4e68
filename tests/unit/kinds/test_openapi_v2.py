"""The v2 document says what v3 says, as far as v2 can."""

from __future__ import annotations

from typing import Any

from mizzen.kinds import openapi, openapi_v2
from mizzen.kinds.dynamic import kinds_from_crd
from mizzen.kinds.registry import builtin_kinds


def crd(schema: dict[str, Any]) -> dict[str, Any]:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "foos", "kind": "Foo", "listKind": "FooList", "singular": "foo"}
    return {
        "metadata": {"name": "foos.example.com"},
        "spec": {
            "group": "example.com",
            "names": names,
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def published(schema: dict[str, Any]) -> dict[str, Any]:
    document = openapi.document("example.com", "v1", kinds_from_crd(crd(schema)))
    definition = openapi_v2.document([document], "v1")["definitions"]["com.example.v1.Foo"]
    for name in ("apiVersion", "kind", "metadata"):
        definition.get("properties", {}).pop(name, None)
    definition.pop("x-kubernetes-group-version-kind")
    return definition


def test_a_custom_kind_is_published_as_it_was_written() -> None:
    item = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    spec = {"type": "object", "description": "d",
            "properties": {"bars": {"type": "array", "items": item}}}  # fmt: skip
    schema = {"type": "object", "description": "Foo", "properties": {"spec": spec}}
    assert published(schema) == schema


def test_what_v2_cannot_say_is_left_out() -> None:
    field = {"type": "string", "nullable": True}
    port = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    schema = {"type": "object", "required": ["a", "b"], "properties": {"a": field, "b": port}}
    assert published(schema) == {
        "type": "object",
        "required": ["b"],
        "properties": {"a": {}, "b": {"x-kubernetes-int-or-string": True}},
    }


def test_what_is_kept_open_is_not_looked_into() -> None:
    opens = {"type": "object", "x-kubernetes-preserve-unknown-fields": True,
             "properties": {"x": {"type": "string"}}}  # fmt: skip
    kept = {"x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": opens}}
    assert published(schema) == {"type": "object", "properties": {"spec": kept}}
    assert published(opens) == {"type": "object"}


def test_built_in_kinds_refer_to_definitions_that_are_there() -> None:
    kinds = [k for k in builtin_kinds().values() if k.resource.api_version == "v1"]
    definitions = openapi_v2.document([openapi.document("", "v1", kinds)], "v1")["definitions"]
    pod = definitions["io.k8s.api.core.v1.Pod"]
    assert pod["properties"]["spec"]["$ref"] == "#/definitions/io.k8s.api.core.v1.PodSpec"
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                found.add(value["$ref"].removeprefix("#/definitions/"))
            for child in value.values():
                look(child)
        elif isinstance(value, list):
            for child in value:
                look(child)

    look(definitions)
    assert found <= set(definitions)
    quantity = definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    assert quantity["type"] == "string"
