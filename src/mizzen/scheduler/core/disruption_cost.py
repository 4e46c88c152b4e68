"""The cost of evicting a pod, read from what it, its agent and its controller say of it.

`mizzen.dev/step`, `mizzen.dev/checkpoint-step` and `stepSeconds` of `mizzen.dev/progress` say how
much of its gang's work is not yet saved; `mizzen.dev/reload-seconds` how long it takes until it is
as useful again (weights read, caches warm); `mizzen.dev/disruption` whether its kind keeps any work.
All are hints: one that cannot be read counts as absent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, cast

from mizzen.base import names
from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Obj, annotations_of, controller_of

RESTART_MS = 5_000  # until a pod runs again, where nothing else is declared
STATELESS_OWNERS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"})


@dataclass(frozen=True, slots=True)
class DisruptionCost:
    """`unsaved_ms`: work of the whole gang to be done again. `reload_ms`: its own warming up.

    `resumes`: what comes back goes on from what was saved, or had nothing to save; otherwise the
    pod's work is lost and nobody may bring it back. `since_ns`: nothing is said of what is saved,
    so that all since then counts as unsaved (0: it is said).
    """

    unsaved_ms: int = 0
    reload_ms: int = RESTART_MS
    resumes: bool = True
    since_ns: int = 0

    def at(self, now_ns: int) -> DisruptionCost:
        """The same as it stands at this time; a clock that went back counts nothing."""
        if not self.since_ns:
            return self
        unsaved_ms = max(0, now_ns - self.since_ns) // 1_000_000
        return replace(self, unsaved_ms=unsaved_ms, since_ns=0)


UNKNOWN_COST = DisruptionCost()


def disruption_cost_of(pod: Obj) -> DisruptionCost:
    """The cost of evicting a pod, to be taken `at` a time.

    With steps: those since the last checkpoint, all of them while there is none. Without: one that
    keeps no work of its own has only to warm up; any other loses its run.
    """
    notes = annotations_of(pod)
    declared = notes.get(names.DISRUPTION)
    reload_ms = _reload_ms(notes.get(names.RELOAD_SECONDS))
    step, saved = _whole(notes.get(names.STEP)), _whole(notes.get(names.CHECKPOINT_STEP))
    resumes = saved is not None or declared == names.RESUMABLE
    if step is not None:
        unsaved = max(0, step - (saved or 0)) * _step_ms(notes.get(names.PROGRESS))
        return DisruptionCost(round(unsaved), reload_ms, resumes)
    owner = (controller_of(pod) or {}).get("kind")
    if declared == names.STATELESS or owner in STATELESS_OWNERS:
        return DisruptionCost(0, reload_ms, True)
    return DisruptionCost(0, reload_ms, resumes, _started_ns(pod))


def _reload_ms(text: str | None) -> int:
    """Errors: none; what is no number of seconds in 0..1e6 counts as not declared."""
    try:
        seconds = float(text or "")
    except ValueError:
        return RESTART_MS
    return round(seconds * 1000) if 0 <= seconds <= 1e6 else RESTART_MS


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 16 else None


def _step_ms(text: str | None) -> float:
    """A step without a time counts as a second."""
    try:
        report: Any = json.loads(text or "{}")
        seconds = float(cast("Obj", report)["stepSeconds"])
    except (ValueError, TypeError, KeyError):
        return 1000.0
    return seconds * 1000 if 0 < seconds < 1e6 else 1000.0


def _started_ns(pod: Obj) -> int:
    status: Obj = pod.get("status") or {}
    text: str = status.get("startTime") or ""
    try:
        return max(0, parse_rfc3339(text)) if text else 0
    except (ValueError, TypeError):
        return 0
