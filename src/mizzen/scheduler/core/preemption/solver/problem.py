"""A question of preemption as integers: who holds chips, in which steps they leave, who wants room.

Nodes and domains are indices, so that a caller can feed these values from its own columns.
*Chips* stand for the one resource that is scarce: devices as a rule, milli-CPU for pods without any.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """The harm a step does to its holder, mildest first."""

    SHRINK = 0  # an elastic gang gives a pod above its minimum and runs on
    SUSPEND = 1  # the rest leaves, waits, and resumes from what it saved (or had nothing to save)
    KILL = 2  # the rest leaves and what it did is lost


@dataclass(frozen=True, slots=True)
class Step:
    """Pods of one holder that leave together.

    `loss` is in chip-milliseconds: work to be done again, caches to be warmed, the restart; see
    `objective`. `frees` has one (node, chips) for each node, other domains' nodes included.
    """

    kind: Kind
    loss: int
    frees: tuple[tuple[int, int], ...]
    pods: int = 1


@dataclass(frozen=True, slots=True)
class Holder:
    """A pod or gang that may have to leave. A *level* is how many of its steps are taken, in order.

    An elastic gang has one SHRINK step for each surplus pod, highest rank first, then one step for
    the rest; anything else, and a group that is disrupted only as a whole, has a single step.
    `candidates.py` makes them so.
    """

    key: Hashable
    priority: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Demand:
    """The pods that want room: (chips of a pod, how many such pods), each on one node."""

    pods: tuple[tuple[int, int], ...]

    @property
    def chips(self) -> int:
        return sum(chips * count for chips, count in self.pods)


@dataclass(frozen=True, slots=True)
class Problem:
    """A question. `free` has the chips free on each node, those of what leaves anyway included.

    `domains` are the node sets of which ONE has to hold the whole demand: the domains of the level
    a gang requires; all nodes, when it requires none; each node alone, for a single pod. They must
    be the nodes that the demand may use at all (labels, taints). `holders` are those that may be
    displaced, nobody else.
    Holders that lose equally leave in their order: put the newest first.
    """

    demand: Demand
    free: tuple[int, ...]
    domains: tuple[tuple[int, ...], ...]
    holders: tuple[Holder, ...]


Levels = tuple[int, ...]  # for each holder of the problem, how many of its steps are taken

Fits = Callable[[int, Sequence[int]], bool]
"""True if the demand really fits the domain (index) once these levels (see `Levels`) have left.

May refuse what the chips would allow (CPU, memory, which devices share a switch), never the other
way round, and must be monotone: what fits still fits when more has left.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The steps to take, and the domain that they free.

    `levels` as in `Levels`. `is_proven`: no permitted set costs less; else the search ended at its
    effort limit with the best it had. Either way no step of it can be spared.
    """

    domain: int
    levels: Levels
    is_proven: bool
