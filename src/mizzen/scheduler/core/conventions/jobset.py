"""JobSet, `jobset.x-k8s.io/v1alpha2`: all its jobs are one gang, each replicated job a subgroup.

Replicated jobs that start in order (startupPolicy InOrder, dependsOn) are made one after another:
each is then a gang of its own. With `exclusive-topology` JobSet makes only the first pod of a job until
that one is scheduled: those first pods start together, and the domain must hold the rest too.
Source: sigs.k8s.io/jobset api/jobset/v1alpha2 and its pod webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.base import names
from mizzen.base.objects import Obj, annotations_of, key_of, labels_of, namespace_of
from mizzen.base.reading import part
from mizzen.scheduler.core.conventions.gang import Gang, Membership, Subgroup, gang_key
from mizzen.scheduler.core.conventions.reading import entries, index, whole
from mizzen.scheduler.core.conventions.topology import TopologyRequest

KIND = "JobSet"
EXCLUSIVE = "alpha.jobset.sigs.k8s.io/exclusive-topology"
NODE_SELECTOR_STRATEGY = "alpha.jobset.sigs.k8s.io/node-selector"


def member(pod: Obj) -> Membership | None:
    """The pod's place by the labels and annotations that JobSet gives it."""
    labels, annotations = labels_of(pod), annotations_of(pod)
    name = labels.get(names.JOBSET_NAME)
    if not name:
        return None
    job = index(labels.get(names.JOB_INDEX))
    completion = labels.get(names.COMPLETION_INDEX) or annotations.get(names.COMPLETION_INDEX)
    replicated = labels.get(names.REPLICATED_JOB_NAME, "")
    return Membership(
        gang=gang_key(KIND, namespace_of(pod), name),
        subgroup=job_name(replicated, job) if _exclusive_key(annotations) else replicated,
        order=(job, index(completion)),
        needs_owner=True,
    )


def job_name(replicated_job: str, job_index: int) -> str:
    """The subgroup of one job, where each wants a domain for itself."""
    return f"{replicated_job}-{job_index}"


def gang(jobset: Obj) -> Gang:
    """Counts come from the JobSet: replicas x the pods of each job that run at once."""
    spec = part(jobset, "spec")
    jobs = entries(spec, "replicatedJobs")
    subgroups = tuple(part_of for job in jobs for part_of in _subgroups(jobset, job))
    in_order = part(spec, "startupPolicy").get("startupPolicyOrder") == "InOrder"
    staged = in_order or any(job.get("dependsOn") for job in jobs)
    return Gang(
        key=gang_key(KIND, *key_of(jobset)),
        min_count=0 if staged else sum(part_of.min_count for part_of in subgroups),
        count=sum(part_of.count for part_of in subgroups),
        subgroups=subgroups,
    )


def pods_at_once(job_spec: Obj) -> int:
    """The number of pods of a batch/v1 Job that run together. Source: the Job API's defaults."""
    at_once = whole(job_spec.get("parallelism"), 1)
    return min(at_once, whole(job_spec.get("completions"), at_once))


def _subgroups(jobset: Obj, replicated: Obj) -> list[Subgroup]:
    """One for a replicated job; one for each of its jobs where each wants a domain for itself."""
    template = part(replicated, "template")
    name = str(replicated.get("name") or "")
    jobs = whole(replicated.get("replicas"), 1)
    pods = pods_at_once(part(template, "spec"))
    of_template = part(template, "metadata", "annotations")
    key = _exclusive_key({**annotations_of(jobset), **of_template})
    if not key:
        return [Subgroup(name, jobs * pods, jobs * pods)]
    topology = TopologyRequest(required=key, exclusive=key)
    return [Subgroup(job_name(name, i), min(1, pods), pods, topology) for i in range(jobs)]


def _exclusive_key(annotations: Mapping[str, str]) -> str:
    """The level asked for, "" with the node selector strategy: JobSet then names the nodes."""
    return "" if NODE_SELECTOR_STRATEGY in annotations else annotations.get(EXCLUSIVE, "")
