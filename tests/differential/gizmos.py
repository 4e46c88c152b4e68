"""A custom kind whose schema has every type of list and map, within each other."""

from __future__ import annotations

from typing import Any

from differential.draws import Draws

_TEXT = {"type": "string"}
_INTEGER = {"type": "integer"}


def _list(kind: str, items: Any, *keys: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "array", "x-kubernetes-list-type": kind, "items": items}
    return {**made, "x-kubernetes-list-map-keys": list(keys)} if keys else made


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties}
    return {**made, "required": list(required)} if required else made


_CELL = _object(
    "name",
    name=_TEXT,
    weight={"type": "integer", "default": 1},
    marks=_list("set", _INTEGER),
    notes={"type": "object", "additionalProperties": _TEXT},
)
_SPEC = _object(
    rows=_list(
        "map",
        _object(
            "x", x=_INTEGER, y={"type": "integer", "default": 0}, kind=_TEXT,
            cells=_list("map", _CELL, "name"),
        ),
        "x", "y",
    ),
    codes=_list("set", _INTEGER),
    names=_list("set", _TEXT),
    flags=_list("set", {"type": "boolean"}),
    words=_list("atomic", _TEXT),
    grid=_list("atomic", {"type": "array", "items": _INTEGER}),
    options={"type": "object", "additionalProperties": _object(on={"type": "boolean"}, to=_TEXT)},
    sealed={"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": _TEXT},
    box={**_object(a=_TEXT, b=_object(c=_TEXT)), "x-kubernetes-map-type": "granular"},
    shut={**_object(a=_TEXT, b=_object(c=_TEXT)), "x-kubernetes-map-type": "atomic"},
    mixed={"x-kubernetes-int-or-string": True},
    maybe={"type": "string", "nullable": True},
    usual={"type": "string", "default": "u"},
    ratio={"type": "number"},
    count=_INTEGER,
    anything={"x-kubernetes-preserve-unknown-fields": True},
    loose={"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"known": _INTEGER}},
)  # fmt: skip
_STATUS = _object(
    replicas=_INTEGER,
    observedGeneration=_INTEGER,
    conditions=_list("map", _object("type", type=_TEXT, status=_TEXT, reason=_TEXT), "type"),
)
GIZMOS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "gizmos.example.dev"},
    "spec": {
        "group": "example.dev", "scope": "Namespaced",
        "names": {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": _object(spec=_SPEC, status=_STATUS)},
        }],
    },
}  # fmt: skip


def gizmo(draws: Draws) -> dict[str, Any]:
    """The spec of one."""
    return draws.some(
        0.25,
        rows=lambda: [_row(draws, x) for x in draws.few((1, 2, 3), 3)],
        codes=lambda: draws.few((1, 2, 3), 3),
        names=lambda: draws.few("abc", 3),
        flags=lambda: draws.few((True, False), 2),
        words=lambda: draws.few("abc", 3),
        grid=lambda: [draws.few((1, 2), 2) for _ in range(draws.randint(0, 2))],
        options=lambda: {n: draws.some(0.6, on=lambda: draws.is_so(0.5), to=lambda: "x") for n in draws.few("opq", 3)},
        sealed=lambda: {n: draws.choice("12") for n in draws.few("abc", 3)},
        box=lambda: _box(draws),
        shut=lambda: _box(draws),
        mixed=lambda: draws.choice((1, 2, "x")),
        maybe=lambda: draws.choice((None, "m", "n")),
        usual=lambda: draws.choice("uw"),
        ratio=lambda: draws.choice((1, 1.5, 2.0)),
        count=lambda: draws.choice((1, 2, 3.0)),
        anything=lambda: draws.choice((1, "x", [1, {"a": 2}], {"a": {"b": 1}}, {"a": None}, None)),
        loose=lambda: draws.choice(({"known": 1}, {"known": 2, "more": [1]}, {"more": {"x": 1}}, {})),
    )  # fmt: skip


def _box(draws: Draws) -> dict[str, Any]:
    return draws.some(
        0.6, a=lambda: draws.choice("12"), b=lambda: draws.some(0.7, c=lambda: draws.choice("12"))
    )


def _row(draws: Draws, x: int) -> dict[str, Any]:
    return {"x": x, **draws.some(
        0.5, y=lambda: draws.randint(0, 1), kind=lambda: draws.choice("kl"),
        cells=lambda: [
            {"name": n, **draws.some(
                0.4, weight=lambda: draws.randint(1, 2), marks=lambda: draws.few((1, 2, 3), 3),
                notes=lambda: {k: draws.choice("12") for k in draws.few("ab", 2)})}
            for n in draws.few("cde", 3)],
    )}  # fmt: skip
