"""Small parts of API objects that claims and slices share, read into values and written back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra.model import (
    NodeRequirement,
    NodeSelector,
    Taint,
    Toleration,
)


def part(obj: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object under that name, or an empty one. Errors: TypeError when it is something else."""
    found = obj.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TypeError(f"{name}: {found!r} is not an object")
    return cast(dict[str, Any], found)


def items(obj: Mapping[str, Any], name: str) -> list[Any]:
    """The list under that name, or an empty one. Errors: TypeError when it is something else."""
    found = obj.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise TypeError(f"{name}: {found!r} is not a list")
    return cast(list[Any], found)


def objects(obj: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of objects under that name. Errors: TypeError when one is something else."""
    found = items(obj, name)
    for index, entry in enumerate(found):
        if not isinstance(entry, dict):
            raise TypeError(f"{name}[{index}]: {entry!r} is not an object")
    return found


def by_name(obj: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """The objects by name under that name. Errors: TypeError when one is something else."""
    found = part(obj, name)
    return {key: part(found, key) for key in found}


def text(obj: Mapping[str, Any], name: str) -> str:
    """The string under that name, or "". Errors: TypeError when it is something else."""
    found = obj.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise TypeError(f"{name}: {found!r} is not a string")
    return found


def required(obj: Mapping[str, Any], name: str) -> str:
    """The string under that name. Errors: KeyError when it is absent or empty, TypeError."""
    found = text(obj, name)
    if not found:
        raise KeyError(name)
    return found


def name_of(obj: Mapping[str, Any]) -> str:
    """Its `name`. Errors: KeyError when there is none."""
    return required(obj, "name")


def flag(obj: Mapping[str, Any], name: str) -> bool | None:
    """The bool under that name, None when absent. Errors: TypeError when it is something else."""
    found = obj.get(name)
    if found is not None and not isinstance(found, bool):
        raise TypeError(f"{name}: {found!r} is neither true nor false")
    return found


def number(obj: Mapping[str, Any], name: str) -> int:
    """The integer under that name, or 0. Errors: TypeError when it is something else."""
    found = obj.get(name)
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int):
        raise TypeError(f"{name}: {found!r} is not an integer")
    return found


def strings(obj: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = items(obj, name)
    if not all(isinstance(item, str) for item in found):
        raise TypeError(f"{name}: {found!r} is not a list of strings")
    return tuple(found)


# -- node selectors, taints, tolerations ---------------------------------------------------


def read_selector(selector: Mapping[str, Any]) -> NodeSelector:
    """A core/v1 NodeSelector, empty terms and all."""
    return tuple(
        tuple(
            NodeRequirement(text(e, "key"), text(e, "operator"), strings(e, "values"), is_field)
            for name, is_field in (("matchExpressions", False), ("matchFields", True))
            for e in objects(term, name)
        )
        for term in objects(selector, "nodeSelectorTerms")
    )


def selector_object(selector: NodeSelector) -> Obj:
    """The same on the wire."""
    terms: list[Obj] = []
    for requirements in selector:
        term: Obj = {}
        for requirement in requirements:
            entry: Obj = {"key": requirement.key, "operator": requirement.operator}
            if requirement.values:
                entry["values"] = list(requirement.values)
            kind = "matchFields" if requirement.is_field else "matchExpressions"
            term.setdefault(kind, []).append(entry)
        terms.append(term)
    return {"nodeSelectorTerms": terms}


def read_taints(entries: Iterable[Mapping[str, Any]]) -> tuple[Taint, ...]:
    return tuple(Taint(text(e, "key"), text(e, "value"), text(e, "effect")) for e in entries)


def read_tolerations(entries: Iterable[Mapping[str, Any]]) -> tuple[Toleration, ...]:
    return tuple(
        Toleration(
            text(e, "key"),
            text(e, "operator"),
            text(e, "value"),
            text(e, "effect"),
            None if e.get("tolerationSeconds") is None else number(e, "tolerationSeconds"),
        )
        for e in entries
    )


def toleration_object(toleration: Toleration) -> Obj:
    obj: Obj = {
        name: value
        for name, value in (
            ("key", toleration.key),
            ("operator", toleration.operator),
            ("value", toleration.value),
            ("effect", toleration.effect),
        )
        if value
    }
    if toleration.seconds is not None:
        obj["tolerationSeconds"] = toleration.seconds
    return obj
