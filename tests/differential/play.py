"""Sends a sequence to one server; what it answered, made comparable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from differential.normalise import Normaliser
from differential.servers import Answer, Asked, Watching
from differential.steps import JSON, Step, body_of, filled

UNTIL_S = 8.0
QUIET_S = 0.2  # without an event, and a watch is taken to have told all
WATCH_S_MAX = 5.0


async def prepare(server: Asked, namespace: str) -> None:
    """The sequence's namespace, with the account that pods need."""
    head = {"Content-Type": JSON}
    body = b'{"metadata":{"name":"%s"}}' % namespace.encode()
    made = await server.ask("POST", "/api/v1/namespaces", head, body)
    assert made.status == 201, made.body
    where = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    made = await server.ask("POST", where, head, b'{"metadata":{"name":"default"}}')
    assert made.status in (201, 409), made.body
    # As controllers make it: lists are counted with it, and no answer shows it.
    where = f"/api/v1/namespaces/{namespace}/configmaps"
    made = await server.ask("POST", where, head, b'{"metadata":{"name":"kube-root-ca.crt"}}')
    assert made.status in (201, 409), made.body


async def play(
    server: Asked, namespace: str, steps: Sequence[Step], *, quiet_s: float = QUIET_S
) -> list[Any]:
    """For each step its comparable answer."""
    await prepare(server, namespace)
    answers: dict[int, Answer] = {}
    watches: dict[int, Watching] = {}
    for step in steps:
        path = filled(step.path, namespace, answers)
        body = body_of(step, namespace, answers)
        head = dict(step.headers)
        if body is not None:
            head.setdefault("Content-Type", step.kind)
        head = {name: filled(value, namespace, answers) for name, value in head.items()}
        if step.watches:
            watches[step.id] = watching = await server.watch(path, head)
            answers[step.id] = watching.answer or Answer(200, {}, {})
            continue
        answers[step.id] = await server.ask(step.method, path, head, body)
        ends = time.monotonic() + (UNTIL_S if _went_well(answers.get(step.id - 1)) else 0)
        while step.until and answers[step.id].status != step.until and time.monotonic() < ends:
            await asyncio.sleep(0.05)
            answers[step.id] = await server.ask(step.method, path, head, body)
    for watching in watches.values():
        await _until_quiet(watching, quiet_s)
    normaliser = Normaliser(namespace)
    shown = [normaliser.answer(step, answers[step.id]) for step in steps]
    for number, step in enumerate(steps):
        if step.id in watches and watches[step.id].answer is None:
            shown[number] = {"events": normaliser.events(watches[step.id].events)}
    return shown


def _went_well(answer: Answer | None) -> bool:
    """What follows a refusal need not be waited for."""
    return answer is not None and answer.status < 400


async def _until_quiet(watching: Watching, quiet_s: float) -> None:
    if watching.answer is not None:
        return
    ends = time.monotonic() + WATCH_S_MAX
    count = -1
    while count != len(watching.events) and time.monotonic() < ends:
        count = len(watching.events)
        await asyncio.sleep(quiet_s)
    await asyncio.to_thread(watching.close)
