"""The interface of checkpoint tiers, and how they are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mizzen.base import checkpoint, registry

TIERS = "MIZZEN_CHECKPOINT_TIERS"  # names, the quickest to read first
DEFAULT_TIERS = "memory,local"
CHUNK_BYTES = 4 << 20
_GROUP = "mizzen.checkpoints.tiers"


class Damaged(Exception):
    """Bytes that should be a state and are not whole; the message says whose and why."""


class Gone(Exception):
    """A listed checkpoint is gone: removed, or being overwritten."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A complete checkpoint of `step` completed steps, by the tier's own name for it."""

    step: int
    name: str


class Source(Protocol):
    """A shard that can be read."""

    @property
    def shard(self) -> checkpoint.Shard: ...

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fills the buffer from there. Errors: OSError, also where the shard ends before."""
        ...

    def is_intact(self) -> bool:
        """True if what was read so far is what was listed: overwriting has not begun."""
        ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that can be read, its shards in the order of their manifest."""

    step: int
    sources: tuple[Source, ...]
    where: str


class Tier(Protocol):
    """One job's checkpoints in one place."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    @property
    def is_durable(self) -> bool:
        """True if the agent copies staged state there."""
        ...

    def list(self) -> Sequence[Entry]:
        """All complete checkpoints, perhaps damaged; of equal steps the preferred one first."""
        ...

    def get(self, entry: Entry) -> Checkpoint:
        """Errors: Gone, Damaged."""
        ...

    def put(self, found: Checkpoint) -> bool:
        """Copies a checkpoint here, whole or not at all; False when it was written over meanwhile.

        Errors: OSError.
        """
        ...

    def delete(self, entry: Entry) -> None:
        """Removes it, damaged or not; what cannot be removed stays."""
        ...

    def clean(self) -> None:
        """Removes the unfinished files of a killed writer; call while no writer is at work."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """The places in which one job's checkpoints may lie. `own`: the rank file that is preferred
    among equals; `variables`: the environment, for what else a tier is to know."""

    segments: Path | None = None
    folder: Path | None = None
    own: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])


Opener = Callable[[Places], Tier | None]  # `TIER`: None where the job has no such place


def find_tiers(variables: Mapping[str, str]) -> dict[str, Opener]:
    """The tiers in force by name, the quickest first: files of `tiers`, or other distributions'
    entry points of the group "mizzen.checkpoints.tiers".

    Errors: ValueError naming one that is unknown, and those that are known.
    """
    found: dict[str, Opener] = {}
    for name in (variables.get(TIERS) or DEFAULT_TIERS).split(","):
        name = name.strip()
        try:
            found[name] = registry.named(_GROUP, name, "TIER")
        except KeyError:
            known = ", ".join(registry.names(_GROUP))
            raise ValueError(f'{TIERS}: there is no tier "{name}"; there are {known}') from None
    return found


def open_tiers(places: Places) -> list[Tier]:
    """The job's tiers, the quickest first. Errors: ValueError as of `find_tiers`."""
    opened = (opener(places) for opener in find_tiers(places.variables).values())
    return [tier for tier in opened if tier is not None]
