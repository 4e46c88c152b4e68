"""The kinds that are built in: whatever the modules below this package define as KIND or KINDS.

What upstream serves by default and no module defines is there too, as its tables have it: stored and
checked by its schema, acted upon by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import cache
from typing import NamedTuple

from mizzen.base.registry import collect
from mizzen.base.resources import Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.upstream import resources, upstream_kind

Place = tuple[str, str]  # group, plural


class _Kinds(NamedTuple):
    stored: Mapping[Place, Kind]
    virtual: Mapping[Place, Kind]
    converted: Sequence[Kind]


def builtin_kinds() -> Mapping[Place, Kind]:
    """The stored built-in kinds, in module name order."""
    return _kinds().stored


def virtual_kinds() -> Mapping[Place, Kind]:
    """The kinds that are answered and not stored, such as Plan."""
    return _kinds().virtual


def converted_kinds() -> Sequence[Kind]:
    """The versions that are served of objects which are stored in another, such as the events of
    events.k8s.io."""
    return _kinds().converted


@cache
def _kinds() -> _Kinds:
    stored: dict[Place, Kind] = {}
    virtual: dict[Place, Kind] = {}
    converted: list[Kind] = []
    for kind in _found():
        if kind.conversion is not None:
            converted.append(kind)
            continue
        place = (kind.resource.group, kind.resource.plural)
        assert place not in stored and place not in virtual, f"two kinds are called {place}"
        (stored if kind.is_stored else virtual)[place] = kind
    for kind in _bare(stored.keys() | virtual.keys(), {kind.resource for kind in converted}):
        stored[kind.resource.group, kind.resource.plural] = kind
    return _Kinds(stored, virtual, converted)


def _bare(taken: Set[Place], converted: Set[Resource]) -> Iterable[Kind]:
    """Upstream's kinds that no module defines, in the newest of their versions."""
    for resource, row in resources().items():
        place = (resource.group, resource.plural)
        if "update" in row["verbs"] and place not in taken and resource not in converted:
            yield upstream_kind(resource, is_acted_upon=False)


def _found() -> Iterable[Kind]:
    yield from (kind for _, kind in collect("mizzen.kinds", "KIND"))
    for _, several in collect("mizzen.kinds", "KINDS"):
        yield from several
