"""A kind of ours as a CustomResourceDefinition, for API servers that do not know it by itself.

What belongs to Kubernetes' own types (a pod's spec, an env var) is kept as it comes: it is checked
where it is used. Checks that a schema cannot say are left to the kind's controller.

Source: apiextensions.k8s.io/v1 structural schemas.
"""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.schema import Schema

_FOREIGN = "io.k8s."
_WORDS = ("minimum", "maximum", "pattern", "nullable", "default")
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def definition(kind: Kind) -> Obj:
    """The CustomResourceDefinition of the kind, with its status as a subresource."""
    resource = kind.resource
    version: Obj = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(kind.schema)},
        "additionalPrinterColumns": [_AGE],
    }
    if kind.has_status:
        version["subresources"] = {"status": {}}
    names: Obj = {
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [version],
        },
    }


def definitions(resources: tuple[Resource, ...]) -> list[Obj]:
    """The definitions of the named resources, in that order."""
    kinds: Mapping[Resource, Kind] = {kind.resource: kind for kind in builtin_kinds().values()}
    return [definition(kinds[resource]) for resource in resources]


def _root(schema: Schema) -> Obj:
    fields = {k: v for k, v in schema.fields.items() if k not in ("apiVersion", "kind", "metadata")}
    return {
        "type": "object",
        "description": schema.description,
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            **{name: _node(child) for name, child in fields.items()},
        },
        "required": [name for name, child in fields.items() if child.required],
    }


def _node(schema: Schema) -> Obj:
    result: Obj = {"description": schema.description} if schema.description else {}
    resolved = schema.resolve()
    if resolved.format == "quantity" or resolved.type == "int-or-string":
        return {**result, "x-kubernetes-int-or-string": True}
    if resolved.name.startswith(_FOREIGN) and resolved.type == "object":
        return {**result, "type": "object", "x-kubernetes-preserve-unknown-fields": True}
    if resolved.type == "any":
        return {**result, "x-kubernetes-preserve-unknown-fields": True}
    result["type"] = resolved.type
    if resolved.format:
        result["format"] = "date-time" if resolved.format == "micro-time" else resolved.format
    if schema.enum:
        result["enum"] = list(schema.enum)
    for word in _WORDS:
        value = getattr(schema, word)
        if value not in (None, "", False) or (word == "default" and value is not None):
            result[word] = value
    for word, value in (
        ("minLength", schema.min_length),
        ("maxLength", schema.max_length),
        ("minItems", schema.min_items),
        ("maxItems", schema.max_items),
    ):
        if value is not None:
            result[word] = value
    if resolved.type == "object":
        _add_fields(resolved, result)
    if resolved.type == "array":
        items = _node(resolved.items) if resolved.items is not None else _node(Schema("any"))
        result["items"] = items
        if resolved.list_keys and all(k in items.get("required", ()) for k in resolved.list_keys):
            result["x-kubernetes-list-type"] = "map"
            result["x-kubernetes-list-map-keys"] = list(resolved.list_keys)
    return result


def _add_fields(schema: Schema, result: Obj) -> None:
    if schema.fields:
        result["properties"] = {name: _node(child) for name, child in schema.fields.items()}
        needed = [name for name, child in schema.fields.items() if child.required]
        if needed:
            result["required"] = needed
    elif schema.values is not None:
        result["additionalProperties"] = _node(schema.values)
    if schema.open or not (schema.fields or schema.values):
        result["x-kubernetes-preserve-unknown-fields"] = True
