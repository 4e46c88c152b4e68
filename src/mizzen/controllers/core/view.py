"""The cluster as controllers see it: cached objects, indexed by owner and by values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from mizzen.base.objects import Key, Obj, controller_of, key_of, revision_of, uid_of
from mizzen.base.resources import Resource

TOMBSTONES_MAX = 8192
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Index:
    """Finds objects of `resource` by the values that `values` gives each."""

    name: str
    resource: Resource
    values: Callable[[Obj], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Digest(Generic[F]):
    """The few facts of each object of `resource` that its controllers of these kinds decide by.

    They are kept beside the object's key, so that of ten thousand pods none need be unpacked to
    count them. At most one digest for a resource and a kind of owner.
    """

    resource: Resource
    owner_kinds: frozenset[str]
    facts: Callable[[Obj], F]


class View:
    """Objects by resource and key; their keys by the uid of their controller and by indexes.

    Fed one change at a time by the shell, read by reconcilers, which never change it or what
    is in it. The caches of different resources are read from separate streams: one may be
    newer than another. `is_gone` says when absence is a fact and not a lag.
    """

    def __init__(self, kept: Mapping[Resource, Mapping[Key, Obj]] | None = None) -> None:
        """`kept`: resources whose objects the caller keeps, and has changed when `apply` is called;
        the objects of all others are kept here."""
        self._kept = kept or {}
        self._own: dict[Resource, dict[Key, Obj]] = {}
        self._owned: dict[tuple[Resource, str], dict[Key, Any]] = {}  # with what a digest says
        self._digests: dict[tuple[Resource, str], Digest[Any]] = {}
        self._revisions: dict[Resource, int] = {}
        self._tombstones: OrderedDict[str, None] = OrderedDict()
        self._indexes: dict[Resource, dict[Index, dict[str, dict[Key, None]]]] = {}

    # -- reading ------------------------------------------------------------------

    def get(self, resource: Resource, key: Key) -> Obj | None:
        return self.all(resource).get(key)

    def all(self, resource: Resource) -> Mapping[Key, Obj]:
        kept = self._kept.get(resource)
        return kept if kept is not None else self._own.get(resource, {})

    def owned(self, resource: Resource, owner: Obj) -> list[Obj]:
        """Objects whose controller is `owner`, by name."""
        found = self.all(resource)
        return [found[key] for key in self.owned_keys(resource, owner)]

    def owned_keys(self, resource: Resource, owner: Obj) -> list[Key]:
        """As `owned`, for those who need no more than the keys."""
        return sorted(self._owned.get((resource, uid_of(owner)), ()))

    def digested(self, digest: Digest[F], owner: Obj) -> Mapping[Key, F]:
        """The facts of each object whose controller is `owner`, in no order; not to be changed."""
        self.add_digest(digest)
        found = self._owned.get((digest.resource, uid_of(owner)))
        return cast("dict[Key, F]", found) if found is not None else {}

    def find(self, index: Index, value: str) -> list[Obj]:
        """Objects that have this value, by name."""
        found = self.all(index.resource)
        return [found[key] for key in self.find_keys(index, value)]

    def find_keys(self, index: Index, value: str) -> list[Key]:
        """As `find`, for those who need no more than the keys."""
        return sorted(self.add_index(index).get(value, ()))

    def count(self, index: Index, value: str) -> int:
        """The number of objects with this value in the index."""
        return len(self.add_index(index).get(value, ()))

    def revision(self, resource: Resource) -> int:
        """The revision up to which this resource's cache holds everything."""
        return self._revisions.get(resource, 0)

    def is_gone(self, resource: Resource, uid: str, *, named_by: Obj) -> bool:
        """True if the object that `named_by` refers to, absent here, really was deleted.

        True when its deletion was seen, or when this resource's cache is at least as new as
        the referring object, so that it would be here if it still were.
        """
        if uid in self._tombstones:
            return True
        return self._revisions.get(resource, 0) >= revision_of(named_by)

    # -- feeding ------------------------------------------------------------------

    def add_index(self, index: Index) -> Mapping[str, Mapping[Key, None]]:
        """The keys by value, from now on kept up to date; to fill it late means reading all."""
        known = self._indexes.setdefault(index.resource, {})
        if index not in known:
            known[index] = {}
            for key, obj in self.all(index.resource).items():
                _index_values(index, known[index], key, obj)
        return known[index]

    def add_digest(self, digest: Digest[Any]) -> None:
        """Keeps the facts from now on; to begin late means reading all."""
        wanted = [(digest.resource, kind) for kind in digest.owner_kinds]
        if all(self._digests.get(each) is digest for each in wanted):
            return
        self._digests.update(dict.fromkeys(wanted, digest))
        for key, obj in self.all(digest.resource).items():
            self._add_owned(digest.resource, key, obj)

    def apply(self, resource: Resource, old: Obj | None, new: Obj | None) -> Key:
        """Takes in one change of the object whose key is returned; `new` None means deleted."""
        changed = new if new is not None else old
        assert changed is not None, "a change has an old or a new object"
        key = key_of(changed)
        previous = old
        if resource not in self._kept:
            own = self._own.setdefault(resource, {})
            previous = own.pop(key, None)
            if new is not None:
                own[key] = new
        if previous is not None:
            self._drop_owned(resource, key, previous)
        for index, entries in self._indexes.get(resource, {}).items():
            if previous is not None:
                _unindex_values(index, entries, key, previous)
            if new is not None:
                _index_values(index, entries, key, new)
        if new is None:
            self._tombstones[uid_of(changed)] = None
            if len(self._tombstones) > TOMBSTONES_MAX:
                self._tombstones.popitem(last=False)
            return key
        self._add_owned(resource, key, new)
        return key

    def note_revision(self, resource: Resource, revision: int) -> None:
        """The cache of this resource holds everything up to `revision`."""
        self._revisions[resource] = max(revision, self._revisions.get(resource, 0))

    @staticmethod
    def of(objects: Iterable[tuple[Resource, Obj]], *, revision: int = 1 << 62) -> View:
        """A complete view of these objects, as of `revision`."""
        view = View()
        for resource, obj in objects:
            view.apply(resource, None, obj)
            view.note_revision(resource, revision)
        return view

    def _add_owned(self, resource: Resource, key: Key, new: Obj) -> None:
        owner = controller_of(new)
        if owner is None:
            return
        digest = self._digests.get((resource, str(owner.get("kind"))))
        facts = digest.facts(new) if digest is not None else None
        self._owned.setdefault((resource, str(owner["uid"])), {})[key] = facts

    def _drop_owned(self, resource: Resource, key: Key, previous: Obj) -> None:
        owner = controller_of(previous)
        if owner is None:
            return
        index = (resource, str(owner["uid"]))
        owned = self._owned.get(index)
        if owned is not None:
            owned.pop(key, None)
            if not owned:
                del self._owned[index]


def _index_values(index: Index, entries: dict[str, dict[Key, None]], key: Key, obj: Obj) -> None:
    for value in index.values(obj):
        entries.setdefault(value, {})[key] = None


def _unindex_values(index: Index, entries: dict[str, dict[Key, None]], key: Key, obj: Obj) -> None:
    for value in index.values(obj):
        found = entries.get(value)
        if found is not None:
            found.pop(key, None)
            if not found:
                del entries[value]
