"""How long refused clients are asked to stay away: longer, the more of them are refused.

Source: apiserver pkg/util/flowcontrol/dropped_requests_tracker.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections import deque

RETRY_AFTER_S_MAX = 32
_MANY = 3  # refusals a second


class RetryAfter:
    """One priority level's answer, from its refusals of the last seconds."""

    def __init__(self) -> None:
        self.seconds = 1
        self._refusals: deque[tuple[int, int]] = deque()  # second, how many in it
        self._second = 0
        self._count = 0  # in that second
        self._raised_at = 0

    def refused(self, now_s: int) -> int:
        """Counts a refusal at a second of any steady clock; returns what to tell the client."""
        if now_s == self._second:
            self._count += 1
            return self.seconds
        self._refusals.append((self._second, self._count))
        self._second, self._count = now_s, 1
        while now_s - self._refusals[0][0] > min(2 * self.seconds, RETRY_AFTER_S_MAX):
            self._refusals.popleft()
            if not self._refusals:
                break
        self._adapt(now_s)
        return self.seconds

    def _adapt(self, now_s: int) -> None:
        """Doubles at once, comes down second by second."""
        lately = sum(n for second, n in self._refusals if now_s - second <= self.seconds)
        if lately >= _MANY * self.seconds and now_s - self._raised_at >= self.seconds:
            self.seconds = min(2 * self.seconds, RETRY_AFTER_S_MAX)
            self._raised_at = now_s
        elif lately < self.seconds > 1:
            self.seconds -= 1
