"""Topology: trees of node labels, and what a gang asks of them.

A tree is an ordered list of label keys, outermost first. Nodes with the same value of a level's
label, and of those above it that they carry, form a domain of that level. A node that lacks a
level's label is outside that level, not outside the others.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topology:
    """Label keys, outermost first. `name` tells trees apart in messages."""

    levels: tuple[str, ...]
    name: str = ""

    def depth(self, key: str) -> int | None:
        """The place of a level, 0 being the outermost; None where the tree does not know it."""
        return self.levels.index(key) if key in self.levels else None

    def knows(self, *keys: str) -> bool:
        """True if all these levels are in the tree; empty keys ask nothing."""
        return all(key in self.levels for key in keys if key)


@dataclass(frozen=True, slots=True)
class Slice:
    """Members cut, in order of rank, into runs of `size`, each within one domain of `required`."""

    size: int
    required: str


@dataclass(frozen=True, slots=True)
class TopologyRequest:
    """The request of members for topology; a label key each, "" asks nothing.

    `required`: all in one domain of it. `preferred`: in one domain of it, else of the next level
    out, and so on up to `required`, else anywhere. `subgroup_size` members each, in order of rank,
    in one domain of `subgroup_required`; `inner` are slices of these slices, outermost first.
    `exclusive`: no two groups that ask for it share a domain of this level; those that do not ask
    may be there.
    """

    required: str = ""
    preferred: str = ""
    subgroup_size: int = 0
    subgroup_required: str = ""
    exclusive: str = ""
    inner: tuple[Slice, ...] = ()

    @property
    def slices(self) -> tuple[Slice, ...]:
        """All layers of slices, outermost first."""
        if not self.subgroup_size:
            return ()
        return (Slice(self.subgroup_size, self.subgroup_required), *self.inner)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every label key that is asked for, once each."""
        return tuple(dict.fromkeys((*self.demanded, *([self.preferred] if self.preferred else []))))

    @property
    def demanded(self) -> tuple[str, ...]:
        """Every label key without which there is no placement: all but the preferred one."""
        asked = (self.required, *(layer.required for layer in self.slices), self.exclusive)
        return tuple(dict.fromkeys(key for key in asked if key))
