"""Checks of a definition of a custom kind, in upstream's words and order.

Upstream looks at an internal form, in which what all versions have alike is the spec's.

Source: apiextensions `pkg/apis/apiextensions/validation/validation.go`, `v1/conversion.go`; v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, has_condition
from mizzen.kinds import causes as words
from mizzen.kinds.apiextensions.conversion import check_conversion, check_stored_versions
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import dns_label_1035, dns_subdomain
from mizzen.kinds.reading import entries, part
from mizzen.kinds.structural import check_structural
from mizzen.kinds.validation_rules.field_paths import schema_at

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_SELECTABLE = ("string", "boolean", "integer")
SELECTABLE_MAX = 8
_SHARED = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")
_BELOW = ("items", "additionalProperties", "not", "allOf", "anyOf", "oneOf")
_NAMED = 'must be spec.names.plural+"."+spec.group'
_MIXED = "may have mixed case, but should otherwise match: "


def check_definition(new: Obj, old: Obj | None) -> list[Cause]:
    """Every cause to refuse a definition, `old` None: to be made."""
    return [*_check(new, old), *_check_immutable(new, old), *check_stored_versions(new),
            *_check_preserving(new, old)]  # fmt: skip


def _check(new: Obj, old: Obj | None) -> Iterator[Cause]:
    spec, name = part(new, "spec"), new["metadata"].get("name") or ""
    names, versions = part(spec, "names"), entries(spec, "versions")
    if old is None and name and name != f"{names.get('plural') or ''}.{spec.get('group') or ''}":
        yield words.invalid("metadata.name", name, _NAMED)
    prefix = new["metadata"].get("generateName") or ""
    if old is None and prefix:  # which is no whole name
        yield words.invalid("metadata.generateName", prefix, _NAMED)
    yield from _check_group(spec.get("group") or "")
    yield from _one_of("spec.scope", spec.get("scope") or "", ("Cluster", "Namespaced"))
    shared = _shared(versions)
    if "schema" not in shared or not _schema_of(versions[0] if versions else {}):
        for index, version in enumerate(versions):
            if not _schema_of(version):
                yield words.required(f"spec.versions[{index}].schema.openAPIV3Schema")
    if spec.get("preserveUnknownFields") and any(_has_defaults(_schema_of(v)) for v in versions):
        what = "must be false in order to use defaults in the schema"
        yield words.invalid("spec.preserveUnknownFields", True, what)
    before = {each.get("name"): _schema_of(each) for each in entries(old, "spec.versions")}
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        if problem := dns_label_1035(version.get("name") or ""):
            yield words.invalid(f"{at}.name", version.get("name") or "", problem)
        yield from _check_deprecation(version, f"{at}.deprecationWarning")
        left = {name: value for name, value in version.items() if name not in shared}
        yield from _check_version(left, at, f"{at}.schema", before)
    yield from _check_version_list(spec, shared)
    first_name = versions[0].get("name") or "" if versions else ""
    if first_name and (problem := dns_label_1035(first_name)):
        yield words.invalid("spec.version", first_name, problem)
    yield from _check_names(names)
    if versions:
        first = {name: versions[0][name] for name in shared if name in versions[0]}
        named = {"name": versions[0].get("name"), **first}
        yield from _check_version(named, "spec", "spec.validation", before)
    yield from check_conversion(new, old)


def _shared(versions: list[Obj]) -> frozenset[str]:
    """The fields that all versions have alike."""
    return frozenset(
        name for name in _SHARED
        if versions and all(each.get(name) == versions[0].get(name) for each in versions)
    )  # fmt: skip


def _schema_of(version: Obj) -> Any:
    return part(version, "schema").get("openAPIV3Schema")


def _check_group(group: str) -> Iterator[Cause]:
    if not group:
        yield words.required("spec.group")
    elif problem := dns_subdomain(group):
        yield words.invalid("spec.group", group, problem)
    elif "." not in group:
        yield words.invalid("spec.group", group, "should be a domain with at least one dot")


def _one_of(path: str, value: str, accepted: tuple[str, ...]) -> Iterator[Cause]:
    if not value:
        yield words.required(path)
    elif value not in accepted:
        yield words.unsupported(path, value, accepted)


def _has_defaults(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_has_defaults, cast("list[Any]", node)))
    if not isinstance(node, dict):
        return False
    node = cast("Obj", node)
    below: list[Any] = list(part(node, "properties").values())
    below += [node.get(word) for word in _BELOW]
    return node.get("default") is not None or any(map(_has_defaults, below))


def _check_deprecation(version: Obj, path: str) -> Iterator[Cause]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return
    if not version.get("deprecated"):
        yield words.invalid(path, warning, "can only be set for deprecated versions")
        return
    if len(warning.encode()) > 256:
        yield words.invalid(path, warning, "must be <= 256 characters long")
    if not warning:
        yield words.invalid(path, warning, "must not be an empty string")
    for place, char in enumerate(warning):
        if not char.isprintable():
            at = len(warning[:place].encode())
            what = f"non-printable character found at index {at}"
            yield words.invalid(
                path, warning, f"must only contain printable UTF-8 characters; {what}"
            )
            break


def _check_version(version: Obj, path: str, at: str, before: Obj) -> Iterator[Cause]:
    """What stands in a version, or in the spec for all of them. Schemas that are stored already, as
    `before` has them, do not keep the rest from changing."""
    schema = _schema_of(version)
    if schema is not None and schema != before.get(version.get("name") or ""):
        has_status = part(version, "subresources").get("status") is not None
        yield from check_structural(schema, f"{at}.openAPIV3Schema", has_status=has_status)
    yield from _check_scale(part(version, "subresources.scale"), f"{path}.subresources.scale")
    for index, column in enumerate(entries(version, "additionalPrinterColumns")):
        yield from _check_column(column, f"{path}.additionalPrinterColumns[{index}]")
    fields = entries(version, "selectableFields")
    if fields:
        yield from _check_selectable(fields, schema, f"{path}.selectableFields")


def _check_scale(scale: Obj, path: str) -> Iterator[Cause]:
    if not scale:
        return
    for name, below in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        written, at = scale.get(name) or "", f"{path}.{name}"
        if not written:
            yield words.required(at)
        elif written[0] != ".":
            yield words.invalid(at, written, "must be a simple json path starting with .")
        elif not written.startswith(below):
            yield words.invalid(at, written, f"should be a json path under {below[:-1]}")
    written, at = scale.get("labelSelectorPath") or "", f"{path}.labelSelectorPath"
    if written and written[0] != ".":
        yield words.invalid(at, written, "must be a simple json path starting with .")
    elif written and not written.startswith((".spec.", ".status.")):
        yield words.invalid(at, written, "should be a json path under either .spec or .status")


def _check_column(column: Obj, path: str) -> Iterator[Cause]:
    if not column.get("name"):
        yield words.required(f"{path}.name")
    kind, listed = column.get("type") or "", f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        yield words.required(f"{path}.type", listed)
    elif kind not in _COLUMN_TYPES:
        yield words.invalid(f"{path}.type", kind, listed)
    form = column.get("format") or ""
    if form and form not in _FORMATS:
        yield words.invalid(f"{path}.format", form, f"must be one of {','.join(_FORMATS)}")
    shown, at = column.get("jsonPath") or "", f"{path}.JSONPath"
    if not shown:
        yield words.required(at)
    elif shown[0] != ".":
        yield words.invalid(at, shown, "must be a simple json path starting with .")


def _check_selectable(fields: list[Obj], schema: Any, path: str) -> Iterator[Cause]:
    if schema is None:
        yield words.invalid(path, "", "may only be set when validations.schema is included")
        return
    seen: set[str] = set()
    for index, field in enumerate(fields):
        written, at = field.get("jsonPath") or "", f"{path}[{index}].jsonPath"
        if not written:
            yield words.required(at)
            continue
        found = schema_at(written, schema)
        if isinstance(found, str):
            yield words.invalid(at, written, f"is an invalid path: {found}")
            continue
        if written == ".metadata" or written.startswith(".metadata."):
            yield words.invalid(at, written, "must not point to fields in metadata")
        if found.get("type") not in _SELECTABLE:
            what = (
                "must point to a field of type string, boolean or integer. Enum string fields and "
                "strings with formats are allowed."
            )
            yield words.invalid(at, written, what)
        if written in seen:
            yield words.duplicate(at, written)
        seen.add(written)
    if len(seen) > SELECTABLE_MAX:
        yield words.too_many(path, len(seen), SELECTABLE_MAX)


def _check_version_list(spec: Obj, shared: frozenset[str]) -> Iterator[Cause]:
    versions = entries(spec, "versions")
    named = [each.get("name") or "" for each in versions]
    shown = [_shown(each, shared) for each in versions]
    if len(set(named)) != len(named):
        yield words.invalid("spec.versions", shown, "must contain unique version names")
    if sum(bool(each.get("storage")) for each in versions) != 1:
        what = "must have exactly one version marked as storage version"
        is_said = isinstance(spec.get("versions"), list)
        yield words.invalid("spec.versions", shown if is_said else None, what)


def _shown(version: Obj, shared: frozenset[str]) -> Obj:
    """A version as refusals show it: upstream's internal type."""
    left = {name: version.get(name) or None for name in _SHARED if name not in shared}
    return {
        "Name": version.get("name") or "",
        "Served": bool(version.get("served")),
        "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")),
        "DeprecationWarning": version.get("deprecationWarning"),
        "Schema": left.get("schema"),
        "Subresources": left.get("subresources"),
        "AdditionalPrinterColumns": left.get("additionalPrinterColumns"),
        "SelectableFields": left.get("selectableFields"),
    }


def _check_names(names: Obj) -> Iterator[Cause]:
    said = {name: names.get(name) or "" for name in ("plural", "singular", "kind", "listKind")}
    for name, value in said.items():
        if not value:
            yield words.required(f"spec.names.{name}")
    for name, value in said.items():
        is_kind = name in ("kind", "listKind")
        problem = dns_label_1035(value.lower() if is_kind else value)
        if value and problem:
            prefix = _MIXED if is_kind else ""
            yield words.invalid(f"spec.names.{name}", value, f"{prefix}{problem}")
    for word in ("shortNames", "categories"):
        if word == "categories" and said["kind"] and said["kind"] == said["listKind"]:
            what = "kind and listKind may not be the same"
            yield words.invalid("spec.names.listKind", said["listKind"], what)
        for index, value in enumerate(entries(names, word)):
            if problem := dns_label_1035(value):
                yield words.invalid(f"spec.names.{word}[{index}]", value, problem)


def _check_immutable(new: Obj, old: Obj | None) -> list[Cause]:
    """What decides where objects are; the scope and the kind, too, once they may be there."""
    if old is None:
        return []
    fields = ["spec.group", "spec.names.plural"]
    if has_condition(old, "Established"):
        fields = ["spec.scope", "spec.names.kind", *fields]
    return immutable(new, old, *fields)


def _check_preserving(new: Obj, old: Obj | None) -> Iterator[Cause]:
    if part(new, "spec").get("preserveUnknownFields") and not (
        old is not None and part(old, "spec").get("preserveUnknownFields")
    ):
        what = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        yield words.invalid("spec.preserveUnknownFields", True, what)
