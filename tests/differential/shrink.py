"""Makes a sequence that fails shorter, for as long as it still fails in the same way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from differential.steps import Step

TRIES_MAX = 150
Fails = Callable[[Sequence[Step]], Awaitable[bool]]


async def shrunk(steps: Sequence[Step], fails: Fails) -> Sequence[Step]:
    """Steps are left out, by halves and then one by one; then parts of their bodies."""
    left = [TRIES_MAX]

    async def still(fewer: Sequence[Step]) -> bool:
        left[0] -= 1
        return left[0] >= 0 and await fails(fewer)

    size = max(1, len(steps) // 2)
    while size:
        start = len(steps) - size
        while start >= 0:
            fewer = [*steps[:start], *steps[start + size :]]
            if fewer and await still(fewer):
                steps = fewer
            start -= size
        size //= 2
    for number in range(len(steps)):
        steps = await _with_less_body(steps, number, still)
    return steps


async def _with_less_body(steps: Sequence[Step], number: int, still: Fails) -> Sequence[Step]:
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for body in _smaller(steps[number].body):
            fewer = [*steps[:number], replace(steps[number], body=body), *steps[number + 1 :]]
            if await still(fewer):
                steps, is_smaller = fewer, True
                break
    return steps


def _smaller(value: Any) -> Iterator[Any]:
    """The value with one part less, outer parts first."""
    if isinstance(value, dict):
        for name in value:
            yield {n: v for n, v in value.items() if n != name}
        for name, part in value.items():
            for less in _smaller(part):
                yield {**value, name: less}
    elif isinstance(value, list):
        for number in range(len(value)):
            yield [*value[:number], *value[number + 1 :]]
        for number, part in enumerate(value):
            for less in _smaller(part):
                yield [*value[:number], less, *value[number + 1 :]]
