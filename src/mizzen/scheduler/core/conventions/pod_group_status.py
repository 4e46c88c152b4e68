"""PodGroup's condition `PodGroupScheduled`, written with the decision it tells of.

As upstream, members that come later and find no place do not take it back. Unlike upstream, a
gang that fell below its minimum and finds no place again is no longer called scheduled.
Source: kube-scheduler schedule_one_podgroup.go, 1.36.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Key, Obj, key_of, uid_of, with_condition
from mizzen.base.operations import Patch
from mizzen.base.reading import part
from mizzen.base.resources import POD_GROUPS
from mizzen.scheduler.core.conventions.reading import entries, whole

SCHEDULED = "PodGroupScheduled"
UNSCHEDULABLE = "Unschedulable"
MESSAGE_MAX = 32768  # characters of a condition's message that the API takes


@dataclass(frozen=True, slots=True)
class PodGroupState:
    """As much of a PodGroup as writing its status takes."""

    key: Key
    uid: str
    generation: int
    conditions: tuple[Obj, ...] = field(default=(), hash=False)


def state(group: Obj) -> PodGroupState:
    """A PodGroup's state."""
    return PodGroupState(
        key_of(group),
        uid_of(group),
        whole(group["metadata"].get("generation")),
        tuple(entries(part(group, "status"), "conditions")),
    )


def scheduled(group: PodGroupState, message: str, now_ns: int) -> Patch | None:
    """The write that says the gang has its places; None where it says so already."""
    return _write(group, "True", "Scheduled", message, now_ns)


def unscheduled(
    group: PodGroupState, message: str, now_ns: int, *, reason: str = UNSCHEDULABLE
) -> Patch | None:
    """The write that says why not; None where it says so already."""
    return _write(group, "False", reason, message, now_ns)


def says_scheduled(group: PodGroupState) -> bool:
    """True if its status says that it has its places."""
    return _known(group).get("status") == "True"


def _write(
    group: PodGroupState, status: str, reason: str, message: str, now_ns: int
) -> Patch | None:
    known = _known(group)
    wanted: Obj = {
        "type": SCHEDULED,
        "status": status,
        "reason": reason,
        "message": message[:MESSAGE_MAX],
        "observedGeneration": group.generation,
    }
    if all(known.get(name) == value for name, value in wanted.items()):
        return None
    since = known.get("lastTransitionTime") if known.get("status") == status else None
    wanted["lastTransitionTime"] = since or rfc3339(now_ns)
    conditions = with_condition(group.conditions, wanted)
    body: Obj = {"status": {"conditions": conditions}}
    return Patch(
        POD_GROUPS,
        group.key.namespace,
        group.key.name,
        body,
        subresource="status",
        uid=group.uid,
    )


def _known(group: PodGroupState) -> Obj:
    none: Obj = {}
    return next((c for c in group.conditions if c.get("type") == SCHEDULED), none)
