"""Applied configurations: from the body of an apply patch to an object that names known fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import orjson

from mizzen.base.errors import BadRequest, Unclassified
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds import strict
from mizzen.kinds.managed_fields.misfits import misfits
from mizzen.kinds.schema import Schema


def configuration(body: bytes) -> tuple[Obj, tuple[str, ...]]:
    """The object in the body of an apply patch, JSON or YAML, and the fields that it repeats.

    Errors: BadRequest, TooLarge.
    """
    try:
        found = orjson.loads(body)
        duplicates = tuple(strict.duplicate_fields(body, found))
    except ValueError:
        from mizzen.apiserver.core import yaml_bodies  # slow to import, and seldom needed

        found, duplicates = yaml_bodies.parse(body)
    if not isinstance(found, dict):
        raise BadRequest("error decoding YAML: the configuration must be an object")
    return cast("Obj", found), duplicates


def check(resource: Resource, schema: Schema, config: Obj) -> None:
    """That a configuration is one of this resource, and of its fields.

    Unknown fields are refused at any level of validation, since nobody could own them.
    Errors: BadRequest of another type; Unclassified for unknown fields and values of wrong types.
    """
    _check_type(resource, config)
    metadata = config.get("metadata")
    head = cast("Obj", metadata) if isinstance(metadata, dict) else {}
    if _are_entries(head.get("managedFields")):
        raise BadRequest("metadata.managedFields must be nil")
    problems = misfits(schema, config)
    if problems:
        called = "/".join(_text(head.get(name)) for name in ("namespace", "name"))
        kind = f"{resource.group}/{resource.version}, Kind={resource.kind}"
        listed = problems[0] if len(problems) == 1 else "errors:\n  " + "\n  ".join(problems)
        raise Unclassified(f"failed to create typed patch object ({called}; {kind}): {listed}")


def repeated(level: str, duplicates: Sequence[str]) -> list[str]:
    """The warnings of repeated fields. Errors: BadRequest where the validation is strict."""
    if not duplicates or level == "Ignore":
        return []
    problem = "; ".join(duplicates)
    if level == "Strict":
        raise BadRequest(f"error strict decoding YAML: {problem}")
    return [problem]


def _check_type(resource: Resource, config: Obj) -> None:
    group, _, version = _text(config.get("apiVersion")).rpartition("/")
    kind = _text(config.get("kind"))
    if "/" in group:
        group = version = kind = ""  # nothing that a type could have
    if (group, version, kind) != (resource.group, resource.version, resource.kind):
        raise BadRequest(f"invalid object type: {group}/{version}, Kind={kind}")


def _are_entries(managed: Any) -> bool:
    """True if these are managed fields, as far as anybody could read them."""
    if not isinstance(managed, list):
        return False
    return all(isinstance(each, dict) for each in cast("list[Any]", managed))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
