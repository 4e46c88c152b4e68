"""OpenAPI v3 documents, one for each group and version, from the same schemas that validate.

What reads them: `kubectl explain`, and `kubectl apply`, which finds merge keys in the schemas and
asks the PATCH operations whether they take `fieldValidation` and `dryRun`.

Source: OpenAPI 3.0.0; Kubernetes `api/openapi-spec/v3`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.meta import COMMON, DELETE_OPTIONS, LIST_META, OBJECT_META, STATUS
from mizzen.kinds.schema import STR, Schema, array

_JSON = "application/json"
_PATCH_NAME = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
_LIST_QUERY = (
    ("labelSelector", "string"), ("fieldSelector", "string"), ("limit", "integer"),
    ("continue", "string"), ("resourceVersion", "string"), ("resourceVersionMatch", "string"),
    ("watch", "boolean"), ("allowWatchBookmarks", "boolean"), ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
)  # fmt: skip
_WRITE_QUERY = (("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"))
_DELETE_QUERY = (
    ("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string"),
)  # fmt: skip


def document(group: str, version: str, kinds: Iterable[Kind]) -> Obj:
    """The OpenAPI document of one group-version; `kinds` are those it serves, virtual or not."""
    schemas: dict[str, Obj] = {}
    paths: Obj = {}
    for schema in COMMON:
        _reference(schema, schemas)
    for kind in kinds:
        _add_kind(kind, schemas, paths)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0+mizzen"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"BearerToken": {"type": "http", "scheme": "bearer"}},
        },
    }


# -- schemas --------------------------------------------------------------------------
def _reference(schema: Schema, schemas: dict[str, Obj]) -> Obj:
    """A `$ref` to a named schema, which is added to `schemas` when it is new."""
    if schema.name not in schemas:
        schemas[schema.name] = {}  # marks it, so that recursion ends
        schemas[schema.name] = _body(schema.base().resolve(), schemas)
    return {"$ref": f"#/components/schemas/{schema.name}"}


def _node(schema: Schema, schemas: dict[str, Obj]) -> Obj:
    """A schema as a property or an item."""
    if not schema.name:
        return _body(schema, schemas)
    reference = _reference(schema, schemas)
    more: Obj = {}
    if schema.description:  # also where the type says the same: kubectl explain looks here alone
        more["description"] = schema.description
    if schema.default is not None:
        more["default"] = schema.default
    return {"allOf": [reference], **more} if more else reference


def _body(schema: Schema, schemas: dict[str, Obj]) -> Obj:
    result: Obj = {"description": schema.description} if schema.description else {}
    result.update(_type(schema))
    if schema.enum:
        result["enum"] = list(schema.enum)
    if schema.default is not None:
        result["default"] = schema.default
    for word, value in (
        ("minimum", schema.minimum), ("maximum", schema.maximum),
        ("minLength", schema.min_length), ("maxLength", schema.max_length),
        ("minItems", schema.min_items), ("maxItems", schema.max_items),
        ("pattern", schema.pattern or None), ("nullable", schema.nullable or None),
    ):  # fmt: skip
        if value is not None:
            result[word] = value
    if schema.type == "object":
        _add_fields(schema, result, schemas)
    if schema.type == "array" and schema.items is not None:
        result["items"] = _node(schema.items, schemas)
        result.update(_list_extensions(schema))
    if schema.open:
        result["x-kubernetes-preserve-unknown-fields"] = True
    if schema.map_type:
        result["x-kubernetes-map-type"] = schema.map_type
    if schema.embedded:
        result["x-kubernetes-embedded-resource"] = True
    return result


def _type(schema: Schema) -> Obj:
    if schema.type == "any":
        return {"x-kubernetes-preserve-unknown-fields": True}
    if schema.type == "int-or-string":
        if schema.name:
            return {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
        return {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
        }
    if schema.format == "quantity":
        return {"oneOf": [{"type": "string"}, {"type": "number"}]}
    result: Obj = {"type": schema.type}
    if schema.format:
        result["format"] = "date-time" if schema.format == "micro-time" else schema.format
    return result


def _add_fields(schema: Schema, result: Obj, schemas: dict[str, Obj]) -> None:
    if schema.fields:
        result["properties"] = {k: _node(v, schemas) for k, v in schema.fields.items()}
        needed = [name for name, each in schema.fields.items() if each.required or each.expected]
        if needed:
            result["required"] = needed
    if schema.values is not None:
        result["additionalProperties"] = _node(schema.values, schemas)


def _list_extensions(schema: Schema) -> Obj:
    result: Obj = {}
    if schema.list_type:
        result["x-kubernetes-list-type"] = schema.list_type
        if schema.list_keys:
            result["x-kubernetes-list-map-keys"] = list(schema.list_keys)
    elif schema.list_keys:
        result["x-kubernetes-list-type"] = "map"
        result["x-kubernetes-list-map-keys"] = list(schema.list_keys)
    elif schema.merge or schema.unique:
        result["x-kubernetes-list-type"] = "set"
    else:
        result["x-kubernetes-list-type"] = "atomic"
    if schema.merge:
        result["x-kubernetes-patch-strategy"] = (
            "merge,retainKeys" if schema.retain_keys else "merge"
        )
        if schema.merge_key:
            result["x-kubernetes-patch-merge-key"] = schema.merge_key
    return result


# -- paths ----------------------------------------------------------------------------
def _gvk(resource: Resource, kind: str = "") -> Obj:
    return {"group": resource.group, "version": resource.version, "kind": kind or resource.kind}


def definition_name(resource: Resource) -> str:
    """The definition's name of a kind that has none: `dev.mizzen.v1alpha1.ModelEndpoint`."""
    reversed_group = ".".join(reversed(resource.group.split("."))) or "io.k8s.api.core"
    return f"{reversed_group}.{resource.version}.{resource.kind}"


def _add_kind(kind: Kind, schemas: dict[str, Obj], paths: Obj) -> None:
    resource = kind.resource
    schema = _root(kind.schema, resource)
    if kind.written is not None:
        schemas[schema.name] = _as_written(kind.written, schemas)
    reference = _reference(schema, schemas)
    schemas[schema.name]["x-kubernetes-group-version-kind"] = [_gvk(resource)]
    if not kind.is_stored:
        place = resource.path("{namespace}")
        paths[place] = {
            "post": _operation(resource, "post", reference, _WRITE_QUERY, body=reference)
        }
        return
    list_name = f"{schema.name}List"
    listing = Schema(
        "object",
        name=list_name,
        description=f"{resource.kind}List is a list of {resource.kind}.",
        fields={
            "apiVersion": STR("API version of the list."),
            "kind": STR("Kind of the list."),
            "metadata": LIST_META("The moment the list shows."),
            "items": array(schema)("The objects.", required=True),
        },
    )
    list_reference = _reference(listing, schemas)
    schemas[list_name]["x-kubernetes-group-version-kind"] = [_gvk(resource, f"{resource.kind}List")]
    place = resource.prefix
    if resource.namespaced:
        paths[f"{place}/{resource.plural}"] = {
            "get": _operation(resource, "list", list_reference, _LIST_QUERY)
        }
        place += "/namespaces/{namespace}"
    collection = f"{place}/{resource.plural}"
    paths[collection] = _collection(kind, reference, list_reference)
    paths[f"{collection}/{{name}}"] = _single(kind, reference)
    for below in kind.subresources:
        if below.shows_object:
            paths[f"{collection}/{{name}}/{below.name}"] = _changes(kind, below.verbs, reference)


def _as_written(written: Obj, schemas: dict[str, Obj]) -> Obj:
    """A custom kind's own schema, with what every object has."""
    own: Obj = {
        "apiVersion": {"type": "string", "description": "APIVersion defines the schema's version."},
        "kind": {"type": "string", "description": "Kind is what the object is: a CamelCase word."},
        "metadata": {
            "description": "Standard object's metadata: its name, labels and history.",
            "allOf": [_reference(OBJECT_META, schemas)],
        },
    }
    result = _with_embedded(written, own)
    return {**result, "properties": {**(result.get("properties") or {}), **own}}


def _with_embedded(written: Obj, own: Obj) -> Obj:
    """The schema with the fields of whole objects within it."""
    result = dict(written)
    for name in ("items", "additionalProperties"):
        if isinstance(written.get(name), dict):
            result[name] = _with_embedded(written[name], own)
    fields = written.get("properties")
    if fields:
        result["properties"] = {n: _with_embedded(c, own) for n, c in fields.items()}
    if written.get("x-kubernetes-embedded-resource"):
        result["properties"] = {**own, **(result.get("properties") or {})}
    return result


def _root(schema: Schema, resource: Resource) -> Schema:
    """The schema as clients should see it: the fixed apiVersion and kind are plain strings."""
    plain = {name: schema.fields[name](enum=(), required=False) for name in ("apiVersion", "kind")}
    return schema(name=schema.name or definition_name(resource), fields={**schema.fields, **plain})


def _collection(kind: Kind, reference: Obj, listing: Obj) -> Obj:
    resource = kind.resource
    result: Obj = {"parameters": _path_parameters(resource, named=False)}
    if "list" in kind.verbs:
        result["get"] = _operation(resource, "list", listing, _LIST_QUERY)
    if "create" in kind.verbs:
        result["post"] = _operation(resource, "post", reference, _WRITE_QUERY, body=reference)
    if "deletecollection" in kind.verbs:
        status = {"$ref": f"#/components/schemas/{STATUS.name}"}
        result["delete"] = _operation(
            resource, "deletecollection", status, (*_LIST_QUERY[:3], *_DELETE_QUERY)
        )
    return result


def _single(kind: Kind, reference: Obj) -> Obj:
    result = _changes(kind, kind.verbs, reference)
    if "delete" in kind.verbs:
        options = {"$ref": f"#/components/schemas/{DELETE_OPTIONS.name}"}
        status = {"$ref": f"#/components/schemas/{STATUS.name}"}
        result["delete"] = _operation(kind.resource, "delete", status, _DELETE_QUERY, body=options)
    return result


def _changes(kind: Kind, verbs: Container[str], reference: Obj) -> Obj:
    """Reading and changing an object in place."""
    resource = kind.resource
    result: Obj = {"parameters": _path_parameters(resource, named=True)}
    result["get"] = _operation(resource, "get", reference)
    if "update" in verbs:
        result["put"] = _operation(resource, "put", reference, _WRITE_QUERY, body=reference)
    if "patch" in verbs:
        patch = _operation(resource, "patch", reference, _WRITE_QUERY)
        content = {"schema": {"$ref": f"#/components/schemas/{_PATCH_NAME}"}}
        # kubectl apply chooses by this.
        patch["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(kind.patch_types, content),
        }
        result["patch"] = patch
    return result


def _operation(
    resource: Resource,
    action: str,
    answer: Obj,
    query: Iterable[tuple[str, str]] = (),
    body: Obj | None = None,
) -> Obj:
    title = f"{action}{resource.group.title().replace('.', '')}{resource.version}{resource.kind}"
    result: Obj = {
        "description": f"{action} {resource.kind}",
        "operationId": title,
        "responses": {"200": {"description": "OK", "content": {_JSON: {"schema": answer}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
    }
    parameters = [_parameter(name, "query", kind) for name, kind in query]
    if parameters:
        result["parameters"] = parameters
    if body is not None:
        result["requestBody"] = {"content": {_JSON: {"schema": body}}}
    return result


def _parameter(name: str, place: str, kind: str = "string") -> dict[str, Any]:
    result: dict[str, Any] = {"name": name, "in": place, "schema": {"type": kind}}
    if place == "path":
        result["required"] = True
    return result


def _path_parameters(resource: Resource, *, named: bool) -> list[Obj]:
    result = [_parameter("name", "path")] if named else []
    if resource.namespaced:
        result.append(_parameter("namespace", "path"))
    return result
