"""The informers' caches, plus what we wrote and they have not heard of yet.

Without it a second decision within a watch's delay would hand out a device twice. The API
server refuses that too (stale resourceVersion), but a refusal costs a round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mizzen.base.objects import Key, Obj, is_terminating, key_of, revision_of, uid_of
from mizzen.base.operations import Bind, Create, Delete, Operation
from mizzen.base.resources import PODS, Resource


@dataclass(frozen=True, slots=True)
class _Changed:
    """An object as seen, and what we did to it. The watch mostly tells before anybody asks."""

    seen: Obj
    node: str
    deleted_at: str

    def made(self) -> Obj:
        metadata = {**self.seen["metadata"], "resourceVersion": ""}
        if self.deleted_at:
            metadata["deletionTimestamp"] = self.deleted_at
        spec = self.seen["spec"]
        if self.node:
            spec = {**spec, "nodeName": self.node}
        return {**self.seen, "metadata": metadata, "spec": spec}


class Assumed(Mapping[Key, Obj]):
    """One resource as it will be once the watch has caught up. Objects are never mutated."""

    def __init__(self, cache: Mapping[Key, Obj], revision: Callable[[], int] = int) -> None:
        """`revision` is that up to which the cache has seen everything."""
        self._cache = cache
        self._revision = revision
        self._made: dict[Key, Obj] = {}  # written by us, until the cache has or had it
        # What it is made from when somebody asks, or the object; and the revision that replaces it.
        self._newer: dict[Key, tuple[_Changed | Obj, int]] = {}

    def __getitem__(self, key: Key) -> Obj:
        seen = self._cache.get(key)
        if seen is None:
            seen = self._unseen()[key]
        if key not in self._newer:
            return seen
        assumed, until = self._newer[key]
        before = assumed.seen if isinstance(assumed, _Changed) else assumed
        if uid_of(before) != uid_of(seen) or revision_of(seen) >= until:
            del self._newer[key]
            return seen
        if isinstance(assumed, _Changed):
            assumed = assumed.made()
            self._newer[key] = (assumed, until)
        return assumed

    def __iter__(self) -> Iterator[Key]:
        return iter([*self._cache, *self._unseen()] if self._made else self._cache)

    def __len__(self) -> int:
        return len(self._cache) + len(self._unseen())

    def _unseen(self) -> Mapping[Key, Obj]:
        """Objects we made that the cache has not heard of."""
        if self._made:
            newest = self._revision()
            self._made = {
                key: obj
                for key, obj in self._made.items()
                if key not in self._cache and revision_of(obj) > newest
            }
        return self._made

    def assume_made(self, obj: Obj) -> None:
        """Takes an object that we created."""
        self._made[key_of(obj)] = obj

    def assume(self, obj: Obj) -> None:
        """Takes an object as written; one that the cache lost meanwhile stays lost."""
        key = key_of(obj)
        if key in self._cache:
            self._newer[key] = (obj, revision_of(obj))
        elif key in self._made:
            self._made[key] = obj

    def assume_changed(self, key: Key, *, node: str = "", deleted_at: str = "") -> None:
        """A binding or deletion whose answer held no object: holds until the next version seen.

        Such an object has no resourceVersion: nobody may rest a write on it.
        """
        seen = self._cache.get(key)
        if seen is None or (node and seen["spec"].get("nodeName")):
            return
        self._newer[key] = (_Changed(seen, node, deleted_at), revision_of(seen) + 1)

    def forget(self, key: Key) -> None:
        """The watch says it is gone."""
        self._newer.pop(key, None)
        self._made.pop(key, None)


def assume_written(
    caches: Mapping[Resource, Assumed], operation: Operation, answer: Obj, now: str
) -> None:
    """Takes over what one committed operation made of its object."""
    if isinstance(operation, Create):
        if operation.resource in caches:
            caches[operation.resource].assume_made(answer)
        return
    resource = PODS if isinstance(operation, Bind) else operation.resource
    cache = caches[resource]
    is_object = answer.get("kind") not in ("Status", "Binding") and "metadata" in answer
    key = Key(operation.namespace, operation.name)
    if isinstance(operation, Bind) and not is_object:
        cache.assume_changed(key, node=operation.node)
    elif isinstance(operation, Delete) and not (is_object and is_terminating(answer)):
        cache.assume_changed(key, deleted_at=now)
    elif is_object:
        cache.assume(answer)
