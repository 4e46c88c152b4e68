"""Applied configurations: from the body of an apply patch to an object that names known fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import orjson

from mizzen.apiserver.core.bodies import text
from mizzen.base.errors import BadRequest, Unclassified
from mizzen.base.go_text import json_kind
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds import strict
from mizzen.kinds.managed_fields.misfits import misfits
from mizzen.kinds.schema import Schema


def configuration(body: bytes) -> tuple[Obj, tuple[str, ...]]:
    """The object in the body of an apply patch, which is YAML, and the fields that it repeats.

    Errors: BadRequest, TooLarge.
    """
    try:
        found = orjson.loads(body)
        if _READ_OTHERWISE.search(body) is None and not strict.duplicate_fields(body, found):
            return _as_object(found), ()
    except ValueError:
        pass
    from mizzen.apiserver.core import yaml_bodies  # slow to import, and seldom needed

    try:
        found, duplicates = yaml_bodies.parse(body)
    except yaml_bodies.NoYaml as error:
        raise _undecodable(f"error converting YAML to JSON: {error.problem}") from error
    return _as_object(found), duplicates


# What JSON and YAML read in different ways: halves of surrogate pairs, characters that control, and
# numbers that are no integers.
_READ_OTHERWISE = re.compile(
    rb"\\u[dD][89a-fA-F]|\x7f|\xc2[\x80-\x9f]|\xef\xbf[\xbe\xbf]|[:,\[]\s*-?[0-9]+[.eE]"
)


def _as_object(value: Any) -> Obj:
    """Errors: BadRequest."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return cast("Obj", value)
    raise _undecodable(
        f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {json_kind(value)} "
        "into Go value of type map[string]interface {}"
    )


def _undecodable(problem: str) -> BadRequest:
    return BadRequest(f"error decoding YAML: {problem}")


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
        called = "/".join(text(head, name) for name in ("namespace", "name"))
        kind = f"{resource.group}/{resource.version}, Kind={resource.kind}"
        listed = problems[0] if len(problems) == 1 else "errors:\n  " + "\n  ".join(problems)
        raise Unclassified(f"failed to create typed patch object ({called}; {kind}): {listed}")


def repeated(level: str, duplicates: Sequence[str]) -> list[str]:
    """The warnings of repeated fields. Errors: BadRequest where the validation is strict."""
    if not duplicates or level == "Ignore":
        return []
    if level == "Strict":
        problem = f"error converting YAML to JSON: {strict.yaml_problem(duplicates)}"
        raise BadRequest(f"error strict decoding YAML: {problem}")
    return list(duplicates)


def _check_type(resource: Resource, config: Obj) -> None:
    group, _, version = text(config, "apiVersion").rpartition("/")
    kind = text(config, "kind")
    if "/" in group:
        group = version = kind = ""  # nothing that a type could have
    if (group, version, kind) != (resource.group, resource.version, resource.kind):
        raise BadRequest(f"invalid object type: {group}/{version}, Kind={kind}")


def _are_entries(managed: Any) -> bool:
    """True if these are managed fields, as far as anybody could read them."""
    if not isinstance(managed, list):
        return False
    return all(isinstance(each, dict) for each in cast("list[Any]", managed))
