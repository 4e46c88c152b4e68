"""Applied configurations: from the body of an apply patch to an object that names known fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import orjson
import yaml

from mizzen.base.errors import ApiError, BadRequest, TooLarge
from mizzen.base.objects import Obj
from mizzen.kinds import strict
from mizzen.kinds.decoding import decode
from mizzen.kinds.kind import Kind
from mizzen.kinds.managed_fields.walking import misnamed
from mizzen.kinds.report import Unknown
from mizzen.kinds.schema import Schema, partial

YAML_BYTES_MAX = 1 << 20  # a second or so to parse; JSON may have what a body may
DUPLICATES_MAX = 20  # that are told
VALUES_MAX = 200_000  # after aliases are followed: a few lines can mean millions


class _Loader(yaml.CSafeLoader):
    """YAML without moments: `2026-01-02` is the text that it is, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def configuration(body: bytes) -> tuple[Obj, tuple[str, ...]]:
    """The object in the body of an apply patch, JSON or YAML, and the fields that it repeats.

    Errors: BadRequest, TooLarge.
    """
    try:
        found, duplicates = orjson.loads(body), tuple(strict.duplicate_fields(body))
    except ValueError:
        found, duplicates = _from_yaml(body)
    if not isinstance(found, dict):
        raise BadRequest("error decoding YAML: the configuration must be an object")
    return cast("Obj", found), duplicates


def _from_yaml(body: bytes) -> tuple[Any, tuple[str, ...]]:
    if len(body) > YAML_BYTES_MAX:
        raise TooLarge(
            f"a configuration in YAML may have at most {YAML_BYTES_MAX} bytes, this one has "
            f"{len(body)}: send it as JSON"
        )
    loader: Any = _Loader(body)
    duplicates: list[str] = []
    try:
        node = loader.get_single_node()
        _find_duplicates(node, duplicates, [VALUES_MAX])
        found = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadRequest(f"error decoding YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()
    left = [VALUES_MAX]
    try:
        return _as_json(found, left), tuple(duplicates)
    except RecursionError as error:
        raise BadRequest("error decoding YAML: it is nested too deeply") from error


def _find_duplicates(node: Any, found: list[str], left: list[int]) -> None:
    """Adds the keys that a mapping repeats, as upstream's parser tells them. Errors: BadRequest."""
    left[0] -= 1
    if left[0] < 0:
        raise BadRequest(f"error decoding YAML: it has more than {VALUES_MAX} values")
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _find_duplicates(child, found, left)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            if name in seen and len(found) < DUPLICATES_MAX:
                found.append(f'line {key.start_mark.line + 1}: key "{name}" already set in map')
            seen.add(name)
            _find_duplicates(child, found, left)


def _as_json(value: Any, left: list[int]) -> Any:
    """A copy of its own of what YAML means, with text as keys. Errors: BadRequest."""
    left[0] -= 1
    if left[0] < 0:
        raise BadRequest(f"error decoding YAML: it has more than {VALUES_MAX} values")
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {_key(key): _as_json(child, left) for key, child in items}
    if isinstance(value, list):
        return [_as_json(child, left) for child in cast("list[Any]", value)]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise BadRequest(f"error decoding YAML: {type(value).__name__} is no value of JSON")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise BadRequest(f"error decoding YAML: {type(key).__name__} is no name of a field")


class Untyped(ApiError):
    """A configuration that does not fit its type. Source: upstream has no reason for it."""

    code, reason = 500, ""


def check(kind: Kind, config: Obj, level: str, duplicates: Sequence[str]) -> None:
    """Errors: Untyped for unknown fields and values of wrong types, BadRequest for repeated ones.

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
        raise Untyped(f"failed to create typed patch object ({what}): {listed}")


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
