"""Applied configurations: from the body of an apply patch to an object that names known fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import orjson

from mizzen.base.errors import BadRequest, Unclassified
from mizzen.base.objects import Obj
from mizzen.kinds import strict
from mizzen.kinds.decoding import decode
from mizzen.kinds.kind import Kind
from mizzen.kinds.managed_fields.walking import misnamed
from mizzen.kinds.report import Unknown
from mizzen.kinds.schema import Schema, partial


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


def check(kind: Kind, config: Obj, level: str, duplicates: Sequence[str]) -> None:
    """Errors: Unclassified for unknown fields and values of wrong types, BadRequest for repeated ones.

    Unknown fields are refused at any level, since nobody could own them.
    """
    if duplicates and level == "Strict":
        raise BadRequest(f"error strict decoding YAML: {'; '.join(duplicates)}")
    problems = type_problems(kind, config)
    if problems:
        metadata = config["metadata"]
        resource = kind.resource
        what = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}; "
        what += f"{resource.group}/{resource.version}, Kind={resource.kind}"
        listed = problems[0] if len(problems) == 1 else "errors:\n  " + "\n  ".join(problems)
        raise Unclassified(f"failed to create typed patch object ({what}): {listed}")


def type_problems(kind: Kind, config: Obj) -> list[str]:
    """Fields that the kind does not have, and values of other types than theirs."""
    found = decode(_partial(kind.schema), config)
    problems = [_undeclared(each) for each in found.unknown]
    problems += [
        f".{each.field}: {_mistyped(each.message)}"
        for each in found.causes
        if each.reason == "FieldValueTypeInvalid"
    ]
    return problems + misnamed(kind.schema, config)


def _undeclared(field: Unknown) -> str:
    return f".{field.path}: field not declared in schema"


_MISTYPED = re.compile(r"Invalid value: (.*): must be of type (\w+), not", re.DOTALL)
_NAMES = {
    "object": "map",
    "array": "list",
    "integer": "numeric (int or float)",
    "number": "numeric",
}


def _mistyped(message: str) -> str:
    """A value of a wrong type in the words of structured-merge-diff."""
    found = _MISTYPED.match(message)
    if found is None:
        return message
    return f"expected {_NAMES.get(found[2], found[2])}, got &{{{found[1]}}}"


def _partial(schema: Schema) -> Schema:
    found = schema.cache.get("partial")
    if found is None:
        found = schema.cache["partial"] = partial(schema)
    return cast("Schema", found)
