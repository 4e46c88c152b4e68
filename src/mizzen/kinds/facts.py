"""The tables' facts about upstream's types, read when a type is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import orjson

from mizzen.base.objects import Obj

_SCALARS = frozenset(("string", "boolean", "int32", "int64", "double", "byte"))

# Their rules ask what is there, empty or not: members of unions, lists of policies.
_ASKED_FOR = ("io.k8s.api.resource.", "io.k8s.api.autoscaling.")


def table_of(name: str) -> Obj:
    """The table's facts about a type. Errors: KeyError."""
    package, _, word = name.rpartition(".")
    return _package(package)[word]


@cache
def _package(package: str) -> Mapping[str, Obj]:
    name = ".".join(package.split(".")[-2:])
    path = files("mizzen.kinds.tables").joinpath(f"{name}.json")
    if not path.is_file():
        raise KeyError(package)
    found = orjson.loads(path.read_bytes())
    if found["package"] != package:  # a user's type may have such a name
        raise KeyError(package)
    return found["types"]


@cache
def omitted_zeros(name: str) -> frozenset[str]:
    """The fields of a type that upstream does not write where they hold nothing: Go's omitempty."""
    if not name.startswith("io.k8s.") or name.startswith(_ASKED_FOR):
        return frozenset()
    try:
        fields = table_of(name).get("fields", {})
    except KeyError:
        return frozenset()
    omitted = (field for field, facts in fields.items() if _is_omitted(facts))
    return frozenset(omitted) - _WISHES.get(name, {"managedFields"})


# Whose emptiness is a wish, or a change of what may not change.
_WISHES: Mapping[str, set[str]] = {
    "io.k8s.api.core.v1.ConfigMap": {"data", "binaryData"},
    "io.k8s.api.core.v1.Secret": {"data"},
}


@cache
def zeros(name: str) -> frozenset[str]:
    """The fields of a type that hold their zero where a body has none; all others are null there.
    Of structs the tables say it by a default."""
    try:
        fields = table_of(name).get("fields", {})
    except KeyError:
        return frozenset()
    return frozenset(field for field, facts in fields.items() if _has_zero(facts))


def _has_zero(facts: Obj) -> bool:
    kind: str = facts["type"]
    is_plain = kind in _SCALARS or kind.startswith(("[]", "{}"))
    return "pointer" not in facts if is_plain else facts.get("default") == {}


def _is_omitted(facts: Obj) -> bool:
    if any(name in facts for name in ("required", "pointer", "default", "written")):
        return False
    kind: str = facts["type"]
    return kind in _SCALARS or kind.startswith(("[]", "{}"))
