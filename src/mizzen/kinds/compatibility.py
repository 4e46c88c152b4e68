"""The kinds and fields that minor versions have added, so that an older one can be emulated.

`introduced.json` names for each minor version what it has and the one before had not; it is derived
by `scripts/record_version.py` from the schemas and a recording of the older version's. While an
older version is emulated these kinds are not served and these fields are unknown, so nothing is
stored that it could not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.kinds.kind import Kind
from mizzen.kinds.schema import Schema

TABLE = Path(__file__).with_name("introduced.json")
_ITEMS, _VALUES = "[]", "{}"
Steps = tuple[str, ...]  # to a field; "[]" is every item, "{}" every value


@dataclass(frozen=True, slots=True)
class Introduced:
    """What one minor version added: API versions ("autoscaling/v1") with plurals, and fields of
    kinds that were there."""

    resources: frozenset[tuple[str, str]]  # apiVersion, plural
    fields: Mapping[tuple[str, str], Sequence[Steps]]

    def serves_before(self, kind: Kind) -> bool:
        return (kind.resource.api_version, kind.resource.plural) not in self.resources

    def as_before(self, kind: Kind) -> Kind:
        """The kind as the version before had it: new fields are unknown."""
        new = self.fields.get((kind.resource.api_version, kind.resource.plural), ())
        schema = kind.schema
        for steps in new:
            schema = _without(schema, steps)
        return kind if schema is kind.schema else replace(kind, schema=schema)

    def found_in(self, api_version: str, plural: str, obj: Obj) -> list[str]:
        """What of an object the version before does not know; all of it: [""]."""
        if (api_version, plural) in self.resources:
            return [""]
        new = self.fields.get((api_version, plural), ())
        return [_path(steps) for steps in new if _has(obj, steps)]


@cache
def introduced_in(version: str) -> Introduced:
    """Errors: KeyError for a version that the table does not have."""
    row: dict[str, Any] = json.loads(TABLE.read_text())[version]
    return Introduced(
        frozenset(_split(name) for name in row["resources"]),
        {_split(name): [_steps(p) for p in paths] for name, paths in row["fields"].items()},
    )


def field_paths(schema: Schema) -> Iterator[str]:
    """Every field in dotted form, e.g. `spec.containers[].name`; recursive types end where they
    begin again."""
    yield from _paths(schema, "")


def _paths(schema: Schema, path: str) -> Iterator[str]:
    if schema.target is not None:
        return
    if schema.items is not None:
        yield from _paths(schema.items, path + _ITEMS)
    if schema.values is not None:
        yield from _paths(schema.values, path + _VALUES)
    for name, child in schema.fields.items():
        # A dot within a name (none of upstream's has one) would be two steps.
        own = f"{path}.{name}" if path else name
        yield own
        yield from _paths(child, own)


def _split(name: str) -> tuple[str, str]:
    api_version, _, plural = name.rpartition("/")
    return api_version, plural


def _steps(path: str) -> Steps:
    text = path.replace(_ITEMS, f".{_ITEMS}").replace(_VALUES, f".{_VALUES}")
    return tuple(text.split("."))


def _path(steps: Steps) -> str:
    return ".".join(steps).replace(f".{_ITEMS}", _ITEMS).replace(f".{_VALUES}", _VALUES)


def _without(schema: Schema, steps: Steps) -> Schema:
    """A copy without one field; its parents are copies, too, which share no compiled form."""
    first, rest = steps[0], steps[1:]
    if first == _ITEMS and schema.items is not None:
        return replace(schema, items=_without(schema.items, rest), cache={})
    if first == _VALUES and schema.values is not None:
        return replace(schema, values=_without(schema.values, rest), cache={})
    if first not in schema.fields:
        return schema
    fields = dict(schema.fields)
    if rest:
        fields[first] = _without(fields[first], rest)
    else:
        del fields[first]
    return replace(schema, fields=fields, cache={})


def _has(value: Any, steps: Steps) -> bool:
    if not steps:
        return True
    first, rest = steps[0], steps[1:]
    if first == _ITEMS:
        return isinstance(value, list) and any(
            _has(item, rest) for item in cast("list[Any]", value)
        )
    if not isinstance(value, dict):
        return False
    held = cast("Obj", value)
    if first == _VALUES:
        return any(_has(child, rest) for child in held.values())
    return first in held and _has(held[first], rest)
