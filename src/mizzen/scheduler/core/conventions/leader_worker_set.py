"""LeaderWorkerSet, `leaderworkerset.x-k8s.io/v1`: each group, a leader and its workers, is a gang.

Pods carry all that is needed but one thing: whether workers are made before the leader is ready,
which the object says. With `exclusive-topology` workers are made once the leader is scheduled:
the leader starts alone, in a domain that should hold the group.
Source: sigs.k8s.io/lws api/leaderworkerset/v1 and its pod controller.
"""

from __future__ import annotations

from dataclasses import replace

from mizzen.base.objects import Key, Obj, annotations_of, labels_of, namespace_of
from mizzen.base.reading import part
from mizzen.scheduler.core.conventions.gang import (
    Disruption,
    Gang,
    Membership,
    Refused,
    Subgroup,
    gang_key,
)
from mizzen.scheduler.core.conventions.reading import count, index
from mizzen.scheduler.core.conventions.topology import TopologyRequest

KIND = "LeaderWorkerSet"
_PREFIX = "leaderworkerset.sigs.k8s.io"
NAME = f"{_PREFIX}/name"
GROUP_INDEX = f"{_PREFIX}/group-index"
WORKER_INDEX = f"{_PREFIX}/worker-index"
SIZE = f"{_PREFIX}/size"
EXCLUSIVE = f"{_PREFIX}/exclusive-topology"
SUBGROUP_INDEX = f"{_PREFIX}/subgroup-index"
SUBGROUP_SIZE = f"{_PREFIX}/subgroup-size"
SUBGROUP_EXCLUSIVE = f"{_PREFIX}/subgroup-exclusive-topology"
# Restart policies under which a lost pod does not take its group along.
_LONE_RESTARTS = ("None", "Default")


def member(pod: Obj) -> Membership | None:
    """The pod's place in its group, and the group as its labels and annotations describe it."""
    labels, annotations = labels_of(pod), annotations_of(pod)
    name = labels.get(NAME)
    if not name:
        return None
    key = gang_key(KIND, namespace_of(pod), f"{name}-{index(labels.get(GROUP_INDEX))}")
    size = count(annotations.get(SIZE, "1"), f"annotation {SIZE}")
    if isinstance(size, Refused):
        return Membership(gang=key, refused=size)
    subgroup = labels.get(SUBGROUP_INDEX, "")
    return Membership(
        gang=key,
        subgroup=subgroup,
        order=(index(labels.get(WORKER_INDEX)),),
        described=_described(key, size, subgroup, annotations),
    )


def set_key(gang: Key) -> Key:
    """The LeaderWorkerSet that a group belongs to."""
    return Key(gang.namespace, gang.name.removeprefix(f"{KIND}/").rpartition("-")[0])


def gang(lws: Obj, described: Gang) -> Gang:
    """The group as its LeaderWorkerSet corrects it."""
    spec = part(lws, "spec")
    waits = spec.get("startupPolicy") == "LeaderReady"
    policy = part(spec, "leaderWorkerTemplate").get("restartPolicy")
    disruption: Disruption = "Pod" if policy in _LONE_RESTARTS else "PodGroup"
    return replace(described, min_count=1 if waits else described.min_count, disruption=disruption)


def _described(key: Key, size: int, subgroup: str, annotations: dict[str, str]) -> Gang:
    exclusive = annotations.get(EXCLUSIVE, "")
    subgroup_exclusive = annotations.get(SUBGROUP_EXCLUSIVE, "")
    parts: tuple[Subgroup, ...] = ()
    if subgroup and subgroup_exclusive:
        request = TopologyRequest(required=subgroup_exclusive, exclusive=subgroup_exclusive)
        held = index(annotations.get(SUBGROUP_SIZE))
        parts = (Subgroup(subgroup, count=held, topology=request),)
    return Gang(
        key=key,
        min_count=1 if exclusive else size,
        count=size,
        topology=TopologyRequest(required=exclusive, exclusive=exclusive) if exclusive else None,
        subgroups=parts,
        disruption="PodGroup",  # the default restart policy makes the whole group anew
    )
