"""Users' JSON schemas: the check that they are structural, and their translation into ours.

What of JSON schema is enforced beyond structure: type, format (date-time, byte, int32, int64),
enum, ranges, lengths, pattern, required, uniqueItems, list types, and allOf/anyOf/oneOf/not over
those. Rules (`x-kubernetes-validations`) are checked and run by `validation_rules`.

Source: apiextensions `schema/structural.go`, KEP-1693 structural schemas.
"""

from __future__ import annotations

from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.apiextensions.schema_rules import check_schema
from mizzen.kinds.apiextensions.structural_rules import check_structure, unstructured
from mizzen.kinds.causes import forbidden, invalid
from mizzen.kinds.decoding import decoder_of
from mizzen.kinds.meta import OBJECT_META
from mizzen.kinds.reading import entries, part
from mizzen.kinds.report import NOWHERE, Report
from mizzen.kinds.schema import Schema
from mizzen.kinds.validation_rules.definition import check_rules

_COMBINATIONS = ("allOf", "anyOf", "oneOf")
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
DEPTH_MAX = 64
_DEFAULT_CAUSES_MAX = 10


# -- the check ------------------------------------------------------------------------
def check_structural(schema: Obj, path: str, *, has_status: bool = False) -> list[Cause]:
    """Causes to refuse a schema of whole objects; `has_status`: the status is written on its own.

    Source: apiextensions validateCustomResourceDefinitionValidation.
    """
    if _depth(schema) > DEPTH_MAX:
        return [Cause(path, f"Invalid value: nested deeper than {DEPTH_MAX} levels")]
    found: list[Cause] = []
    odd = sorted(name for name, value in schema.items() if value and name in _NOT_AT_ROOT)
    if has_status and odd:
        what = f"only {_AT_ROOT} fields are allowed at the root of the schema if the status"
        found.append(invalid(path, schema, f"{what} subresource is enabled"))
    if schema.get("nullable"):
        found.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    why = unstructured(schema)
    wrong = [] if why else check_structure(schema, path)
    if not why and not wrong:
        _check_defaults(schema, translate(schema), path, wrong)
    found += wrong
    of_schema = list(check_schema(schema, path))
    found += of_schema
    found += check_rules(schema, path, of_schema, is_compiled=not why and not wrong)
    if not found and why:
        found.append(invalid(path, "", why))
    return found


_NOT_AT_ROOT = frozenset(
    ("id", "$schema", "$ref", "default", "enum", "maxProperties", "minProperties", "nullable", "allOf",
     "oneOf", "anyOf", "not", "additionalProperties", "patternProperties", "dependencies",
     "additionalItems", "definitions", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
     "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type")
)  # fmt: skip
_AT_ROOT = (
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength "
    "MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties "
    "ExternalDocs Example XPreserveUnknownFields XValidations]"
)


def _depth(value: Any) -> int:
    """How many schemas are within each other, up to one more than may be."""
    deepest = 0
    level: list[Any] = [value]
    while level and deepest <= DEPTH_MAX:
        deepest += 1
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                node = cast("Obj", each)
                below += [node.get(word) for word in ("items", "additionalProperties", "not")]
                below += part(node, "properties").values()
                for word in _COMBINATIONS:
                    below += entries(node, word)
        level = [each for each in below if isinstance(each, dict)]
    return deepest


def _check_defaults(node: Obj, translated: Schema, path: str, causes: list[Cause]) -> None:
    """Every default must be a value that its own schema takes whole."""
    if node.get("default") is not None:
        report = Report(is_custom=True, is_default=True)
        decoder_of(translated)(node["default"], None, report)
        at = f"{path}.default"
        if report.unknown:
            causes.append(invalid(at, node["default"], "must not have unknown fields"))
        found = report.causes
        if node.get(
            "x-kubernetes-embedded-resource"
        ):  # where its head is wrong nothing else is said
            head = ("apiVersion", "kind", "metadata")
            found = [each for each in found if each.field.partition(".")[0] in head] or found
        for cause in found[:_DEFAULT_CAUSES_MAX]:
            where = f"{at}.{cause.field}" if cause.field and cause.field != NOWHERE else at
            causes.append(Cause(where, cause.message, cause.reason))
    for name, child in part(node, "properties").items():
        # What stands beside a type that has no fields (a string's properties) is nobody's.
        below = translated.fields.get(name) or translate(child)
        _check_defaults(child, below, f"{path}.properties[{name}]", causes)
    if isinstance(node.get("items"), dict):
        items = translated.items or translate(node["items"])
        _check_defaults(node["items"], items, f"{path}.items", causes)


# -- the translation ------------------------------------------------------------------
def translate(node: Obj, *, needed: bool = False, is_open: bool = False) -> Schema:
    """Our schema for a structural JSON schema; it must have passed the check.

    `is_open`: what it does not know is kept, as the list says that these are the items of.
    """
    kind = node.get("type") or ""
    is_open = is_open or bool(node.get("x-kubernetes-preserve-unknown-fields"))
    combined = {w: node[w] for w in (*_COMBINATIONS, "not") if node.get(w)}
    common: Obj = {
        "description": node.get("description") or "",
        "default": node.get("default"),
        "nullable": bool(node.get("nullable")),
        "required": needed,
        "enum": tuple(entries(node, "enum")),
        "open": is_open,
        "combined": combined,
        "format": node.get("format") or "",
    }
    if node.get("x-kubernetes-int-or-string"):
        return Schema("int-or-string", **common, **_limits(node))
    if kind == "object":
        return _object(node, common)
    if kind == "array":
        list_type = node.get("x-kubernetes-list-type") or "atomic"
        keys = tuple(node.get("x-kubernetes-list-map-keys") or ())
        return Schema(
            "array",
            items=translate(node["items"], is_open=is_open),
            min_items=node.get("minItems"),
            max_items=node.get("maxItems"),
            unique=list_type in ("set", "map") or bool(node.get("uniqueItems")),
            list_keys=keys,
            list_type=node.get("x-kubernetes-list-type") or "",
            **common,
        )
    return Schema(kind or "any", **common, **_limits(node))


def _limits(node: Obj) -> Obj:
    return {
        "minimum": node.get("minimum"),
        "maximum": node.get("maximum"),
        "exclusive_minimum": bool(node.get("exclusiveMinimum")),
        "exclusive_maximum": bool(node.get("exclusiveMaximum")),
        "multiple_of": node.get("multipleOf"),
        "min_length": node.get("minLength"),
        "max_length": node.get("maxLength"),
        "pattern": node.get("pattern") or "",
    }


def _object(node: Obj, common: Obj) -> Schema:
    needed: set[str] = set(entries(node, "required"))
    fields = {
        name: translate(child, needed=name in needed)
        for name, child in part(node, "properties").items()
    }
    extra = node.get("additionalProperties")
    values = translate(cast("Obj", extra)) if isinstance(extra, dict) else None
    if extra is True:
        common = {**common, "open": True}
    if node.get("x-kubernetes-embedded-resource"):
        common = {**common, "embedded": True}
        for name in ("apiVersion", "kind"):
            fields[name] = Schema("string", required=True)
        fields["metadata"] = OBJECT_META("Its own name, labels and history.")
    unnamed = sorted(needed - fields.keys())
    if unnamed:  # required of a map, or of what the schema leaves open
        combined: Obj = common["combined"]
        common = {**common, "combined": {**combined, "required": unnamed}}
    return Schema(
        "object",
        fields=fields,
        values=values,
        min_items=node.get("minProperties"),
        max_items=node.get("maxProperties"),
        map_type="atomic" if node.get("x-kubernetes-map-type") == "atomic" else "",
        **common,
    )
