"""Checks of a user's schema as JSON schema, its rules included, in upstream's words and order.

Source: apiextensions `pkg/apis/apiextensions/validation/validation.go`,
ValidateCustomResourceDefinitionOpenAPISchema; v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds import causes as words
from mizzen.kinds.reading import entries, part

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_LIST_TYPES, _MAP_TYPES = ("atomic", "map", "set"), ("atomic", "granular")
_NOT_SUPPORTED = (
    "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref",
)  # fmt: skip
_META = ("metadata", "kind", "apiVersion")
_LIST, _MAP = "x-kubernetes-list-type", "x-kubernetes-map-type"
_KEYS = "x-kubernetes-list-map-keys"


@dataclass(frozen=True, slots=True)
class _Where:
    """What holds of a place in the schema; `no_defaults`: why there may be none, "" = there may."""

    is_root: bool = False
    is_meta: bool = False
    no_defaults: str = ""


def check_schema(schema: Obj, path: str) -> Iterator[Cause]:
    """Every cause against a schema of whole objects, but for its rules."""
    yield from _check(schema, path, _Where(is_root=True))


def _check(value: Any, path: str, where: _Where) -> Iterator[Cause]:
    if not isinstance(value, dict):
        return
    node = cast("Obj", value)
    yield from _check_words(node, path, where)
    if node.get("uniqueItems"):
        what = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield words.forbidden(f"{path}.uniqueItems", what)
    yield from _check_below(node, path, replace(where, is_root=False), is_root=where.is_root)
    if node.get("x-kubernetes-preserve-unknown-fields") is False:
        at = f"{path}.x-kubernetes-preserve-unknown-fields"
        yield words.invalid(at, False, "must be true or undefined")
    yield from _check_kinds(node, path)
    yield from _check_map_list(node, path)


def _check_words(node: Obj, path: str, where: _Where) -> Iterator[Cause]:
    kind = node.get("type") or ""
    if kind and kind not in TYPES:
        yield words.unsupported(f"{path}.type", kind, TYPES)
    if node.get("default") is not None and where.no_defaults:
        yield words.forbidden(f"{path}.default", f"must not be set {where.no_defaults}")
    for name in _NOT_SUPPORTED:
        if node.get(name) not in (None, "", {}):
            yield words.forbidden(f"{path}.{name}", f"{name} is not supported")
    if kind == "null":
        what = "type cannot be set to null, use nullable as an alternative"
        yield words.forbidden(f"{path}.type", what)
    if isinstance(node.get("items"), list):
        yield words.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if where.is_meta and node.get("x-kubernetes-embedded-resource"):
        what = "must not be used inside of resource meta"
        yield words.forbidden(f"{path}.x-kubernetes-embedded-resource", what)


def _check_below(node: Obj, path: str, where: _Where, *, is_root: bool) -> Iterator[Cause]:
    extra, fields = node.get("additionalProperties"), part(node, "properties")
    if extra is not None:
        at = f"{path}.additionalProperties"
        if fields and extra is not True:
            what = "additionalProperties and properties are mutual exclusive"
            yield words.forbidden(at, what)
        inside = "inside additionalProperties applying to object metadata"
        below = replace(where, no_defaults=inside) if where.is_meta else where
        yield from _check(extra, at, below)
    for name in sorted(fields):
        below = where
        is_resource = is_root or node.get("x-kubernetes-embedded-resource")
        if is_resource and name in _META:
            no_defaults = f"in top-level {name}" if is_root else where.no_defaults
            below = replace(where, is_meta=True, no_defaults=no_defaults)
        yield from _check(fields[name], f"{path}.properties[{name}]", below)
    yield from _check(node.get("not"), f"{path}.not", where)
    for word in ("allOf", "oneOf", "anyOf"):
        for index, child in enumerate(entries(node, word)):
            yield from _check(child, f"{path}.{word}[{index}]", where)
    yield from _check(node.get("items"), f"{path}.items", where)


def _check_kinds(node: Obj, path: str) -> Iterator[Cause]:
    """That lists and maps of a type are lists and maps."""
    kind = node.get("type") or ""
    for word, wanted, known in ((_MAP, "object", _MAP_TYPES), (_LIST, "array", _LIST_TYPES)):
        said = node.get(word)
        if said is None:
            continue
        what = f"must be {wanted} if {word} is specified"
        if kind != wanted:
            at = f"{path}.type"
            yield words.invalid(at, kind, what) if kind else words.required(at, what)
        elif said == "set":
            yield from _check_set(node, path)
        if said not in known:
            yield words.unsupported(f"{path}.{word}", said, known)


def _check_set(node: Obj, path: str) -> Iterator[Cause]:
    items = part(node, "items")
    what = f"must be atomic as item of a list with {_LIST}=set"
    list_type = items.get(_LIST)
    if items.get("type") == "array" and list_type not in (None, "atomic"):
        yield words.invalid(f"{path}.items.{_LIST}", list_type, what)
    if items.get("type") == "object" and items.get(_MAP) != "atomic":
        yield words.invalid(f"{path}.items.{_MAP}", list_type, what)


def _check_map_list(node: Obj, path: str) -> Iterator[Cause]:
    list_type, keys, items = node.get(_LIST), entries(node, _KEYS), node.get("items")
    if keys and list_type != "map":
        at, what = f"{path}.{_LIST}", f"must be map if {_KEYS} is non-empty"
        yield words.required(at, what) if list_type is None else words.invalid(at, list_type, what)
    if list_type == "map":
        if not keys:
            yield words.required(f"{path}.{_KEYS}", f"must not be empty if {_LIST} is map")
        if items is None:
            yield words.required(f"{path}.items", f"must have a schema if {_LIST} is map")
        elif isinstance(items, dict):
            yield from _check_keys(cast("Obj", items), keys, path)
    if list_type in ("set", "map") and isinstance(items, dict):
        yield from _check_nulls(cast("Obj", items), keys, str(list_type), path)


def _check_keys(items: Obj, keys: list[str], path: str) -> Iterator[Cause]:
    if items.get("type") != "object":
        what = f"must be object if parent array's {_LIST} is map"
        yield words.invalid(f"{path}.items.type", items.get("type") or "", what)
        return
    fields = part(items, "properties")
    for index, key in enumerate(keys):
        at = f"{path}.{_KEYS}"
        if key not in fields:
            yield words.invalid(at, keys, "entries must all be names of item properties")
        elif fields[key].get("type") in ("array", "object"):
            what = f"must be a scalar type if parent array's {_LIST} is map"
            yield words.invalid(f"{path}.items.properties[{key}].type", "object", what)
        if key in keys[:index]:
            yield words.invalid(at, keys, "must not contain duplicate entries")


def _check_nulls(items: Obj, keys: list[str], list_type: str, path: str) -> Iterator[Cause]:
    if items.get("nullable"):
        what = f"cannot be nullable when {_LIST} is {list_type}"
        yield words.forbidden(f"{path}.items.nullable", what)
    if list_type != "map":
        return
    fields = part(items, "properties")
    for key in keys:
        if key not in fields:
            continue
        at, what = f"{path}.items.properties[{key}]", f"this property is in {_KEYS}, so it"
        if key not in entries(items, "required") and fields[key].get("default") is None:
            yield words.required(
                f"{at}.default", f"{what} must have a default or be a required property"
            )
        if fields[key].get("nullable"):
            yield words.forbidden(f"{at}.nullable", f"{what} cannot be nullable")
