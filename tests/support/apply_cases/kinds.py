"""The kinds whose objects are written, one of them custom with every type of list and map."""

from __future__ import annotations

from typing import Any

from support.apply_cases.steps import Place

CONFIG_MAP = Place("/api/v1", "configmaps", "v1", "ConfigMap")
SERVICE = Place("/api/v1", "services", "v1", "Service")
POD = Place("/api/v1", "pods", "v1", "Pod")
DEPLOYMENT = Place("/apis/apps/v1", "deployments", "apps/v1", "Deployment")
GADGET = Place("/apis/example.dev/v1", "gadgets", "example.dev/v1", "Gadget")

_TEXT = {"type": "string"}


def _items(kind: str, items: Any, *keys: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "array", "x-kubernetes-list-type": kind, "items": items}
    return {**made, "x-kubernetes-list-map-keys": list(keys)} if keys else made


_PART = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _TEXT,
        "port": {"type": "integer", "default": 80},
        "value": _TEXT,
        "labels": {"type": "object", "additionalProperties": _TEXT},
    },
}
_SPEC = {
    "type": "object",
    "properties": {
        "size": {"type": "integer"},
        "color": {"type": "string", "default": "red"},
        "parts": _items("map", _PART, "name", "port"),
        "tags": _items("set", _TEXT),
        "steps": _items("atomic", {"type": "object", "properties": {"run": _TEXT}}),
        "plain": {"type": "array", "items": _TEXT},
        "box": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {"a": _TEXT, "b": _TEXT},
        },
        "nested": {
            "type": "object",
            "properties": {"a": _TEXT, "b": {"type": "object", "properties": {"c": _TEXT}}},
        },
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
_STATUS = {"type": "object", "properties": {"phase": _TEXT, "replicas": {"type": "integer"}}}
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.example.dev"},
    "spec": {
        "group": "example.dev",
        "scope": "Namespaced",
        "names": {
            "plural": "gadgets",
            "singular": "gadget",
            "kind": "Gadget",
            "listKind": "GadgetList",
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.size",
                        "statusReplicasPath": ".status.replicas",
                    },
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": _SPEC, "status": _STATUS},
                    }
                },
            }
        ],
    },
}
