"""The delay after the n-th failure in a row."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Doubles from `first_s` to `max_s`, each time up to a fifth more, so that crowds spread."""

    first_s: float = 0.05
    max_s: float = 5.0
    _failures: int = field(default=0, init=False)

    def next_s(self) -> float:
        """The wait after one more failure."""
        wait = delay_s(self._failures, self.first_s, self.max_s)
        self._failures += 1
        return wait * (1 + random.random() / 5)

    def reset(self) -> None:
        self._failures = 0


def delay_s(failures: int, first_s: float, max_s: float) -> float:
    return min(max_s, first_s * 2.0 ** min(failures, 40))
