"""What a gang's member says of itself in its pod's status."""

from __future__ import annotations

import json

from mizzen.base import names
from mizzen.node.core.membership import (
    Attached,
    AwaitsFormation,
    Checkpointed,
    Membership,
    Progressed,
    ReadyToJoin,
    take_fact,
)


def test_a_process_that_starts_is_neither_ready_nor_attached() -> None:
    member = Membership(join_ready=False)
    take_fact(member, Attached(True))
    take_fact(member, ReadyToJoin())
    assert member.join_ready and member.is_attached
    take_fact(member, AwaitsFormation(7))
    assert member.annotations == {names.AWAITS_GENERATION: "7"}
    assert not (member.join_ready or member.is_attached)


def test_progress_is_the_step_and_one_object_for_the_controller() -> None:
    member = Membership()
    take_fact(member, Progressed(12, 400, {"loss": 0.5}, 0.25))
    assert member.annotations[names.STEP] == "12"
    told = json.loads(member.annotations[names.PROGRESS])
    assert told == {"step": 12, "steps": 400, "metrics": {"loss": 0.5}, "stepSeconds": 0.25}


def test_only_what_once_was_not_durable_is_said_to_be_durable_again() -> None:
    member = Membership()
    take_fact(member, Checkpointed(3, ""))
    assert member.durable_problem is None
    take_fact(member, Checkpointed(0, "the disk is full"))
    take_fact(member, Checkpointed(3))
    assert member.durable_problem == "the disk is full"
    take_fact(member, Checkpointed(4, ""))
    assert member.durable_problem == "" and member.annotations[names.CHECKPOINT_STEP] == "4"
