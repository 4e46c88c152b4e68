"""Volcano: PodGroup of `scheduling.volcano.sh/v1beta1`, Job of `batch.volcano.sh/v1alpha1`.

Pods name their PodGroup by annotation; those of a Volcano Job without one form a gang by the
Job. Tasks (`volcano.sh/task-spec`) are subgroups. A tier of HyperNodes is a level of its own tree
(`hyper_nodes.py`): tier 1 is the innermost. Mode hard: within one HyperNode of at most the tier
named; soft: preferred only. Source: volcano.sh/apis scheduling/v1beta1, batch/v1alpha1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mizzen.base.objects import Obj, annotations_of, key_of, labels_of, namespace_of
from mizzen.base.reading import part
from mizzen.scheduler.core.conventions.gang import Gang, Membership, Refused, Subgroup, gang_key
from mizzen.scheduler.core.conventions.hyper_nodes import tier_key, tier_name_key
from mizzen.scheduler.core.conventions.reading import entries, index, request, text_of, whole
from mizzen.scheduler.core.conventions.topology import Slice, TopologyRequest

KIND = "VolcanoPodGroup"
JOB_KIND = "VolcanoJob"
GROUP_NAMES = ("scheduling.k8s.io/group-name", "scheduling.volcano.sh/group-name")
JOB_NAME = "volcano.sh/job-name"
TASK = "volcano.sh/task-spec"
TASK_INDEX = "volcano.sh/task-index"


def member(pod: Obj) -> Membership | None:
    """The pod's place in the PodGroup its annotation names."""
    annotations = annotations_of(pod)
    named = list(dict.fromkeys(annotations[key] for key in GROUP_NAMES if annotations.get(key)))
    if len(named) > 1:
        text = f"annotations {GROUP_NAMES[0]} and {GROUP_NAMES[1]} name two groups, {named[0]} and"
        return Membership(refused=Refused("TwoGangs", f"{text} {named[1]}; leave one out"))
    return _task(pod, KIND, named[0]) if named else None


def job_member(pod: Obj) -> Membership | None:
    """The pod's place in its Volcano Job."""
    name = labels_of(pod).get(JOB_NAME) or annotations_of(pod).get(JOB_NAME)
    return _task(pod, JOB_KIND, name) if name else None


def _task(pod: Obj, kind: str, name: str) -> Membership:
    annotations, labels = annotations_of(pod), labels_of(pod)
    return Membership(
        gang=gang_key(kind, namespace_of(pod), name),
        subgroup=labels.get(TASK) or annotations.get(TASK) or "",
        order=(index(labels.get(TASK_INDEX) or annotations.get(TASK_INDEX)),),
        needs_owner=True,
    )


def gang(group: Obj, classes: Mapping[str, int] | None = None) -> Gang:
    """The gang of a PodGroup: minMember in all, minTaskMember of each task."""
    spec = part(group, "spec")
    tasks = {
        task: Subgroup(task, whole(least))
        for task, least in sorted(part(spec, "minTaskMember").items())
    }
    result = Gang(
        key=gang_key(KIND, *key_of(group)),
        min_count=whole(spec.get("minMember")),
        topology=_tiers(spec),
        priority=(classes or {}).get(text_of(spec.get("priorityClassName"))),
    )
    for policy in entries(spec, "subGroupPolicy"):
        part_of = _policy(policy)
        if isinstance(part_of, Refused):
            return replace(result, refused=part_of)
        if not part_of.name:
            result = replace(result, topology=_within(result.topology, part_of.topology))
            continue
        known = tasks.get(part_of.name, Subgroup(part_of.name))
        least = max(known.min_count, part_of.min_count)
        tasks[part_of.name] = replace(part_of, min_count=least)
    return _with_tasks(result, tuple(tasks.values()))


def job_gang(job: Obj) -> Gang:
    """The gang of a Volcano Job: minAvailable, by default all replicas of all its tasks."""
    spec = part(job, "spec")
    tasks: list[Subgroup] = []
    for task in entries(spec, "tasks"):
        replicas = whole(task.get("replicas"))
        least = whole(task.get("minAvailable"))
        tasks.append(Subgroup(text_of(task.get("name")), least, replicas))
    total = sum(task.count for task in tasks)
    available = spec.get("minAvailable")
    result = Gang(
        key=gang_key(JOB_KIND, *key_of(job)),
        min_count=whole(available, total),
        count=total,
        topology=_tiers(spec),
    )
    return _with_tasks(result, tuple(tasks))


def _with_tasks(gang: Gang, tasks: tuple[Subgroup, ...]) -> Gang:
    """The gang starts with no fewer than its tasks need together."""
    least = max(gang.min_count, sum(task.min_count for task in tasks))
    return replace(gang, min_count=least, subgroups=tasks)


def _tiers(spec: Obj) -> TopologyRequest | None:
    topology = spec.get("networkTopology")
    if not isinstance(topology, dict):
        return None
    highest = _highest(part(spec, "networkTopology"))
    if part(spec, "networkTopology").get("mode") == "soft":
        return request(preferred=tier_key(1))
    return request(required=highest, preferred=tier_key(1))


def _highest(topology: Obj) -> str:
    """The level that must not be crossed; "" where none is named."""
    name = text_of(topology.get("highestTierName"))
    if name:
        return tier_name_key(name)
    allowed = topology.get("highestTierAllowed")
    return tier_key(allowed) if isinstance(allowed, int) else ""


def _policy(policy: Obj) -> Subgroup | Refused:
    """A subGroupPolicy whose selector names a task, or has none: then it is about all members."""
    name = text_of(policy.get("name"))
    selector = part(policy, "labelSelector")
    labels = part(selector, "matchLabels")
    if policy.get("matchLabelKeys") or selector.get("matchExpressions") or set(labels) - {TASK}:
        return Refused(
            "SubGroupPolicyNotSupported",
            f'subGroupPolicy "{name}" selects pods by other labels than {TASK};'
            " select by that label alone, or give the tasks PodGroups of their own",
        )
    size = whole(policy.get("subGroupSize"))
    tiers = _tiers(policy)
    topology = tiers
    if tiers is not None and size and tiers.required:
        topology = request(layers=(Slice(size, tiers.required),))
    least = whole(policy.get("minSubGroups")) * (size or 1)
    return Subgroup(text_of(labels.get(TASK)), least, topology=topology)


def _within(outer: TopologyRequest | None, inner: TopologyRequest | None) -> TopologyRequest | None:
    """A policy about all members adds its slices to what the gang asks."""
    if outer is None or inner is None:
        return outer or inner
    return request(outer.required, outer.preferred, inner.slices)
