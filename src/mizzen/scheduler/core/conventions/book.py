"""All gangs kept up to date by changes: what `gangs.gangs` finds from everything, gang by gang.

Only gangs that a change can concern are worked out again, when somebody asks (`take_changes`).
Reference and oracle: `gangs.gangs`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.resources import Resource
from mizzen.scheduler.core.conventions.gang import Gang, Membership
from mizzen.scheduler.core.conventions.gangs import Surroundings, checked
from mizzen.scheduler.core.conventions.membership import gang_of
from mizzen.scheduler.core.conventions.watched import TREES, owner_of


class _Said:
    """What the pods of one gang say: each different description with how many pods say it."""

    __slots__ = ("descriptions", "members", "waiting")

    def __init__(self) -> None:
        self.descriptions: Counter[Gang] = Counter()
        self.members = 0
        self.waiting = 0  # of them, those that need the gang's owner

    def count(self, member: Membership, sign: int) -> bool:
        """Takes a member in or out; whether the gang may differ now."""
        self.members += sign
        was_waiting = self.waiting > 0
        self.waiting += sign * member.needs_owner
        news = (self.waiting > 0) != was_waiting or self.members == (1 if sign > 0 else 0)
        if member.described is None:
            return news
        times = self.descriptions[member.described] = self.descriptions[member.described] + sign
        if times == 0:
            del self.descriptions[member.described]
        return news or times == (1 if sign > 0 else 0)


class GangBook:
    """Gangs by name. Pods, owners, trees, priorities and node labels are told as they change."""

    def __init__(self) -> None:
        self._said: dict[Key, _Said] = {}
        self._pods: dict[Key, Membership] = {}
        self._owners: dict[Resource, dict[Key, Obj]] = {}
        self._owned: dict[tuple[Resource, Key], set[Key]] = {}  # gangs by owner
        self._classes: Mapping[str, int] = {}
        self._carried: Counter[str] = Counter()  # nodes by label key that they carry
        self._around: Surroundings | None = None
        self._gangs: dict[Key, Gang] = {}
        self._asking: set[Key] = set()  # gangs that ask for topology, whatever became of it
        self._dirty: set[Key] = set()

    @property
    def gangs(self) -> Mapping[Key, Gang]:
        """As of the last `take_changes`."""
        return self._gangs

    # -- what changes --------------------------------------------------------------------------

    def set_pod(self, pod: Key, member: Membership) -> None:
        """A pod is there, or says something else than before."""
        known = self._pods.get(pod)
        if known == member:
            return
        self.delete_pod(pod)
        if member.gang is None or member.refused is not None:
            return
        self._pods[pod] = member
        said = self._said.get(member.gang)
        if said is None:
            said = self._said[member.gang] = _Said()
            owner = owner_of(member.gang)
            if owner is not None:
                self._owned.setdefault(owner, set()).add(member.gang)
        if said.count(member, 1):
            self._dirty.add(member.gang)

    def delete_pod(self, pod: Key) -> None:
        member = self._pods.pop(pod, None)
        if member is None or member.gang is None:
            return
        said = self._said[member.gang]
        if said.count(member, -1):
            self._dirty.add(member.gang)
        if said.members == 0:
            del self._said[member.gang]
            owner = owner_of(member.gang)
            if owner is not None:
                self._owned[owner].discard(member.gang)
                if not self._owned[owner]:
                    del self._owned[owner]

    def set_object(self, resource: Resource, obj: Obj) -> None:
        """A PodGroup, JobSet, Topology...: of any kind in `watched`."""
        key = key_of(obj)
        self._owners.setdefault(resource, {})[key] = obj
        self._object_changed(resource, key)

    def delete_object(self, resource: Resource, key: Key) -> None:
        if self._owners.get(resource, {}).pop(key, None) is not None:
            self._object_changed(resource, key)

    def set_classes(self, classes: Mapping[str, int]) -> None:
        """Priorities by PriorityClass."""
        if classes != self._classes:
            self._classes = dict(classes)
            self._around = None
            self._dirty |= self._said.keys()

    def change_labels(self, old: Iterable[str], new: Iterable[str]) -> None:
        """A node's label keys changed; `old` is empty for a new node, `new` for one that is gone."""
        before, after = set(old), set(new)
        news = False
        for key in after - before:
            self._carried[key] += 1
            news |= self._carried[key] == 1
        for key in before - after:
            self._carried[key] -= 1
            if not self._carried[key]:
                del self._carried[key]
                news = True
        if news:
            self._shape_changed()

    # -- what it comes to ----------------------------------------------------------------------

    def take_changes(self) -> dict[Key, Gang | None]:
        """The gangs that differ since the last call; None: gone, or waiting for its owner."""
        changes: dict[Key, Gang | None] = {}
        around = self._surroundings() if self._dirty else None
        for key in self._dirty:
            assert around is not None
            gang = self._read(key, around)
            if gang is None:
                if self._gangs.pop(key, None) is not None:
                    changes[key] = None
            elif gang != self._gangs.get(key):
                self._gangs[key] = changes[key] = gang
        self._dirty.clear()
        return changes

    def _read(self, key: Key, around: Surroundings) -> Gang | None:
        self._asking.discard(key)
        said = self._said.get(key)
        if said is None:
            return None
        found = owner_of(key)
        owner = self._owners.get(found[0], {}).get(found[1]) if found else None
        if owner is None and said.waiting:
            return None
        gang = gang_of(key, owner, said.descriptions, around.classes)
        if gang.topology is not None or any(part.topology for part in gang.subgroups):
            self._asking.add(key)
        return checked(gang, around)

    def _surroundings(self) -> Surroundings:
        if self._around is None:
            carried = dict.fromkeys(self._carried, "")
            self._around = Surroundings(self._owners, self._classes, lambda: (carried,))
        return self._around

    def _object_changed(self, resource: Resource, key: Key) -> None:
        if resource in TREES:
            self._shape_changed()
        self._dirty |= self._owned.get((resource, key), set())

    def _shape_changed(self) -> None:
        self._around = None
        self._dirty |= self._asking
