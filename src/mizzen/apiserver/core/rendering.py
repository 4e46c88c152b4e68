"""Objects in the form a client asked for: as they are, as rows of a Table, metadata only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from mizzen.apiserver.core.negotiate import Form
from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.kinds.kind import Kind

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


def include_of(params: Mapping[str, str]) -> str:
    """The part of each object that its row carries. Errors: BadRequest."""
    include = params.get("includeObject", "")
    if include not in _INCLUDE:
        raise BadRequest(f"includeObject={include} is unknown: use None, Metadata or Object")
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


def many(
    kind: Kind, items: Sequence[bytes], meta: Obj, form: Form, include: str, now_ns: int
) -> bytes:
    """A list; plain ones are joined from the stored bytes without parsing."""
    if not form.shape:
        head = orjson.dumps(
            {
                "kind": f"{kind.resource.kind}List",
                "apiVersion": kind.resource.api_version,
                "metadata": meta,
            }
        )
        return b"".join((head[:-1], b',"items":[', b",".join(items), b"]}"))
    objects = [orjson.loads(data) for data in items]
    if form.shape == "Table":
        return orjson.dumps(table(kind, objects, meta, form, include, now_ns))
    return orjson.dumps(
        {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{form.version}",
            "metadata": meta,
            "items": [partial(obj, form.version) for obj in objects],
        }
    )
