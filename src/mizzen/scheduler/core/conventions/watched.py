"""The kinds that conventions rest on, and which of them says what a gang is.

All but PodGroup and Job may be absent from a cluster: then nothing asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mizzen.base.objects import Key, Obj
from mizzen.base.resources import JOBS, POD_GROUPS, Resource
from mizzen.scheduler.core.conventions import (
    coscheduling,
    job,
    jobset,
    kai,
    leader_worker_set,
    pod_group,
    volcano,
)
from mizzen.scheduler.core.conventions.gang import Gang

JOB_SETS = Resource("jobset.x-k8s.io", "v1alpha2", "jobsets", "JobSet")
LEADER_WORKER_SETS = Resource(
    "leaderworkerset.x-k8s.io", "v1", "leaderworkersets", "LeaderWorkerSet"
)
VOLCANO_POD_GROUPS = Resource("scheduling.volcano.sh", "v1beta1", "podgroups", "PodGroup")
VOLCANO_JOBS = Resource("batch.volcano.sh", "v1alpha1", "jobs", "Job")
HYPER_NODES = Resource(
    "topology.volcano.sh", "v1alpha1", "hypernodes", "HyperNode", namespaced=False
)
COSCHEDULING_POD_GROUPS = Resource("scheduling.x-k8s.io", "v1alpha1", "podgroups", "PodGroup")
KAI_POD_GROUPS = Resource("scheduling.run.ai", "v2alpha2", "podgroups", "PodGroup")
TOPOLOGIES = Resource("kueue.x-k8s.io", "v1beta2", "topologies", "Topology", namespaced=False)
TOPOLOGIES_V1BETA1 = replace(TOPOLOGIES, version="v1beta1")

# Those that a CustomResourceDefinition may bring; of two versions of a kind the first is watched.
OPTIONAL: tuple[Resource, ...] = (
    JOB_SETS,
    LEADER_WORKER_SETS,
    VOLCANO_POD_GROUPS,
    VOLCANO_JOBS,
    HYPER_NODES,
    COSCHEDULING_POD_GROUPS,
    KAI_POD_GROUPS,
    TOPOLOGIES,
    TOPOLOGIES_V1BETA1,
)
TREES = (TOPOLOGIES, TOPOLOGIES_V1BETA1, HYPER_NODES)  # they shape trees, not gangs

_OWNERS: Mapping[str, Resource] = {
    jobset.KIND: JOB_SETS,
    leader_worker_set.KIND: LEADER_WORKER_SETS,
    volcano.KIND: VOLCANO_POD_GROUPS,
    volcano.JOB_KIND: VOLCANO_JOBS,
    coscheduling.KIND: COSCHEDULING_POD_GROUPS,
    kai.KIND: KAI_POD_GROUPS,
    job.KIND: JOBS,
}


def owner_of(gang: Key) -> tuple[Resource, Key] | None:
    """The object that says a gang's counts; None where its pods alone do."""
    kind, slash, name = gang.name.partition("/")
    if not slash:
        return POD_GROUPS, gang
    resource = _OWNERS.get(kind)
    if resource is None:
        return None
    if resource is LEADER_WORKER_SETS:
        return resource, leader_worker_set.set_key(gang)
    return resource, Key(gang.namespace, name)


def owned_gang(
    gang: Key, owner: Obj, described: Gang | None, classes: Mapping[str, int] | None = None
) -> Gang:
    """The gang as its owner says it; `classes` are priorities by PriorityClass."""
    found = owner_of(gang)
    assert found is not None, f"nothing owns gang {gang}"
    resource = found[0]
    if resource is LEADER_WORKER_SETS:
        return leader_worker_set.gang(owner, described or Gang(gang, 1))
    if resource in _WITH_PRIORITY:
        return _WITH_PRIORITY[resource](owner, classes)
    return _PLAIN[resource](owner)


_WITH_PRIORITY = {
    POD_GROUPS: pod_group.gang,
    VOLCANO_POD_GROUPS: volcano.gang,
    KAI_POD_GROUPS: kai.gang,
}
_PLAIN = {
    JOB_SETS: jobset.gang,
    VOLCANO_JOBS: volcano.job_gang,
    COSCHEDULING_POD_GROUPS: coscheduling.gang,
    JOBS: job.gang,
}
