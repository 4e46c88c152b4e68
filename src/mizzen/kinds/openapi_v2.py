"""The OpenAPI v2 document: what older clients read, made of the v3 documents.

Only its definitions are whole: paths say which kind each is about, and nothing else.

Source: Swagger 2.0; apiextensions `controller/openapi/v2` (what of a schema v2 cannot say).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from mizzen.base.objects import Obj

_V3, _V2 = "#/components/schemas/", "#/definitions/"
_PRESERVES = "x-kubernetes-preserve-unknown-fields"
_DROPPED = ("oneOf", "anyOf", "allOf", "not", "nullable", "x-kubernetes-validations")


def document(documents: Iterable[Obj], version: str) -> Obj:
    """One document of all groups and versions."""
    definitions: Obj = {}
    for each in documents:
        schemas = cast("Mapping[str, Obj]", each["components"]["schemas"])
        for name, schema in schemas.items():
            definitions.setdefault(name, _definition(schema))
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": {},
        "definitions": definitions,
    }


def _definition(schema: Obj) -> Obj:
    """A whole kind that keeps what it does not know says no more than that it is an object."""
    kinds = "x-kubernetes-group-version-kind"
    if schema.get(_PRESERVES) and kinds in schema:
        return {"type": "object", kinds: schema[kinds]}
    return _schema(schema)


def _schema(schema: Obj) -> Obj:
    reference = _reference(schema)
    if reference:
        kept = {n: v for n, v in schema.items() if n in ("description", "default")}
        return {**kept, "$ref": _V2 + reference}
    result = {name: value for name, value in schema.items() if name not in _DROPPED}
    if schema.get("format") == "int-or-string" or (
        "oneOf" in schema and "type" not in schema and len(schema["oneOf"]) == 2
    ):
        result["type"] = "string"
    # kubectl does not look into what may be null or anything, but stumbles over its parts.
    opens = schema.get(_PRESERVES)
    if schema.get("nullable") or opens:
        result.pop("items", None)
        result.pop("properties", None)
        if schema.get("nullable") or (opens and schema.get("type") == "object"):
            result.pop("type", None)
    if result.get("type") == "array" and "items" not in result:
        del result["type"]
    if "properties" in result:
        fields = cast("Mapping[str, Obj]", result["properties"])
        result["properties"] = {name: _schema(child) for name, child in fields.items()}
        nullable = {name for name, child in fields.items() if child.get("nullable")}
        needed = [name for name in result.get("required", ()) if name not in nullable]
        result.pop("required", None)
        if needed:
            result["required"] = needed
    for name in ("items", "additionalProperties"):
        if isinstance(result.get(name), dict):
            result[name] = _schema(result[name])
    return result


def _reference(schema: Mapping[str, Any]) -> str:
    """The definition that a schema is, "" if it is written out."""
    inner = cast("list[Obj]", schema.get("allOf") or ())
    text = schema.get("$ref") or (inner[0].get("$ref") if len(inner) == 1 else None)
    return str(text).removeprefix(_V3) if text else ""
