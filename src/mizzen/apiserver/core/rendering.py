"""Objects in the form a client asked for: as they are, as rows of a Table, metadata only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from mizzen.apiserver.core.negotiate import Form
from mizzen.base.errors import BadRequest
from mizzen.base.go_text import quoted
from mizzen.base.objects import Obj
from mizzen.kinds.kind import Kind

CLOSING = b"]}"
_INCLUDE = ("", "Metadata", "Object", "None")


def column_definitions(kind: Kind) -> list[Obj]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description or column.name,
            "priority": column.priority,
        }
        for column in kind.columns
    ]


def row(kind: Kind, obj: Obj, form: Form, include: str, now_ns: int) -> Obj:
    made: Obj = {"cells": [column.cell(obj, now_ns) for column in kind.columns]}
    if include == "Object":
        made["object"] = obj
    elif include != "None":
        made["object"] = partial(obj, form.version)
    return made


def partial(obj: Obj, version: str) -> Obj:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj["metadata"],
    }


def include_of(params: Mapping[str, str], form: Form) -> str:
    """The part of each object that its row carries, where there are rows. Errors: BadRequest."""
    include = params.get("includeObject", "") if form.shape == "Table" else ""
    if include not in _INCLUDE:
        words = "must be 'Metadata', 'Object', 'None', or empty"
        raise BadRequest(
            f"Unable to convert to Table as requested: includeObject: Invalid value: "
            f"{quoted(include)}: {words}"
        )
    return include


def table(
    kind: Kind, objects: Sequence[Obj], meta: Obj, form: Form, include: str, now_ns: int
) -> Obj:
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{form.version}",
        "metadata": meta,
        "columnDefinitions": column_definitions(kind),
        "rows": [row(kind, obj, form, include, now_ns) for obj in objects],
    }


def one(kind: Kind, data: bytes, form: Form, include: str, now_ns: int) -> bytes:
    """One object; `data` is its JSON."""
    if not form.shape:
        return data
    obj = orjson.loads(data)
    if form.shape == "Table":
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return orjson.dumps(table(kind, [obj], meta, form, include, now_ns))
    return orjson.dumps(partial(obj, form.version))


def opening(kind: Kind, meta: Obj, form: Form) -> bytes:
    """A list up to its first item; `CLOSING` comes after the last."""
    head: Obj = {
        "kind": f"{kind.resource.kind}List",
        "apiVersion": kind.resource.api_version,
        "metadata": meta,
    }
    if form.shape == "Table":
        head |= {"kind": "Table", "apiVersion": f"meta.k8s.io/{form.version}"}
        head["columnDefinitions"] = column_definitions(kind)
    elif form.shape:
        head |= {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{form.version}"}
    name = b"rows" if form.shape == "Table" else b"items"
    return b'%s,"%s":[' % (orjson.dumps(head)[:-1], name)


def item(kind: Kind, data: bytes, form: Form, include: str, now_ns: int) -> bytes:
    """One item of a list; `data` is the object's JSON."""
    if not form.shape:
        return data
    obj = orjson.loads(data)
    if form.shape == "Table":
        return orjson.dumps(row(kind, obj, form, include, now_ns))
    return orjson.dumps(partial(obj, form.version))
