"""Upstream's types and resources, made from the tables in `kinds/tables` when they are first used.

    KIND = upstream_kind(STORAGE_CLASSES, default=..., validate=...)
    SPEC = upstream_type("io.k8s.api.apps.v1.DeploymentSpec")

A table says fields, types, required, defaults of the schema, list types, merge keys and protobuf
numbers. A kind's file says the rest: defaults that depend on others, rules, columns, what it acts
upon. Types that a file of ours writes out (`schema.package`) stand in place of the table's.

A required field that Go cannot tell from its zero value has that as its default, as upstream: "" or
0 comes to validation and into the stored object. Lists, maps and moments are not enforced, since Go
clients send null for empty ones: a kind whose rules need one says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds import schema as language
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.facts import table_of
from mizzen.kinds.kind import Kind
from mizzen.kinds.meta import root
from mizzen.kinds.names import path_segment
from mizzen.kinds.schema import LazyFields, Schema, array, mapping, written
from mizzen.kinds.subresource import STATUS_SUBRESOURCE

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_SCALARS = {
    "string": language.STR, "boolean": language.BOOL, "int32": language.INT32,
    "int64": language.INT64, "double": language.NUMBER, "any": language.ANY,
    "byte": Schema("string", format="byte"), "object": language.OPEN,
}  # fmt: skip
# Types that are written in JSON as one value, or that are whatever they hold.
_VALUES: Mapping[str, Schema] = {
    **{each.name: each for each in (
        language.TIME, language.MICRO_TIME, language.QUANTITY, language.INT_OR_STR,
    )},
    f"{_META}.FieldsV1": Schema("object", name=f"{_META}.FieldsV1", open=True),
    "io.k8s.apimachinery.pkg.runtime.RawExtension": language.OPEN,
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": language.ANY,
}  # fmt: skip
# The zero of a struct in JSON; what is not here is null, which no stored object has.
_ZEROS = {language.QUANTITY.name: "0", language.INT_OR_STR.name: 0}
_LATER = frozenset((language.TIME.name, language.MICRO_TIME.name))  # Go writes null for none
_EXTENSIBLE = "rbac.authorization.k8s.io"  # names of its objects are parts of a path
# Of what upstream counts the generation. Source: PrepareForCreate in pkg/registry.
_COUNTED = frozenset(
    [
        "priorityclasses",
        "ingressclasses",
        "networkpolicies",
        "ingresses",
        "endpointslices",
        "poddisruptionbudgets",
        "resourceslices",
        "deviceclasses",
        "devicetaintrules",
        "flowschemas",
        "prioritylevelconfigurations",
        "daemonsets",
        "statefulsets",
        "deployments",
        "replicasets",
        "jobs",
        "cronjobs",
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "customresourcedefinitions",
    ]
)


# Source: AddFieldLabelConversionFunc in pkg/apis.
_SELECTABLE: Mapping[str, tuple[str, ...]] = {
    "replicationcontrollers": ("status.replicas",),
    "certificatesigningrequests": ("spec.signerName",),
}


# -- resources ------------------------------------------------------------------------
@cache
def resources() -> Mapping[Resource, Obj]:
    """What upstream serves by default, and the row of the table about each."""
    rows: list[Obj] = orjson.loads(
        files("mizzen.kinds.tables").joinpath("resources.json").read_bytes()
    )
    return {_resource(row): row for row in rows}


def resource_named(group: str, plural: str, version: str = "v1") -> Resource:
    """Upstream's resource of this name, for kinds that no component addresses. Errors: KeyError."""
    for resource in resources():
        if (resource.group, resource.version, resource.plural) == (group, version, plural):
            return resource
    raise KeyError(f"{plural}.{group}/{version}")


def _resource(row: Obj) -> Resource:
    return Resource(
        row["group"], row["version"], row["plural"], row["kind"], namespaced=row["namespaced"]
    )


def upstream_kind(
    resource: Resource, description: str = "", /, *, fields: Mapping[str, Schema] | None = None,
    **more: Any,
) -> Kind:  # fmt: skip
    """The Kind of a resource that upstream has: `more` are parameters of Kind, and win.

    `fields` stand in place of the table's of the object itself, e.g. a `spec` that says more. Of
    the subresources only `status` is served unless `more` says otherwise.
    Errors: KeyError for what upstream does not serve.
    """
    row = resources()[resource]
    below = {each["name"] for each in row.get("subresources", ())}
    facts: dict[str, Any] = {
        "short_names": tuple(row.get("short_names", ())),
        "categories": tuple(row.get("categories", ())),
        "singular": row["singular"],
        "verbs": tuple(row["verbs"]),
        "columns": (NAME, AGE),
        "selectable_fields": _SELECTABLE.get(resource.plural, ()),
        "subresources": (STATUS_SUBRESOURCE,) if "status" in below else (),
        "generation": resource.plural in _COUNTED,
    }
    if resource.group == _EXTENSIBLE:
        facts["name_rule"] = path_segment
    name = row["type"]

    def make() -> Mapping[str, Schema]:
        found = {**upstream_type(name).fields, **(fields or {})}
        return {**root(resource, "", name).fields, **_without_identity(found)}

    schema = Schema("object", name=name, description=description, fields=LazyFields(make))
    return Kind(resource=resource, schema=schema, **{**facts, **more})


def _without_identity(fields: Mapping[str, Schema]) -> Mapping[str, Schema]:
    return {
        name: field
        for name, field in fields.items()
        if name not in ("apiVersion", "kind", "metadata")
    }


# -- types ----------------------------------------------------------------------------
def upstream_type(name: str) -> Schema:
    """The schema of one of upstream's types by the name of its OpenAPI definition.

    Its fields are made when they are first asked for. Errors: KeyError for what no table has.
    """
    return written(name) or _VALUES.get(name) or _type(name)


@cache
def _type(name: str) -> Schema:
    facts = table_of(name)
    package = name.rpartition(".")[0]
    if "fields" not in facts:
        return replace(_of(facts["type"], package), name=name, cache={})

    def make() -> Mapping[str, Schema]:
        return {field: _field(said, package) for field, said in facts["fields"].items()}

    return Schema("object", name=name, fields=LazyFields(make), map_type=facts.get("map", ""))


def _of(expression: str, package: str) -> Schema:
    """The schema of a type expression: string, []Container, {}io.k8s....Quantity."""
    if expression.startswith("[]"):
        return array(_of(expression[2:], package))
    if expression.startswith("{}"):
        return mapping(_of(expression[2:], package))
    found = _SCALARS.get(expression)
    return found if found is not None else upstream_type(_whole(expression, package))


def _whole(expression: str, package: str) -> str:
    return expression if "." in expression else f"{package}.{expression}"


def _field(facts: Obj, package: str) -> Schema:
    schema = _of(facts["type"], package)
    changes = dict(_changes(facts, schema))
    return schema(**changes) if changes else schema


def _changes(facts: Obj, schema: Schema) -> Iterator[tuple[str, Any]]:
    default = facts.get("default")
    if default == {} and schema.type != "object":
        default = _ZEROS.get(schema.name)
    if default is not None:
        yield "default", default
    if facts.get("required"):
        holds_others = schema.type == "array" or schema.values is not None
        yield "expected" if holds_others or schema.name in _LATER else "required", True
    if "list" in facts:
        yield "list_type", facts["list"]
    if "keys" in facts:
        yield "list_keys", tuple(facts["keys"])
    if "map" in facts:
        yield "map_type", facts["map"]
    strategy = facts.get("strategy", "")
    if "merge" in strategy:
        yield "merge", True
    if "retainKeys" in strategy:
        yield "retain_keys", True
    if "merge_key" in facts:
        yield "merge_key", facts["merge_key"]
