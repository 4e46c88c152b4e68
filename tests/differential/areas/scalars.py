"""Good objects with values that are wrong, odd, long or deep in one place or two."""

from __future__ import annotations

from typing import Any

from differential.draws import Draws
from differential.mutate import mutated
from differential.objects import MAIN, OTHERS, POD
from differential.schemas import schema_of
from differential.steps import Step


def sequence(draws: Draws) -> list[Step]:
    steps: list[Step] = []
    for number in range(1, 7):
        kind = draws.choice((POD, *MAIN, *OTHERS, *OTHERS))
        body = kind.made(draws, f"{'' if kind.is_namespaced else '<<ns>>-'}o{number}")
        body["metadata"].pop("finalizers", None)
        path = kind.collection + draws.choice(
            ("", "?fieldValidation=Strict", "?fieldValidation=Warn")
        )
        changed = mutated(draws, body, schema_of(kind), draws.choice((1, 1, 2)))
        steps.append(Step(number, "POST", path, deep(draws, changed)))
    return steps


def deep(draws: Draws, body: Any) -> Any:
    if draws.is_so(0.97) or not isinstance(body, dict):
        return body
    value: Any = "x"
    for _ in range(draws.choice((50, 200, 300))):
        value = [value] if draws.is_so(0.5) else {"a": value}
    return {**body, draws.choice(("spec", "data", "deep")): value}
