"""Chance, with the words that generators use."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Draws(random.Random):
    """The same draws for the same seed."""

    def is_so(self, chance: float) -> bool:
        return self.random() < chance

    def few(self, of: Sequence[T], most: int = 3, least: int = 0) -> list[T]:
        return self.sample(of, self.randint(min(least, len(of)), min(most, len(of))))

    def some(self, chance: float = 0.5, /, **makers: Callable[[], Any]) -> dict[str, Any]:
        """Each of the fields by chance."""
        return {name: make() for name, make in makers.items() if self.is_so(chance)}

    def weighted(self, of: Mapping[T, float]) -> T:
        return self.choices(list(of), list(of.values()))[0]


LABELS = ("a", "b", "app", "example.com/x")
VALUES = ("1", "2", "x", "")


def pairs(draws: Draws) -> dict[str, str]:
    return {name: draws.choice(VALUES) for name in draws.few(LABELS, 3)}
