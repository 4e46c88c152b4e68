"""The PodGroup and the pods of a TrainJob."""

from __future__ import annotations

from mizzen.base.names import (
    COMPLETION_INDEX,
    DISRUPTION,
    HANDED_OVER_TO,
    JOB_INDEX,
    JOB_NAME,
    JOBSET_NAME,
    MANAGED_BY,
    REPLICATED_JOB_NAME,
    RESUMABLE,
    TOPOLOGY_EXCLUSIVE,
    TOPOLOGY_PREFERRED,
    TOPOLOGY_REQUIRED,
    TOPOLOGY_SLICES,
)
from mizzen.base.objects import Obj, annotations_of, name_of, namespace_of, owner_reference
from mizzen.base.operations import Create, Patch
from mizzen.base.reading import part
from mizzen.base.resources import POD_GROUPS
from mizzen.controllers.core.actions import Action
from mizzen.controllers.core.extended_resources import (
    DeviceRequest,
    take_device_requests,
    with_claim,
)
from mizzen.controllers.core.rendezvous import Policy, environment
from mizzen.controllers.core.training_runtime import NODE, NodeTemplate
from mizzen.controllers.core.view import View

_ASKED = (TOPOLOGY_REQUIRED, TOPOLOGY_PREFERRED, TOPOLOGY_SLICES, TOPOLOGY_EXCLUSIVE)


def pod_name(job: Obj, rank: int) -> str:
    """Upstream's name of a rank's pod: `<job>-node-0-<rank>`."""
    return f"{name_of(job)}-{NODE}-0-{rank}"


def create_rank(
    job: Obj, template: NodeTemplate, classes: dict[str, str], rank: int, now_ns: int
) -> list[Action]:
    """The operations that make one rank's pod and its claim."""
    spec: Obj = dict(template.pod_spec)
    device_requests: list[DeviceRequest] = []
    containers: list[Obj] = []
    for container in spec["containers"]:
        changed, wanted = take_device_requests(container, classes)
        device_requests += wanted
        if container["name"] == NODE and template.policy is not None:
            env: list[Obj] = changed.get("env") or []
            changed = {
                **changed,
                "env": _with_rendezvous(env, job, template.policy, template.num_nodes, rank),
            }
        containers.append(changed)
    spec["containers"] = containers
    spec.setdefault("restartPolicy", "OnFailure")
    spec["hostname"] = pod_name(job, rank)
    spec["subdomain"] = name_of(job)
    spec["schedulingGroup"] = {"podGroupName": name_of(job)}
    spec.setdefault("schedulerName", HANDED_OVER_TO)
    if not spec.get("serviceAccountName"):  # who names one has it speak to the API
        spec.setdefault("automountServiceAccountToken", False)
    return with_claim(job, _pod(job, template, rank, spec), device_requests, now_ns)


def pod_group_actions(job: Obj, template: NodeTemplate, group: Obj | None) -> list[Action]:
    """Makes the gang's PodGroup, or brings its minimum up to date."""
    wanted = {"gang": {"minCount": template.min_nodes}}
    said = {**template.annotations, **annotations_of(job)}  # the job's prevail
    asked = {key: said[key] for key in _ASKED if said.get(key)}
    if group is None:
        spec: Obj = {"schedulingPolicy": wanted}
        if template.pod_spec.get("priorityClassName"):
            spec["priorityClassName"] = template.pod_spec["priorityClassName"]
        metadata: Obj = {
            "name": name_of(job),
            "namespace": namespace_of(job),
            "ownerReferences": [owner_reference(job)],
        }
        labels, annotations = part(job, "spec", "labels"), part(job, "spec", "annotations")
        if labels:
            metadata["labels"] = labels
        if asked or annotations:
            metadata["annotations"] = {**annotations, **asked}
        return [Create(POD_GROUPS, {"metadata": metadata, "spec": spec})]
    change: Obj = {}
    if group["spec"].get("schedulingPolicy") != wanted:
        change["spec"] = {"schedulingPolicy": wanted}
    known = annotations_of(group)
    news = {key: asked.get(key) for key in _ASKED if known.get(key) != asked.get(key)}
    if news:
        change["metadata"] = {"annotations": news}
    return [Patch(POD_GROUPS, namespace_of(job), name_of(job), change)] if change else []


def pod_group_of(view: View, job: Obj) -> Obj | None:
    """The PodGroup that this job owns, if it is there."""
    return next(iter(view.owned(POD_GROUPS, job)), None)


def _pod(job: Obj, template: NodeTemplate, rank: int, spec: Obj) -> Obj:
    return {
        "metadata": {
            "name": pod_name(job, rank),
            "namespace": namespace_of(job),
            "labels": {
                **template.labels,
                JOBSET_NAME: name_of(job),
                REPLICATED_JOB_NAME: NODE,
                JOB_INDEX: "0",
                JOB_NAME: f"{name_of(job)}-{NODE}-0",
                COMPLETION_INDEX: str(rank),
                MANAGED_BY: "mizzen",
            },
            "annotations": {
                DISRUPTION: RESUMABLE,
                **template.annotations,
                COMPLETION_INDEX: str(rank),
            },
            "ownerReferences": [owner_reference(job)],
        },
        "spec": spec,
    }


def _with_rendezvous(
    env: list[Obj], job: Obj, policy: Policy, size_max: int, rank: int
) -> list[Obj]:
    """By which the workers find each other; what the user set by the same name is replaced, as
    upstream."""
    host = f"{pod_name(job, 0)}.{name_of(job)}"
    ours = environment(policy, host, rank, size_max)
    kept = [entry for entry in env if entry["name"] not in ours]
    return kept + [{"name": name, "value": value} for name, value in ours.items()]
