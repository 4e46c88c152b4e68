"""The kinds that are built in: whatever the modules below this package define as KIND or KINDS.

What upstream serves by default and no module defines is there too, as its tables have it: stored and
checked by its schema, acted upon by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from functools import cache

from mizzen.base.registry import collect
from mizzen.base.resources import Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.upstream import resources, upstream_kind

Place = tuple[str, str]  # group, plural
# Second versions of stored objects, which need to be converted.
NOT_ALONE = frozenset(
    (
        Resource("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
        Resource("events.k8s.io", "v1", "events", "Event"),
    )
)


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
    for kind in _bare(stored.keys() | virtual.keys()):
        stored[kind.resource.group, kind.resource.plural] = kind
    return stored, virtual


def _bare(taken: Set[Place]) -> Iterable[Kind]:
    """Upstream's kinds that no module defines, in the newest of their versions."""
    for resource, row in resources().items():
        place = (resource.group, resource.plural)
        if "update" in row["verbs"] and place not in taken and resource not in NOT_ALONE:
            yield upstream_kind(resource, is_acted_upon=False)


def _found() -> Iterable[Kind]:
    yield from (kind for _, kind in collect("mizzen.kinds", "KIND"))
    for _, several in collect("mizzen.kinds", "KINDS"):
        yield from several
