"""A pod's gang, whatever convention says it, and the gang from all that is said of it.

Precedence. A group that the pod names itself: PodGroup, Volcano's, coscheduling's, KAI's, Kueue's.
Two of different names contradict each other; of two with the same name the first counts. Else
its workload's: LeaderWorkerSet, JobSet, Volcano Job; a plain Job only where its pods ask for
topology. What pods ask of the topology adds to what the group asks, and may not contradict it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mizzen.base import names
from mizzen.base.objects import Key, Obj, annotations_of, labels_of
from mizzen.scheduler.core.conventions import (
    coscheduling,
    job,
    jobset,
    kai,
    kueue,
    leader_worker_set,
    pod_group,
    volcano,
)
from mizzen.scheduler.core.conventions.gang import ALONE, Gang, Membership, Refused, Subgroup
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.conventions.watched import owned_gang

_NAMED = (
    pod_group.member,
    volcano.member,
    coscheduling.member,
    kai.member,
    kueue.member,
)
_OF_WORKLOADS = (leader_worker_set.member, jobset.member, volcano.job_member)


# A pod without any of these has its PodGroup, or nothing.
_GROUP_LABELS = frozenset({coscheduling.LABEL, kueue.GROUP_NAME})
_WORKLOAD_LABELS = frozenset({leader_worker_set.NAME, names.JOBSET_NAME, volcano.JOB_NAME})
_ANNOTATIONS = frozenset(
    {
        *volcano.GROUP_NAMES,
        volcano.JOB_NAME,
        kai.ANNOTATION,
        kueue.REQUIRED,
        kueue.PREFERRED,
        kueue.UNCONSTRAINED,
        kueue.SLICE_REQUIRED,
        kueue.SLICE_SIZE,
        kueue.SLICE_LAYERS,
        names.TOPOLOGY_REQUIRED,
        names.TOPOLOGY_PREFERRED,
        names.TOPOLOGY_SLICES,
        names.TOPOLOGY_EXCLUSIVE,
    }
)


def membership(pod: Obj) -> Membership:
    """The pod's gang and its place in it. Errors: none; what cannot be meant is `refused`.

    Most pods are told apart at a glance; `read` is what it comes to, the long way.
    """
    labels = labels_of(pod)
    if _ANNOTATIONS.isdisjoint(annotations_of(pod)) and _GROUP_LABELS.isdisjoint(labels):
        native = pod_group.member(pod)
        if native is not None:
            return native
        if _WORKLOAD_LABELS.isdisjoint(labels):
            return ALONE
    return read(pod)


def read(pod: Obj) -> Membership:
    """As `membership`, convention by convention."""
    found = _named(pod) or next((m for read in _OF_WORKLOADS if (m := read(pod))), None)
    if found is not None and found.refused is not None:
        return found
    asked = _asked(annotations_of(pod))
    if isinstance(asked, Refused):
        return replace(found or ALONE, refused=asked)
    if asked is None:
        return found or ALONE
    found = found or job.member(pod)
    if found is None or found.gang is None:
        return ALONE  # alone in its domain, whichever
    if found.gang.name.startswith(f"{kueue.KIND}/") and asked == kueue.asked(annotations_of(pod)):
        return found  # said already
    return _asking(pod, found, found.gang, asked)


def gang_of(
    gang: Key,
    owner: Obj | None,
    described: Iterable[Gang],
    classes: Mapping[str, int] | None = None,
) -> Gang:
    """The gang from its owner (None: there is none, or it is not seen) and what its pods say.

    `described` holds each different description once; their order does not matter.
    """
    merged: Gang | None = None
    for item in sorted(set(described), key=repr):
        merged = item if merged is None else _merge(merged, item)
    if owner is None:
        return merged or Gang(gang, 0)
    owned = owned_gang(gang, owner, merged, classes)
    return owned if merged is None else _merge(owned, replace(merged, refused=None), merged.refused)


def _named(pod: Obj) -> Membership | None:
    found = [m for read in _NAMED if (m := read(pod)) is not None]
    if not found:
        return None
    refused = next((m for m in found if m.refused is not None), None)
    gangs = [m.gang for m in found if m.gang is not None]
    if len({_plain(gang) for gang in gangs}) > 1:
        text = " and ".join(str(gang) for gang in gangs)
        return Membership(refused=Refused("TwoGangs", f"the pod names {text}; keep one of them"))
    return refused or found[0]


def _plain(gang: Key) -> str:
    return gang.name.rpartition("/")[2]


def _asked(annotations: Mapping[str, str]) -> TopologyRequest | Refused | None:
    """The pod's own request, in our words or Kueue's."""
    ours, theirs = pod_group.annotated(annotations), kueue.asked(annotations)
    if isinstance(ours, Refused) or isinstance(theirs, Refused):
        return ours if isinstance(ours, Refused) else theirs
    if ours is not None and theirs is not None and ours != theirs:
        text = "annotations of mizzen.dev and of kueue.x-k8s.io ask for different topology"
        return Refused("TopologyConflict", f"{text}; keep one of them")
    return ours or theirs


def _asking(pod: Obj, found: Membership, gang: Key, asked: TopologyRequest) -> Membership:
    """The pod's place with what it asks: of its subgroup, where it has one, else of the gang."""
    subgroup = annotations_of(pod).get(kueue.PODSET_GROUP) or found.subgroup
    if gang.name.startswith(f"{leader_worker_set.KIND}/") and not subgroup:
        is_leader = labels_of(pod).get(leader_worker_set.WORKER_INDEX) == "0"
        subgroup = "leader" if is_leader else "workers"
    own = Gang(gang, 0)
    if subgroup:
        own = replace(own, subgroups=(Subgroup(subgroup, topology=asked),))
    else:
        own = replace(own, topology=asked)
    described = own if found.described is None else _merge(found.described, own)
    return replace(found, subgroup=subgroup, described=described)


def _merge(gang: Gang, more: Gang, refused: Refused | None = None) -> Gang:
    """The gang with what another description of it adds; contradictions are its refusal."""
    refused = gang.refused or refused or more.refused
    topology = _agreed(gang.topology, more.topology, "the gang")
    if isinstance(topology, Refused):
        refused, topology = refused or topology, gang.topology
    parts = {part.name: part for part in gang.subgroups}
    for part in more.subgroups:
        known = parts.get(part.name, Subgroup(part.name))
        asked = _agreed(known.topology, part.topology, f'subgroup "{part.name}"')
        if isinstance(asked, Refused):
            refused, asked = refused or asked, known.topology
        parts[part.name] = replace(known, count=known.count or part.count, topology=asked)
    if gang.count and more.count and gang.count != more.count:
        text = f"its pods disagree about its size, {gang.count} and {more.count}; make them agree"
        refused = refused or Refused("InvalidCount", text)
    return replace(
        gang,
        count=gang.count or more.count,
        topology=topology,
        subgroups=tuple(parts[name] for name in sorted(parts)),
        refused=refused,
    )


def _agreed(
    one: TopologyRequest | None, other: TopologyRequest | None, who: str
) -> TopologyRequest | Refused | None:
    if one is None or other is None or one == other:
        return one or other
    text = f"{who} is asked to lie in two ways, {_words(one)} and {_words(other)}; keep one of them"
    return Refused("TopologyConflict", text)


def _words(asked: TopologyRequest) -> str:
    words = [
        f"{word} {key}"
        for word, key in (
            ("required", asked.required),
            ("preferred", asked.preferred),
            ("exclusive", asked.exclusive),
        )
        if key
    ]
    words += [f"{layer.size} in one {layer.required}" for layer in asked.slices]
    return ", ".join(words)
