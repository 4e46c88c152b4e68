"""The kinds being served right now: the built-in ones and those of CustomResourceDefinitions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from mizzen.apiserver.core.envelope import internal_type
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.reviews import Converter
from mizzen.base.objects import Obj
from mizzen.kinds.custom_versions import CustomVersions
from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import Place
from mizzen.store.store import Stored


class Converted(Stored):
    """An object as a webhook has made it of what is stored: it is shown as it is."""

    __slots__ = ()


class Served:
    """A kind in one version, with what every request needs, worked out once.

    A version of a built-in kind that is converted has another's `key`, and its objects lie there in
    that one's form.

    Versions of a kind share `key`, under which the store keeps their objects. Of a custom kind that
    has several, `versions` says what becomes of an object between them, but for what its `webhook`
    says; `is_only` says that there is no other, `is_builtin` that its schema stays as it is. Objects written up to `complete_after` may lack defaults that the
    schema has by now. `retired` is set once this version is served no longer; a later form of it
    shares the event. `api_versions` are those of all versions that are served.
    """

    __slots__ = (
        "api_versions",
        "complete_after",
        "conversion",
        "is_builtin",
        "is_only",
        "key",
        "kind",
        "resource",
        "retired",
        "versions",
        "webhook",
    )

    def __init__(
        self,
        kind: Kind,
        *,
        is_only: bool = True,
        is_builtin: bool = False,
        complete_after: int = 0,
        versions: CustomVersions | None = None,
        webhook: Converter | None = None,
    ) -> None:
        self.kind = kind
        self.versions = versions
        self.webhook = webhook
        self.resource = kind.resource
        self.conversion = kind.conversion
        stored = kind.resource if kind.conversion is None else kind.conversion.stored
        self.key = qualified(stored)
        self.is_only = is_only and kind.conversion is None
        self.is_builtin = is_builtin
        self.complete_after = complete_after if complete_after and kind.has_defaults else 0
        self.retired = asyncio.Event()
        self.api_versions = frozenset((kind.resource.api_version,))

    @property
    def is_typed(self) -> bool:
        """True if upstream has a Go type for it."""
        return self.is_builtin and self.kind.schema.name.startswith("io.k8s.")

    @property
    def internal_type(self) -> str:
        """The type that upstream reads it as."""
        return internal_type(self.resource) if self.is_builtin else "unstructured.Unstructured"

    @property
    def is_as_stored(self) -> bool:
        """True if all objects are shown as the bytes that are stored."""
        return self.is_only and not self.complete_after

    def view(self, stored: Stored) -> bytes:
        """The JSON in this version. What a webhook must convert first is as it is stored."""
        if (self.is_only and stored.revision > self.complete_after) or type(stored) is Converted:
            return stored.data
        return orjson.dumps(self.view_object(orjson.loads(stored.data)))

    def view_parsed(self, stored: Stored, parsed: Callable[[], Obj]) -> Obj:
        """The same, parsed; `parsed` gives what is stored."""
        return parsed() if type(stored) is Converted else self.view_object(parsed())

    def stored_form(self, obj: Obj) -> Obj:
        """An object of this version as the store has it. What a webhook must convert stays."""
        if self.conversion is None:
            versions = self.versions
            if (
                versions is None
                or self.webhook is not None
                or obj["apiVersion"] == versions.storage
            ):
                return obj
            return versions.renamed(obj, versions.storage)
        made = self.conversion.to_stored(obj)
        return {**made, "apiVersion": self.conversion.stored.api_version}

    def view_object(self, obj: Obj) -> Obj:
        if self.conversion is not None:
            made = self.conversion.from_stored(obj)
            return {**made, "apiVersion": self.resource.api_version}
        if self.versions is not None:
            return self._between(self.versions, obj)
        if self.complete_after and _revision(obj) <= self.complete_after:
            return self.kind.decode(obj).object
        return obj

    def _between(self, versions: CustomVersions, obj: Obj) -> Obj:
        is_apart = obj["apiVersion"] != self.resource.api_version
        if is_apart and self.webhook is not None:
            return obj
        obj = versions.completed(obj)
        return versions.renamed(obj, self.resource.api_version) if is_apart else obj


def _revision(obj: Obj) -> int:
    """The revision of its last write; none yet within the plan that makes it."""
    return int(obj["metadata"].get("resourceVersion") or 0)


class Catalog:
    """Finds kinds. `generation` counts changes, so that discovery can be cached."""

    def __init__(
        self,
        builtin: Mapping[Place, Kind],
        virtual: Mapping[Place, Kind],
        converted: Iterable[Kind] = (),
    ) -> None:
        self.generation = 0
        self._kinds: dict[tuple[str, str], Served] | None = None  # by apiVersion and kind
        self._builtin = frozenset((*builtin, *virtual))
        self._virtual = {place: Served(kind, is_builtin=True) for place, kind in virtual.items()}
        self._served: dict[Place, tuple[Served, ...]] = {
            place: (Served(kind, is_builtin=True),) for place, kind in builtin.items()
        }
        self._converted = [Served(kind, is_builtin=True) for kind in converted]
        self._elsewhere = {(s.resource.group, s.resource.plural): s.key for s in self._converted}
        for served in self._converted:
            others = [each for each in self.all() if each.key == served.key]
            for each in others:
                each.api_versions = frozenset(other.resource.api_version for other in others)

    def find(self, group: str, version: str, plural: str) -> Served | None:
        for served in self._served.get((group, plural), ()):
            if served.resource.version == version:
                return served
        virtual = self._virtual.get((group, plural))
        if virtual and virtual.resource.version == version:
            return virtual
        for served in self._converted:
            resource = served.resource
            if (resource.group, resource.version, resource.plural) == (group, version, plural):
                return served
        return None

    def by_place(self, place: Place) -> Served | None:
        """In the version objects are stored in."""
        found = self._served.get(place)
        return found[0] if found else None

    def key_of(self, place: Place) -> str:
        """The resource under which the store keeps the objects: those of two groups, such as
        events, lie in one place."""
        group, plural = place
        if place in self._elsewhere and place not in self._served:
            return self._elsewhere[place]
        return f"{plural}.{group}" if group else plural

    def versions(self, place: Place) -> tuple[Served, ...]:
        """Every version that is served."""
        return self._served.get(place, ())

    def by_key(self, key: str) -> Served | None:
        """By the store's name of the resource, e.g. `jobs.batch`."""
        plural, _, group = key.partition(".")
        return self.by_place((group, plural))

    def by_kind(self, api_version: str, kind: str) -> Served | None:
        """By what ownerReferences say: the kind in the version it is stored in, if it is served in
        the version they name."""
        if self._kinds is None:
            self._kinds = {
                (served.resource.api_version, served.resource.kind): versions[0]
                for versions in reversed(self._served.values())  # the first to have the name wins
                for served in versions
            }
            for served in self._converted:
                found = self.by_key(served.key)
                if found is not None:
                    resource = served.resource
                    self._kinds[resource.api_version, resource.kind] = found
        return self._kinds.get((api_version, kind))

    def all(self) -> Iterable[Served]:
        """Every kind in every version, virtual ones included."""
        stored = [served for versions in self._served.values() for served in versions]
        return [*stored, *self._virtual.values(), *self._converted]

    def stored(self) -> Iterable[Served]:
        """Every kind of stored objects once."""
        return [versions[0] for versions in self._served.values()]

    def is_builtin(self, place: Place) -> bool:
        return place in self._builtin

    def add(
        self,
        place: Place,
        kinds: Sequence[Kind],
        *,
        is_only: bool | None = None,
        complete_after: int = 0,
        versions: CustomVersions | None = None,
        webhook: Converter | None = None,
    ) -> None:
        """Serves a kind from now on in these versions, the stored one first, in place of an
        earlier form of it; watches of versions that are no longer served end."""
        assert place not in self._builtin, "built-in kinds stay"
        only = len(kinds) == 1 if is_only is None else is_only
        made = tuple(
            Served(
                kind, is_only=only, complete_after=complete_after, versions=versions,
                webhook=webhook,
            )
            for kind in kinds
        )  # fmt: skip
        for served in made:
            served.api_versions = frozenset(kind.resource.api_version for kind in kinds)
        former = {served.resource.version: served for served in self._served.get(place, ())}
        for served in made:
            earlier = former.pop(served.resource.version, None)
            if earlier is not None:
                served.retired = earlier.retired
        self._served[place] = made
        _retire(former.values())
        self._changed()

    def remove(self, place: Place) -> None:
        if place not in self._builtin and place in self._served:
            _retire(self._served.pop(place))
            self._changed()

    def _changed(self) -> None:
        self.generation += 1
        self._kinds = None


def _retire(gone: Iterable[Served]) -> None:
    for served in gone:
        served.retired.set()
