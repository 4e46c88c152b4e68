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
from mizzen.kinds.decoding import decoder_of
from mizzen.kinds.meta import OBJECT_META
from mizzen.kinds.patterns import check_patterns
from mizzen.kinds.reading import entries, part
from mizzen.kinds.report import Report
from mizzen.kinds.schema import Schema
from mizzen.kinds.validation_rules.definition import check_rules

TYPES = ("object", "array", "string", "integer", "number", "boolean")
_FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id")
_COMBINATIONS = ("allOf", "anyOf", "oneOf")
_VALUE_ONLY = (  # what a schema inside a combination must not say
    "type", "description", "default", "nullable", "additionalProperties", "title",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
    "x-kubernetes-validations",
)  # fmt: skip
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_LIST_TYPES = ("atomic", "set", "map")
DEPTH_MAX = 64
_DEFAULT_CAUSES_MAX = 10


# -- the check ------------------------------------------------------------------------
def check_structural(schema: Obj, path: str) -> list[Cause]:
    """Causes to refuse a schema of whole objects."""
    causes: list[Cause] = []
    if schema.get("type") != "object":
        message = f'Invalid value: "{schema.get("type") or ""}": must be object at the root'
        causes.append(Cause(f"{path}.type", message))
        return causes
    metadata = part(schema, "properties.metadata")
    extra = metadata.keys() - {"type", "properties", "description"}
    if extra or part(metadata, "properties").keys() - {"name", "generateName"}:
        message = "Forbidden: must not specify anything other than name and generateName"
        at = f"{path}.properties[metadata]"
        causes.append(Cause(at, message, "FieldValueForbidden"))
    if schema.get("additionalProperties") is not None:
        message = "Forbidden: must not be used at the root"
        causes.append(Cause(f"{path}.additionalProperties", message, "FieldValueForbidden"))
    _check(schema, path, causes, 0)
    if not causes:
        causes += check_patterns(schema, path)
    if not causes:
        causes += check_rules(schema, path)
    if not causes:  # a default can be tried only against a schema that is right
        _check_defaults(schema, translate(schema), path, causes)
    return causes


def _check_defaults(node: Obj, translated: Schema, path: str, causes: list[Cause]) -> None:
    """Every default must be a value that its own schema takes whole."""
    if node.get("default") is not None:
        report = Report()
        decoder_of(translated)(node["default"], None, report)
        at = f"{path}.default"
        for cause in report.causes[:_DEFAULT_CAUSES_MAX]:
            where = f"{at}.{cause.field}" if cause.field else at
            causes.append(Cause(where, cause.message, cause.reason))
        if report.unknown:
            message = f"Invalid value: must not have unknown fields: {report.unknown[0].path}"
            causes.append(Cause(at, message))
    for name, child in part(node, "properties").items():
        # What stands beside a type that has no fields (a string's properties) is nobody's.
        below = translated.fields.get(name) or translate(child)
        _check_defaults(child, below, f"{path}.properties[{name}]", causes)
    for name, below in (("items", translated.items), ("additionalProperties", translated.values)):
        if isinstance(node.get(name), dict):
            _check_defaults(node[name], below or translate(node[name]), f"{path}.{name}", causes)


def _check(schema: Any, path: str, causes: list[Cause], depth: int) -> None:
    if not isinstance(schema, dict):
        causes.append(Cause(path, "Invalid value: must be a schema"))
        return
    node = cast("Obj", schema)
    if depth > DEPTH_MAX:
        causes.append(Cause(path, f"Invalid value: nested deeper than {DEPTH_MAX} levels"))
        return
    for word in _FORBIDDEN:
        if word in node:
            causes.append(Cause(f"{path}.{word}", f"Forbidden: {word} is not supported",
                                "FieldValueForbidden"))  # fmt: skip
    _check_node(node, path, causes)
    for name, child in part(node, "properties").items():
        _check(child, f"{path}.properties[{name}]", causes, depth + 1)
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        _check(extra, f"{path}.additionalProperties", causes, depth + 1)
    if isinstance(node.get("items"), dict):
        _check(node["items"], f"{path}.items", causes, depth + 1)
    for word in _COMBINATIONS:
        for index, child in enumerate(entries(node, word)):
            _check_combined(child, f"{path}.{word}[{index}]", causes, node, depth + 1)
    if isinstance(node.get("not"), dict):
        _check_combined(node["not"], f"{path}.not", causes, node, depth + 1)


def _check_node(node: Obj, path: str, causes: list[Cause]) -> None:
    kind = node.get("type") or ""
    int_or_string = bool(node.get("x-kubernetes-int-or-string"))
    preserves = bool(node.get("x-kubernetes-preserve-unknown-fields"))
    if kind and kind not in TYPES:
        allowed = ", ".join(f'"{t}"' for t in TYPES)
        message = f'Unsupported value: "{kind}": supported values: {allowed}'
        causes.append(Cause(f"{path}.type", message, "FieldValueNotSupported"))
    if not kind and not int_or_string and not preserves:
        message = "Required value: must not be empty for specified object fields"
        causes.append(Cause(f"{path}.type", message, "FieldValueRequired"))
    if kind and int_or_string:
        message = (
            f'Invalid value: "{kind}": type must be empty if x-kubernetes-int-or-string is true'
        )
        causes.append(Cause(f"{path}.type", message))
    if kind == "array" and not isinstance(node.get("items"), dict):
        message = "Required value: must be specified"
        causes.append(Cause(f"{path}.items", message, "FieldValueRequired"))
    if node.get("properties") and isinstance(node.get("additionalProperties"), dict):
        message = "Forbidden: additionalProperties and properties are mutual exclusive"
        causes.append(Cause(f"{path}.additionalProperties", message, "FieldValueForbidden"))
    if node.get("x-kubernetes-embedded-resource") and node.get("additionalProperties") is not None:
        message = "Forbidden: must not be used if x-kubernetes-embedded-resource is set"
        causes.append(Cause(f"{path}.additionalProperties", message, "FieldValueForbidden"))
    if node.get("additionalProperties") is False:
        message = "Forbidden: additionalProperties cannot be set to false"
        causes.append(Cause(f"{path}.additionalProperties", message, "FieldValueForbidden"))
    list_type = node.get("x-kubernetes-list-type") or "atomic"
    if list_type not in _LIST_TYPES:
        allowed = ", ".join(f'"{t}"' for t in _LIST_TYPES)
        message = f'Unsupported value: "{list_type}": supported values: {allowed}'
        causes.append(Cause(f"{path}.x-kubernetes-list-type", message, "FieldValueNotSupported"))
    if list_type == "map" and not node.get("x-kubernetes-list-map-keys"):
        message = "Required value: must not be empty if x-kubernetes-list-type is map"
        at = f"{path}.x-kubernetes-list-map-keys"
        causes.append(Cause(at, message, "FieldValueRequired"))


def _check_combined(child: Any, path: str, causes: list[Cause], parent: Obj, depth: int) -> None:
    """Schemas in a combination may restrict values, not add structure."""
    if not isinstance(child, dict):
        causes.append(Cause(path, "Invalid value: must be a schema"))
        return
    node = cast("Obj", child)
    if depth > DEPTH_MAX:
        causes.append(Cause(path, f"Invalid value: nested deeper than {DEPTH_MAX} levels"))
        return
    int_or_string = bool(parent.get("x-kubernetes-int-or-string"))
    for word in _VALUE_ONLY:
        if word in node and not (word == "type" and int_or_string):
            message = "Forbidden: must be empty to be structural"
            causes.append(Cause(f"{path}.{word}", message, "FieldValueForbidden"))
    known = part(parent, "properties")
    for name, below in part(node, "properties").items():
        at = f"{path}.properties[{name}]"
        if name not in known and depth == 1:
            message = f'Required value: because it is defined in {path}.properties["{name}"]'
            causes.append(Cause(at, message, "FieldValueRequired"))
        _check_combined(below, at, causes, part(known, name), depth + 1)
    if node.get("items") is not None:
        _check_combined(node["items"], f"{path}.items", causes, part(parent, "items"), depth + 1)
    for word in _COMBINATIONS:
        for index, below in enumerate(entries(node, word)):
            _check_combined(below, f"{path}.{word}[{index}]", causes, parent, depth + 1)
    if node.get("not") is not None:
        _check_combined(node["not"], f"{path}.not", causes, parent, depth + 1)


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
    }
    if node.get("x-kubernetes-int-or-string"):
        if combined.get("anyOf") == _INT_OR_STRING:
            del combined["anyOf"]  # it says the same
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
        "format": node.get("format") or "",
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
        every = [*entries(combined, "allOf"), {"required": unnamed}]
        common = {**common, "combined": {**combined, "allOf": every}}
    return Schema(
        "object",
        fields=fields,
        values=values,
        min_items=node.get("minProperties"),
        max_items=node.get("maxProperties"),
        map_type="atomic" if node.get("x-kubernetes-map-type") == "atomic" else "",
        **common,
    )
