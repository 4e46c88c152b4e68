"""CustomResourceDefinitions turned into Kinds: what a user defines is served like what we did.

Objects of all versions lie in one place of the store, in the version that is the storage version
when they are written (`custom_versions.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds.apiextensions.warnings import deprecation
from mizzen.kinds.columns import AGE, NAME, since
from mizzen.kinds.jsonpath import compile_path
from mizzen.kinds.kind import Cell, Column, Kind, ScalePaths, no_rules
from mizzen.kinds.meta import OBJECT_META
from mizzen.kinds.openapi import definition_name
from mizzen.kinds.reading import entries, part
from mizzen.kinds.schema import STR, Schema
from mizzen.kinds.structural import translate
from mizzen.kinds.subresource import SCALE_SUBRESOURCE, STATUS_SUBRESOURCE
from mizzen.kinds.validation_rules.compiling import rules_of
from mizzen.kinds.validation_rules.running import validator_of

ESTABLISHED = "Established"
NAMES_ACCEPTED = "NamesAccepted"
TERMINATING = "Terminating"


def kinds_from_crd(crd: Obj) -> list[Kind]:
    """The kind in every served version, the storage version first."""
    served = [v for v in crd["spec"]["versions"] if v["served"]]
    served.sort(key=lambda v: not v["storage"])
    return [kind_of(crd["spec"], version) for version in served]


def kind_of(spec: Obj, version: Obj) -> Kind:
    """The kind in one of its versions."""
    words = spec["names"]
    resource = Resource(
        spec["group"],
        version["name"],
        words["plural"],
        words["kind"],
        namespaced=spec["scope"] == "Namespaced",
    )
    subresources = part(version, "subresources")
    written = version["schema"]["openAPIV3Schema"]
    rules = rules_of(written)
    validate = no_rules if rules is None else validator_of(rules)
    return Kind(
        resource=resource,
        singular=words.get("singular") or "",
        short_names=tuple(entries(words, "shortNames")),
        categories=tuple(entries(words, "categories")),
        schema=_schema(resource, written),
        written=written,
        deprecation=deprecation(spec, version),
        columns=_columns(entries(version, "additionalPrinterColumns")),
        subresources=tuple(
            each for each in (SCALE_SUBRESOURCE, STATUS_SUBRESOURCE) if each.name in subresources
        ),
        selectable_fields=tuple(
            field["jsonPath"].lstrip(".") for field in entries(version, "selectableFields")
        ),
        scale=_scale(subresources.get("scale")),
        validate=validate,
        validate_status=validate,
        merges_strategically=False,  # as upstream: a user's schema names no merge keys
    )


def _schema(resource: Resource, written: Obj) -> Schema:
    """The user's schema with our own apiVersion, kind and metadata."""
    schema = translate(written)
    fields = {
        "apiVersion": STR(enum=(resource.api_version,), required=True),
        "kind": STR(enum=(resource.kind,), required=True),
        "metadata": _metadata(part(written, "properties.metadata.properties")),
    }
    mine = {name: child for name, child in schema.fields.items() if name not in fields}
    return schema(fields={**fields, **mine}, name=definition_name(resource), required=False)


def _metadata(written: Obj) -> Schema:
    """Ours; the user's schema may restrict names, and nothing else."""
    plain = OBJECT_META("Name, labels and history.", default={})
    own = {n: translate(written[n]) for n in ("name", "generateName") if n in written}
    if not own:
        return plain
    fields = {**plain.fields, **own}
    return plain(fields=fields, name="", served_as=OBJECT_META.name)  # a type of its own


def _scale(paths: Any) -> ScalePaths | None:
    if not paths:
        return None
    return ScalePaths(
        paths["specReplicasPath"].lstrip("."),
        paths["statusReplicasPath"].lstrip("."),
        (paths.get("labelSelectorPath") or "").lstrip("."),
    )


def _columns(written: list[Obj]) -> tuple[Column, ...]:
    try:
        reads = [compile_path(column["jsonPath"]) for column in written]
    except ValueError:  # as upstream, which takes such a definition and shows its kind plainly
        reads = []
    if not reads:
        return (NAME, replace(AGE, type="date"))
    return (
        NAME,
        *(
            Column(
                column["name"],
                _cell(read, column["type"]),
                type=column["type"],
                format=column.get("format") or "",
                priority=int(column.get("priority") or 0),
                description=column.get("description") or "",
            )
            for column, read in zip(written, reads, strict=True)
        ),
    )


def _cell(read: Callable[[Any], list[Any]], kind: str) -> Callable[[Obj, int], Cell]:
    """Source: apiextensions `tableconvertor.go`: a date is shown as an age."""

    def cell(obj: Obj, now_ns: int) -> Cell:
        found = read(obj)
        if not found:
            return None
        value = found[0]
        if kind == "date":
            return since(value, now_ns)
        if kind == "string" and not isinstance(value, str):
            return None if value is None else _text(value)
        return value if isinstance(value, str | int | float | bool) else None

    return cell


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def conditions(now: str, conflict: str = "") -> list[Obj]:
    """The conditions of a definition once it is served, or why it is not (`conflict`)."""
    ok = not conflict
    return [
        {
            "type": NAMES_ACCEPTED,
            "status": "True" if ok else "False",
            "lastTransitionTime": now,
            "reason": "NoConflicts" if ok else "Conflict",
            "message": "no conflicts found" if ok else conflict,
        },
        {
            "type": ESTABLISHED,
            "status": "True" if ok else "False",
            "lastTransitionTime": now,
            "reason": "InitialNamesAccepted" if ok else "NotAccepted",
            "message": "the initial names have been accepted"
            if ok
            else "not all names are accepted",
        },
    ]


def terminating_condition(now: str, *, is_pending: bool = False) -> Obj:
    """The condition of a definition that is being deleted; `is_pending`: its objects are not yet."""
    reason, message = "InstanceDeletionInProgress", "CustomResource deletion is in progress"
    if is_pending:
        reason = "InstanceDeletionPending"
        message = (
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        )
    return {
        "type": TERMINATING,
        "status": "True",
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def served_status(crd: Obj, now: str, conflict: str = "") -> Obj:
    """The status of a definition, as the API server writes it when it starts to serve it."""
    stored = [v["name"] for v in crd["spec"]["versions"] if v["storage"]]
    before = entries(crd, "status.storedVersions")
    return {
        "acceptedNames": dict(crd["spec"]["names"]),
        "conditions": conditions(now, conflict),
        "storedVersions": list(dict.fromkeys([*before, *stored])),
    }
