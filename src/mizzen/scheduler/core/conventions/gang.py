"""Gangs: pods that are placed together, and what each of their parts wants.

A gang is named by a `Key`. That of a PodGroup is the PodGroup's own; gangs of other conventions
are named `Convention/name` (no object's name holds a slash), so that a JobSet and a PodGroup of
one name stay two gangs. Units: whole pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mizzen.base.objects import Key
from mizzen.scheduler.core.conventions.topology import Topology, TopologyRequest

Disruption = Literal["Pod", "PodGroup"]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something asked for cannot be meant: a stable CamelCase word and a sentence."""

    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Subgroup:
    """Members of a gang that want something of their own; pods name it in `Membership.subgroup`.

    `min_count` of them are among those that start with the gang; 0: whatever the gang's own count
    takes. `count` is how many there will be in all (0: unknown): a domain chosen for the first of
    them should hold all. `topology` holds within what the gang asks.
    """

    name: str
    min_count: int = 0
    count: int = 0
    topology: TopologyRequest | None = None


@dataclass(frozen=True, slots=True)
class Gang:
    """`min_count` members start together or none; 0: its pods are placed one by one.

    In a gang of `min_count` 0, a subgroup with a `min_count` is a gang of its own: the parts start
    one after the other. `max_count` is the most that may run (0: all there are); `count` how many
    there will be in all (0: unknown), of which some may only be made once the first are placed.
    `topology` binds all members, `subgroups` parts of them; `tree` is the one that their levels are
    of, None where they ask for none. `disruption` "PodGroup": preemption
    takes all or none. `priority` None: that of its most important pod.
    `refused` says why it cannot be placed at all.
    """

    key: Key
    min_count: int
    max_count: int = 0
    count: int = 0
    topology: TopologyRequest | None = None
    subgroups: tuple[Subgroup, ...] = ()
    disruption: Disruption = "Pod"
    priority: int | None = None
    tree: Topology | None = None
    refused: Refused | None = None

    def subgroup(self, name: str) -> Subgroup | None:
        """The subgroup of that name, if the gang has one."""
        return next((part for part in self.subgroups if part.name == name), None)

    @property
    def is_exclusive(self) -> bool:
        """True if it, or a part of it, wants a domain that no other such group is in."""
        asked = (self.topology, *(part.topology for part in self.subgroups))
        return any(request is not None and request.exclusive for request in asked)


@dataclass(frozen=True, slots=True)
class Membership:
    """A pod's place in the gang it belongs to; `gang` None: it is on its own.

    `described` is what the pod's own labels and annotations say of the gang. Where the convention
    has an object for it (`watched.owner_of`), that says the counts; while it is missing the pod
    waits, if `needs_owner`. `order` is the pod's place among those of its subgroup.
    """

    gang: Key | None = None
    subgroup: str = ""
    order: tuple[int, ...] = ()
    described: Gang | None = None
    needs_owner: bool = False
    refused: Refused | None = None


ALONE = Membership()


def gang_key(kind: str, namespace: str, name: str) -> Key:
    """The name of a gang of another convention than PodGroup's."""
    return Key(namespace, f"{kind}/{name}")
