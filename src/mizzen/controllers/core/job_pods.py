"""What the pods of a batch/v1 Job look like."""

from __future__ import annotations

import hashlib

from mizzen.base.names import COMPLETION_INDEX, JOB_NAME
from mizzen.base.objects import (
    Obj,
    annotations_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.reading import part
from mizzen.controllers.core.actions import Action
from mizzen.controllers.core.extended_resources import DeviceWish, take_wishes, with_claim

# A finished pod keeps this until it is counted, so that deleting it cannot lose its result.
TRACKING = "batch.kubernetes.io/job-tracking"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"


def is_indexed(job: Obj) -> bool:
    return job["spec"].get("completionMode") == "Indexed"


def index_of(pod: Obj) -> int:
    return int(annotations_of(pod).get(COMPLETION_INDEX) or 0)


def create_pod(
    job: Obj, classes: dict[str, str], index: int, seed: str, now_ns: int
) -> list[Action]:
    """The operations that make one pod; `seed` is where the job stands and which of its new pods
    this is. The name follows from it: an attempt that got no answer, repeated before the caches
    know whether it succeeded, finds the name taken instead of making a second pod."""
    template = part(job, "spec", "template")
    metadata = part(template, "metadata")
    suffix = hashlib.sha256(f"{uid_of(job)}/{seed}".encode()).hexdigest()[:5]
    stem = f"{name_of(job)}-{index}" if is_indexed(job) else name_of(job)
    labels: Obj = {
        **(metadata.get("labels") or {}),
        JOB_NAME: name_of(job),
        "job-name": name_of(job),
        CONTROLLER_UID: uid_of(job),
        "controller-uid": uid_of(job),
    }
    annotations: Obj = dict(metadata.get("annotations") or {})
    spec, wishes = _pod_spec(job, template, index, classes)
    if is_indexed(job):
        labels[COMPLETION_INDEX] = annotations[COMPLETION_INDEX] = str(index)
        spec.setdefault("hostname", stem[:63])
    pod: Obj = {
        "metadata": {
            "name": f"{stem}-{suffix}",
            "namespace": namespace_of(job),
            "labels": labels,
            "annotations": annotations,
            "finalizers": [TRACKING],
            "ownerReferences": [owner_reference(job)],
        },
        "spec": spec,
    }
    return with_claim(job, pod, wishes, now_ns)


def _pod_spec(
    job: Obj, template: Obj, index: int, classes: dict[str, str]
) -> tuple[Obj, list[DeviceWish]]:
    spec: Obj = dict(part(template, "spec"))
    wishes: list[DeviceWish] = []
    containers: list[Obj] = []
    for container in spec.get("containers") or ():
        changed, wanted = take_wishes(container, classes)
        wishes += wanted
        if is_indexed(job):
            env = [
                *(changed.get("env") or ()),
                {"name": "JOB_COMPLETION_INDEX", "value": str(index)},
            ]
            changed = {**changed, "env": env}
        containers.append(changed)
    spec["containers"] = containers
    return spec, wishes
