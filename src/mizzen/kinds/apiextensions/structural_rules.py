"""Checks that a user's schema is structural, in upstream's words and number of causes.

Source: apiextensions `pkg/apiserver/schema/{convert,validation,complete}.go`, v0.36.
"""

from __future__ import annotations

from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds import causes as words
from mizzen.kinds.patterns import check_patterns
from mizzen.kinds.reading import entries, part

_ROOT, _ITEM, _FIELD = "at the root", "for specified array items", "for specified object fields"
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_COMBINATIONS = ("anyOf", "allOf", "oneOf")
# What a schema inside a combination may not say, and in which words.
_EMPTY = ("type", "title", "description", "x-kubernetes-list-map-keys", "x-kubernetes-validations")
_UNDEFINED = (
    "additionalProperties", "default", "x-kubernetes-list-type", "x-kubernetes-map-type",
)  # fmt: skip
_FALSE = (
    "nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
)  # fmt: skip
_UNSUPPORTED = (
    ("id", "id"), ("$schema", "schema"), ("$ref", "$ref"),
    ("patternProperties", "patternProperties"), ("dependencies", "dependencies"),
    ("additionalItems", "additionalItems"), ("definitions", "definitions"),
)  # fmt: skip


def unstructured(schema: Any) -> str:
    """Why a schema cannot be taken for a structural one, "" where it can."""
    node = cast("Obj", schema)
    for word, name in _UNSUPPORTED:
        if node.get(word):
            return f"OpenAPIV3Schema '{name}' is not supported"
    if node.get("x-kubernetes-preserve-unknown-fields") is False:
        return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
    if isinstance(node.get("items"), list):
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    below: list[Any] = [node.get("items"), node.get("additionalProperties"), node.get("not")]
    below += part(node, "properties").values()
    for word in _COMBINATIONS:
        below += entries(node, word)
    return next(
        (why for each in below if isinstance(each, dict) and (why := unstructured(each))), ""
    )


def check_structure(schema: Obj, path: str) -> list[Cause]:
    """Every cause to refuse it, in the order of their texts."""
    found: list[Cause] = []
    _check(schema, _ROOT, path, found)
    _complete(schema, schema, path, path, found)
    found += check_patterns(schema, path)
    return sorted(found, key=lambda cause: f"{cause.field}: {cause.message}")


def _check(node: Obj, level: str, path: str, found: list[Cause]) -> None:
    kind, items, extra = _text(node, "type"), node.get("items"), node.get("additionalProperties")
    if kind == "array" and items is None:
        found.append(words.required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        _check(cast("Obj", items), _ITEM, f"{path}.items", found)
    for name, child in part(node, "properties").items():
        _check(child, _FIELD, f"{path}.properties[{name}]", found)
    if extra is not None:
        at = f"{path}.additionalProperties"
        if level == _ROOT:
            found.append(words.forbidden(at, "must not be used at the root"))
        if isinstance(extra, dict):
            _check(cast("Obj", extra), _FIELD, at, found)
    _check_extensions(node, path, found)
    _check_values(node, level, path, found, is_plain=True)
    _check_type(node, level, path, found)
    if level == _ROOT or node.get("x-kubernetes-embedded-resource"):
        for name in ("kind", "apiVersion"):
            child = part(node, "properties").get(name)
            if child is not None and child.get("type") != "string":
                at = f"{path}.properties[{name}].type"
                found.append(words.invalid(at, _text(child, "type"), "must be string"))
    _check_metadata(node, level, f"{path}.properties[metadata]", found)
    is_bare = not node.get("x-kubernetes-preserve-unknown-fields") and not node.get("properties")
    if node.get("x-kubernetes-embedded-resource") and is_bare:
        what = (
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields"
        )
        found.append(words.required(f"{path}.properties", what))


def _check_extensions(node: Obj, path: str, found: list[Cause]) -> None:
    if not node.get("x-kubernetes-int-or-string"):
        return
    for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
        if node.get(name):
            what = "must be false if x-kubernetes-int-or-string is true"
            found.append(words.invalid(f"{path}.{name}", True, what))


def _check_type(node: Obj, level: str, path: str, found: list[Cause]) -> None:
    kind, at = _text(node, "type"), f"{path}.type"
    is_embedded = bool(node.get("x-kubernetes-embedded-resource"))
    is_free = node.get("x-kubernetes-int-or-string") or node.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if is_embedded and kind != "object":
        what = "must be object if x-kubernetes-embedded-resource is true"
        found.append(words.invalid(at, kind, what) if kind else words.required(at, what))
    elif not kind and not is_free:
        found.append(words.required(at, f"must not be empty {level}"))
    if is_embedded and node.get("additionalProperties") is not None:
        what = "must not be used if x-kubernetes-embedded-resource is set"
        found.append(words.forbidden(f"{path}.additionalProperties", what))
    if level == _ROOT and kind not in ("", "object"):
        found.append(words.invalid(at, kind, "must be object at the root"))


def _check_metadata(node: Obj, level: str, path: str, found: list[Cause]) -> None:
    metadata = part(node, "properties").get("metadata")
    if metadata is None:
        return
    is_checked = level == _ROOT or node.get("x-kubernetes-embedded-resource")
    if is_checked and metadata.get("type") != "object":
        found.append(words.invalid(f"{path}.type", _text(metadata, "type"), "must be object"))
    if level != _ROOT:
        return
    left = {name for name, value in metadata.items() if value not in (None, "", [], {}, False)}
    if part(metadata, "properties").keys() <= {"name", "generateName"}:
        left.discard("properties")
    if left - {"type", "default"}:
        what = (
            "must not specify anything other than name and generateName, but metadata is implicitly "
            "specified"
        )
        found.append(words.forbidden(path, what))


def _check_values(
    node: Obj, level: str, path: str, found: list[Cause], *, is_plain: bool, skips: bool = False
) -> None:
    """`is_plain`: the schema is in no combination itself; `skips`: its anyOf is the pattern of an
    integer or a string."""
    is_either = skips or (is_plain and entries(node, "anyOf") == _INT_OR_STRING)
    for word in _COMBINATIONS:
        for index, child in enumerate(entries(node, word)):
            if word == "anyOf" and is_either:
                continue
            is_first = is_plain and word == "allOf" and index == 0
            skipped = is_first and entries(child, "anyOf") == _INT_OR_STRING
            _check_nested(child, level, f"{path}.{word}[{index}]", found, skips=skipped)
    if isinstance(node.get("not"), dict):
        _check_nested(node["not"], level, f"{path}.not", found)


def _check_nested(
    node: Any, level: str, path: str, found: list[Cause], *, skips: bool = False
) -> None:
    _check_values(node, level, path, found, is_plain=False, skips=skips)
    if isinstance(node.get("items"), dict):
        _check_nested(node["items"], level, f"{path}.items", found)
    for name, child in part(node, "properties").items():
        _check_nested(child, _FIELD, f"{path}.properties[{name}]", found)
    for names, what in ((_EMPTY, "empty"), (_UNDEFINED, "undefined"), (_FALSE, "false")):
        for name in names:
            if node.get(name) not in (None, "", [], False):
                found.append(words.forbidden(f"{path}.{name}", f"must be {what} to be structural"))
    if "metadata" in part(node, "properties"):
        what = "must not be specified in a nested context"
        found.append(words.forbidden(f"{path}.properties[metadata]", what))


def _complete(values: Any, node: Any, at: str, where: str, found: list[Cause]) -> None:
    """What combinations say of fields must be about fields that the schema has."""
    if not isinstance(values, dict):
        return
    said = cast("Obj", values)
    nested = [(f"{where}.not", said.get("not"))]
    for word in ("allOf", "anyOf", "oneOf"):
        nested += [(f"{where}.{word}[{n}]", each) for n, each in enumerate(entries(said, word))]
    for place, child in nested:
        _complete_nested(child, node, at, place, found)


def _complete_nested(values: Any, node: Any, at: str, where: str, found: list[Cause]) -> None:
    if not isinstance(values, dict):
        return
    said = cast("Obj", values)
    if not isinstance(node, dict):
        found.append(words.required(at, f"because it is defined in {where}"))
        return
    known = cast("Obj", node)
    _complete(said, known, at, where, found)
    _complete_nested(said.get("items"), known.get("items"), f"{at}.items", f"{where}.items", found)
    fields = part(known, "properties")
    for name, child in part(said, "properties").items():
        below = f"properties[{name}]"
        child_at, child_where = f"{at}.{below}", f"{where}.{below}"
        _complete_nested(child, fields.get(name), child_at, child_where, found)


def _text(node: Obj, name: str) -> str:
    return node.get(name) or ""
