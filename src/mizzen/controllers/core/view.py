"""What controllers see of the cluster: cached objects, indexed by owner."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mizzen.base.objects import Key, Obj, controller_of, key_of, revision_of, uid_of
from mizzen.base.resources import Resource

TOMBSTONES_MAX = 8192


@dataclass(frozen=True, slots=True)
class Index:
    """Finds objects of `resource` by the words that `words` gives each."""

    name: str
    resource: Resource
    words: Callable[[Obj], Iterable[str]]


class View:
    """Objects by resource and key, and by the uid of their controller.

    Fed one change at a time by the shell, read by reconcilers, which never change it or what
    is in it. The caches of different resources are read from separate streams: one may be
    newer than another. `is_gone` says when absence is a fact and not a lag.
    """

    def __init__(self) -> None:
        self._objects: dict[Resource, dict[Key, Obj]] = {}
        self._owned: dict[tuple[Resource, str], dict[Key, Obj]] = {}
        self._revisions: dict[Resource, int] = {}
        self._tombstones: OrderedDict[str, None] = OrderedDict()
        self._indexes: dict[Resource, dict[Index, dict[str, dict[Key, Obj]]]] = {}

    # -- reading ------------------------------------------------------------------

    def get(self, resource: Resource, key: Key) -> Obj | None:
        return self._objects.get(resource, {}).get(key)

    def all(self, resource: Resource) -> Mapping[Key, Obj]:
        return self._objects.get(resource, {})

    def in_namespace(self, resource: Resource, namespace: str) -> list[Obj]:
        found = self._objects.get(resource, {})
        return [obj for key, obj in found.items() if key.namespace == namespace]

    def owned(self, resource: Resource, owner: Obj) -> list[Obj]:
        """Objects whose controller is `owner`, by name."""
        found = self._owned.get((resource, uid_of(owner)), {})
        return [found[key] for key in sorted(found)]

    def find(self, index: Index, word: str) -> list[Obj]:
        """Objects that have this word, by name; the index is filled when first asked."""
        known = self._indexes.setdefault(index.resource, {})
        if index not in known:
            known[index] = {}
            for key, obj in self._objects.get(index.resource, {}).items():
                _add_words(index, known[index], key, obj)
        found = known[index].get(word, {})
        return [found[key] for key in sorted(found)]

    def is_gone(self, resource: Resource, uid: str, *, named_by: Obj) -> bool:
        """Whether the object that `named_by` refers to, absent here, really was deleted.

        True when its deletion was seen, or when this resource's cache is at least as new as
        the referring object, so that it would be here if it still were.
        """
        if uid in self._tombstones:
            return True
        return self._revisions.get(resource, 0) >= revision_of(named_by)

    # -- feeding ------------------------------------------------------------------

    def apply(self, resource: Resource, old: Obj | None, new: Obj | None) -> None:
        """Takes in one change; `new` None means deleted."""
        changed = new if new is not None else old
        assert changed is not None, "a change has an old or a new object"
        key = key_of(changed)
        objects = self._objects.setdefault(resource, {})
        previous = objects.pop(key, None)
        if previous is not None:
            self._drop_owned(resource, key, previous)
        for index, entries in self._indexes.get(resource, {}).items():
            if previous is not None:
                _drop_words(index, entries, key, previous)
            if new is not None:
                _add_words(index, entries, key, new)
        if new is None:
            self._tombstones[uid_of(changed)] = None
            if len(self._tombstones) > TOMBSTONES_MAX:
                self._tombstones.popitem(last=False)
            return
        objects[key] = new
        owner = controller_of(new)
        if owner is not None:
            self._owned.setdefault((resource, str(owner["uid"])), {})[key] = new

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


def _add_words(index: Index, entries: dict[str, dict[Key, Obj]], key: Key, obj: Obj) -> None:
    for word in index.words(obj):
        entries.setdefault(word, {})[key] = obj


def _drop_words(index: Index, entries: dict[str, dict[Key, Obj]], key: Key, obj: Obj) -> None:
    for word in index.words(obj):
        found = entries.get(word)
        if found is not None:
            found.pop(key, None)
            if not found:
                del entries[word]
