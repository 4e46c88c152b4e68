"""What both servers have before the first sequence: custom kinds."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from differential.gizmos import GIZMOS
from differential.servers import Asked
from differential.steps import JSON
from support.apply_cases.kinds import DEFINITION as GADGETS

SERVED_S = 30.0
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_TEXT = {"type": "string"}
_SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "x-kubernetes-validations": [
        {"rule": "self.size <= self.most", "message": "size is above most", "fieldPath": ".size",
         "reason": "FieldValueForbidden"},
        {"rule": "!has(oldSelf.mode) || has(self.mode)", "message": "mode may not go"},
        {"rule": "!has(self.parts) || self.parts.all(p, p.size < 10)",
         "messageExpression": "'parts are ' + 'large'"},
    ],
    "properties": {
        "size": {"type": "integer", "minimum": 0, "maximum": 100},
        "most": {"type": "integer", "default": 50, "format": "int32"},
        "mode": {"type": "string", "enum": ["on", "off"],
                 "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "mode stays"}]},
        "word": {"type": "string", "maxLength": 8, "minLength": 2, "pattern": "^[a-z]*$"},
        "when": {"type": "string", "format": "date-time"},
        "ratio": {"type": "number", "exclusiveMinimum": True, "minimum": 0, "multipleOf": 0.5},
        "port": {"x-kubernetes-int-or-string": True},
        "nothing": {"type": "string", "nullable": True},
        "parts": {
            "type": "array", "maxItems": 5, "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object", "required": ["name"],
                "properties": {
                    "name": _TEXT,
                    "size": {"type": "integer", "default": 1},
                    "deep": {"type": "object", "default": {}, "properties": {
                        "x": {"type": "string", "default": "y"}}},
                },
            },
        },
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 5}, "uniqueItems": False,
                 "x-kubernetes-list-type": "set", "maxItems": 4},
        "choices": {"type": "object", "additionalProperties": {"type": "integer"},
                    "maxProperties": 3, "minProperties": 1},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True,
                 "properties": {"known": {"type": "integer"}}},
        "pod": {"type": "object", "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True},
        "either": {"type": "object", "properties": {"a": _TEXT, "b": _TEXT},
                   "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    },
}  # fmt: skip


def _version(name: str, *, is_stored: bool) -> dict[str, Any]:
    status = {"type": "object", "properties": {
        "size": {"type": "integer"}, "selector": _TEXT, "phase": {"type": "string", "enum": ["up", "down"]},
    }}  # fmt: skip
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": _SPEC, "status": status},
    }
    return {
        "name": name, "served": True, "storage": is_stored,
        "schema": {"openAPIV3Schema": schema},
        "selectableFields": [{"jsonPath": ".spec.mode"}, {"jsonPath": ".spec.size"}],
        "subresources": {"status": {}, "scale": {
            "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size",
            "labelSelectorPath": ".status.selector"}},
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1},
        ],
    }  # fmt: skip


WIDGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.dev"},
    "spec": {
        "group": "example.dev", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget",
                  "listKind": "WidgetList", "shortNames": ["wd"]},
        "versions": [_version("v1", is_stored=True), _version("v1beta1", is_stored=False)],
    },
}  # fmt: skip


async def set_up(server: Asked) -> None:
    """Errors: AssertionError where a custom kind is not served in time."""
    for definition in (GADGETS, WIDGETS, GIZMOS):
        head = {"Content-Type": JSON}
        made = await server.ask("POST", _DEFINITIONS, head, json.dumps(definition).encode())
        assert made.status == 201, made.body
        spec = definition["spec"]
        for version in spec["versions"]:
            path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
            ends = time.monotonic() + SERVED_S
            while (await server.ask("GET", path, {}, None)).status != 200:
                assert time.monotonic() < ends, f"{path} is not served"
                await asyncio.sleep(0.1)
