"""Decides when to probe a container, and evaluates the results.

Before the first success startup and readiness probes run every 100 ms, growing by half up
to the probe's period, so that readiness is seen within 0.2 s; the thresholds of a startup
probe are therefore counted as time (failureThreshold x periodSeconds), not as failures.
Source: core/v1 Probe; the quick phase is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mizzen.base.objects import Obj

KINDS = ("startup", "readiness", "liveness")
SECOND = 1_000_000_000
QUICK_NS = 100_000_000


@dataclass(slots=True)
class Probe:
    """One probe of one run of a container."""

    kind: str
    spec: Obj
    next_at: int
    begun_at: int
    delay: int = QUICK_NS
    failures: int = 0
    successes: int = 0
    passed: bool = False
    in_flight: bool = False

    def _setting(self, name: str, default: int) -> int:
        value: Any = self.spec.get(name)
        return int(value) if value else default

    @property
    def period(self) -> int:
        return self._setting("periodSeconds", 10) * SECOND

    @property
    def timeout_s(self) -> int:
        return self._setting("timeoutSeconds", 1)

    @property
    def is_hasty(self) -> bool:
        """True while it asks more often than its period: that it fails then is not worth a word."""
        is_quick = not self.passed and self.kind != "liveness"
        return is_quick and min(self.delay, self.period) < self.period

    def take(self, ok: bool, at: int) -> bool:
        """Counts one answer; True when the container must be killed for it."""
        self.in_flight = False
        if ok:
            self.successes, self.failures = self.successes + 1, 0
            if self.successes >= self._setting("successThreshold", 1):
                self.passed = True
        else:
            self.failures, self.successes = self.failures + 1, 0
        exceeded = self.failures >= self._setting("failureThreshold", 3)
        if self.kind == "readiness" and exceeded:
            self.passed = False
        self._schedule(at)
        if self.kind == "startup":
            budget = self._setting("failureThreshold", 3) * self.period
            return not self.passed and at - self.begun_at >= budget
        return self.kind == "liveness" and exceeded

    def _schedule(self, at: int) -> None:
        if self.passed or self.kind == "liveness":
            self.delay = QUICK_NS
            self.next_at = at + self.period
        else:
            self.next_at = at + min(self.delay, self.period)
            self.delay += self.delay // 2


def probes_of(container: Obj, at: int) -> dict[str, Probe]:
    """The probes of a container that started at `at`."""
    result: dict[str, Probe] = {}
    for kind in KINDS:
        spec: Obj | None = container.get(f"{kind}Probe")
        if spec:
            begin = at + int(spec.get("initialDelaySeconds") or 0) * SECOND
            result[kind] = Probe(kind, spec, begin, begin)
    return result


def due(probes: dict[str, Probe], at: int) -> list[str]:
    """Kinds to probe now: readiness and liveness only once startup has passed."""
    startup = probes.get("startup")
    holding = startup is not None and not startup.passed
    return [
        kind
        for kind, probe in probes.items()
        if not probe.in_flight and probe.next_at <= at and ((kind == "startup") == holding)
    ]


def next_due(probes: dict[str, Probe]) -> int | None:
    """The time of the next probe, if none is in flight before it."""
    startup = probes.get("startup")
    holding = startup is not None and not startup.passed
    times = [
        p.next_at for k, p in probes.items() if not p.in_flight and (k == "startup") == holding
    ]
    return min(times, default=None)


def is_started(probes: dict[str, Probe]) -> bool:
    probe = probes.get("startup")
    return probe is None or probe.passed


def is_ready(probes: dict[str, Probe]) -> bool:
    probe = probes.get("readiness")
    return is_started(probes) and (probe is None or probe.passed)
