"""A pod's part in its gang as far as its status tells it, and the facts that change it.

Nothing follows from a fact at once: what a gang does with its pods are other events
(`GangRestart`, `GangFailed`, `KillNow`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from mizzen.base import names


@dataclass(slots=True)
class Membership:
    join_ready: bool | None = None  # None: not a member, no condition
    is_attached: bool = False  # its program takes part in formations, or is about to
    durable_problem: str | None = None  # None: no durable checkpoint failed yet
    annotations: dict[str, str] = field(default_factory=dict[str, str])  # that we want on the pod


# -- facts -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attached:
    """The program takes part in formations, or does not, by its rank file as it is now."""

    is_attached: bool


@dataclass(frozen=True, slots=True)
class AwaitsFormation:
    """A process is about to start that may join generation `awaits` or a later one."""

    awaits: int


@dataclass(frozen=True, slots=True)
class ReadyToJoin:
    """The worker waits for a formation."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """The job completed `step` steps, of `steps` that are planned."""

    step: int
    steps: int
    metrics: Mapping[str, float]
    step_seconds: float


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """State after `step` steps is durable, 0: none yet; `problem`: what keeps later state from it,
    "" when nothing does any more, None when nothing is known anew."""

    step: int
    problem: str | None = None


Fact = Attached | AwaitsFormation | ReadyToJoin | Progressed | Checkpointed


def take_fact(member: Membership, fact: Fact) -> None:
    """The membership as the fact leaves it."""
    notes = member.annotations
    match fact:
        case Attached():
            member.is_attached = fact.is_attached
        case AwaitsFormation():
            notes[names.AWAITS_GENERATION] = str(fact.awaits)
            member.join_ready = member.is_attached = False
        case ReadyToJoin():
            member.join_ready = True
        case Progressed():
            progress = {
                "step": fact.step,
                "steps": fact.steps,
                "metrics": fact.metrics,
                "stepSeconds": fact.step_seconds,
            }
            notes[names.STEP] = str(fact.step)
            notes[names.PROGRESS] = json.dumps(progress)
        case Checkpointed():
            if fact.step:
                notes[names.CHECKPOINT_STEP] = str(fact.step)
            if fact.problem or (fact.problem == "" and member.durable_problem):
                member.durable_problem = fact.problem
