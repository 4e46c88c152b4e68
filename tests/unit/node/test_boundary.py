"""Faults stay with the object they come from; loops go on."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from mizzen.base.objects import Obj
from mizzen.node.boundary import Boundary, run_forever
from support.waiting import until

POD: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u"}}


class Events:
    """Keeps what would be written."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def event(self, obj: Obj, type: str, reason: str, message: str) -> None:
        self.told.append((reason, message))


@pytest.fixture
def events() -> Events:
    return Events()


def made(events: Events, changed: list[str] | None = None) -> Boundary:
    return Boundary(cast("Any", events), (changed if changed is not None else []).append, 0.01)


async def test_a_fault_is_told_on_its_object_and_the_caller_goes_on(events: Events) -> None:
    changed: list[str] = []
    kept = made(events, changed)
    with kept.around(POD):
        raise KeyError("spec")
    assert events.told == [
        ("FailedSync", "the node agent cannot go on with this object: KeyError: 'spec'")
    ]
    assert "KeyError" in kept.message_of("u") and changed == ["u"]


async def test_work_is_tried_again_until_it_succeeds(events: Events) -> None:
    kept, tries = made(events), list[int]()

    def again() -> None:
        tries.append(len(tries))
        if len(tries) < 3:
            raise OSError(28, "No space left on device")

    with kept.around(POD, again):
        raise ValueError("first")
    await until(lambda: len(tries) == 3, "the third try")
    assert kept.message_of("u") == "" and kept.statistics()["aside"] == 0


async def test_an_object_that_is_gone_is_not_tried_again(events: Events) -> None:
    kept, tries = made(events), list[int]()
    with kept.around(POD, lambda: tries.append(1)):
        raise ValueError("first")
    kept.forget("u")
    with kept.around({**POD, "metadata": {"name": "q", "uid": "v"}}, lambda: tries.append(2)):
        raise ValueError("second")
    await until(lambda: 2 in tries, "what came after it")
    assert tries == [2] and kept.statistics()["aside"] == 0


async def test_the_same_fault_of_a_loop_is_told_once(events: Events) -> None:
    kept = made(events)
    for _ in range(5):
        with kept.around(POD):
            raise ValueError("each time")
    assert len(events.told) == 1


async def test_a_loop_that_fails_begins_again_and_can_be_cancelled() -> None:
    begun: list[int] = []

    async def loop() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise RuntimeError("a bug")
        await asyncio.Event().wait()

    task = asyncio.create_task(run_forever("loop", loop, 0.01))
    await until(lambda: len(begun) == 3, "the third begin")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
