"""The kinds being served right now: the built-in ones and those of CustomResourceDefinitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mizzen.apiserver.core.refusals import qualified
from mizzen.kinds.kind import Kind

Place = tuple[str, str]  # group, plural


class Served:
    """A kind with what every request needs, worked out once."""

    __slots__ = ("key", "kind", "resource")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.resource = kind.resource
        self.key = qualified(kind.resource)


class Catalog:
    """Finds kinds. `generation` counts changes, so that discovery can be cached."""

    def __init__(self, builtin: Mapping[Place, Kind]) -> None:
        self.generation = 0
        self._builtin = {place: Served(kind) for place, kind in builtin.items()}
        self._dynamic: dict[Place, Served] = {}

    def find(self, group: str, version: str, plural: str) -> Served | None:
        served = self.by_place((group, plural))
        return served if served and served.resource.version == version else None

    def by_place(self, place: Place) -> Served | None:
        return self._builtin.get(place) or self._dynamic.get(place)

    def by_key(self, key: str) -> Served | None:
        """By the store's name of the resource, e.g. `jobs.batch`."""
        plural, _, group = key.partition(".")
        return self.by_place((group, plural))

    def by_kind(self, api_version: str, kind: str) -> Served | None:
        """By what ownerReferences say; any version of the group will do."""
        group = api_version.partition("/")[0] if "/" in api_version else ""
        for served in self.all():
            if served.resource.group == group and served.resource.kind == kind:
                return served
        return None

    def all(self) -> Iterable[Served]:
        yield from self._builtin.values()
        yield from self._dynamic.values()

    def is_builtin(self, place: Place) -> bool:
        return place in self._builtin

    def add(self, kind: Kind) -> None:
        """Serves a kind from now on, in place of an earlier form of it."""
        place = (kind.resource.group, kind.resource.plural)
        assert place not in self._builtin, "built-in kinds stay"
        self._dynamic[place] = Served(kind)
        self.generation += 1

    def remove(self, place: Place) -> None:
        if self._dynamic.pop(place, None) is not None:
            self.generation += 1
