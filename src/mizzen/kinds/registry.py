"""The kinds that are built in: whatever the modules below this package define as KIND or KINDS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from mizzen.base.registry import collect
from mizzen.kinds.kind import Kind

Place = tuple[str, str]  # group, plural


def builtin_kinds() -> Mapping[Place, Kind]:
    """The stored built-in kinds, in module name order."""
    return _by_place()[0]


def virtual_kinds() -> Mapping[Place, Kind]:
    """The kinds that are answered and not stored, such as Plan."""
    return _by_place()[1]


@cache
def _by_place() -> tuple[Mapping[Place, Kind], Mapping[Place, Kind]]:
    stored: dict[Place, Kind] = {}
    virtual: dict[Place, Kind] = {}
    for kind in _found():
        place = (kind.resource.group, kind.resource.plural)
        assert place not in stored and place not in virtual, f"two kinds are called {place}"
        (stored if kind.is_stored else virtual)[place] = kind
    return stored, virtual


def _found() -> Iterable[Kind]:
    yield from (kind for _, kind in collect("mizzen.kinds", "KIND"))
    for _, several in collect("mizzen.kinds", "KINDS"):
        yield from several
