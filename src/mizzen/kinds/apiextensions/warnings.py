"""What a definition warns of: formats that nothing checks, and versions that are on their way out.

Source: apiextensions `pkg/registry/customresourcedefinition/strategy.go`,
`pkg/apiserver/validation/formats.go`, `pkg/apiserver/customresource_handler.go`; v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from mizzen.base.api_versions import precedence
from mizzen.base.go_text import quoted
from mizzen.base.objects import Obj
from mizzen.kinds.formats import TEXT_FORMATS
from mizzen.kinds.reading import entries, part

_OF_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}


def unrecognized_formats(new: Obj, old: Obj | None = None) -> list[str]:
    """Warnings of formats in a definition that nothing checks, but for those that it had before."""
    before = [] if old is None else _formats(old)
    return [f"unrecognized format {quoted(each)}" for each in _formats(new) if each not in before]


def deprecation(spec: Obj, version: Obj) -> str:
    """What clients of a version are warned of, "" if of nothing."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning") is not None:
        return version["deprecationWarning"]
    group, kind, name = spec["group"], spec["names"]["kind"], version["name"]
    better = [
        each["name"]
        for each in spec["versions"]
        if each.get("served") and not each.get("deprecated")
        and precedence(each["name"]) < precedence(name)
    ]  # fmt: skip
    use = f"; use {group}/{min(better, key=precedence)} {kind}" if better else ""
    return f"{group}/{name} {kind} is deprecated{use}"


def _formats(definition: Obj) -> list[str]:
    schemas = [
        part(each, "schema.openAPIV3Schema") for each in entries(definition, "spec.versions")
    ]
    return list(dict.fromkeys(found for schema in schemas for found in _unrecognized(schema)))


def _unrecognized(node: Any) -> Iterator[str]:
    if not isinstance(node, dict):
        return
    schema = cast("Obj", node)
    form, kind = schema.get("format") or "", schema.get("type") or ""
    if form and kind in ("", "string"):
        is_known = form.replace("-", "") in TEXT_FORMATS
    else:
        is_known = form in _OF_NUMBERS.get(kind, ())
    if form and not is_known:
        yield form
    below: list[Any] = [schema.get(word) for word in ("items", "not", "additionalProperties")]
    below += part(schema, "properties").values()
    for word in ("allOf", "anyOf", "oneOf"):
        below += entries(schema, word)
    for each in below:
        yield from _unrecognized(each)
