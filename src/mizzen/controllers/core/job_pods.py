"""Builds the pods of a batch/v1 Job."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import chain, count
from typing import NamedTuple

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
from mizzen.controllers.core.extended_resources import (
    DeviceRequest,
    take_device_requests,
    with_claim,
)

# A finished pod keeps this until it is counted, so that deleting it cannot lose its result.
TRACKING = "batch.kubernetes.io/job-tracking"
# With it a counted pod stays until the next one of its index carries on what is written on it.
HELD = "mizzen.dev/job-index-failures"
# How often its index has failed before this pod (with it, once it is held).
FAILURE_COUNT = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURE_COUNT = "batch.kubernetes.io/job-index-ignored-failure-count"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"


def is_indexed(job: Obj) -> bool:
    return job["spec"].get("completionMode") == "Indexed"


def has_limit_per_index(job: Obj) -> bool:
    return is_indexed(job) and job["spec"].get("backoffLimitPerIndex") is not None


def completions_of(job: Obj) -> int:
    return int(job["spec"].get("completions") or 0)


def index_of(pod: Obj) -> int:
    """The pod's completion index, -1 where the annotation is no number."""
    return _number(pod, COMPLETION_INDEX, -1)


def failures_before(pod: Obj) -> Failures:
    return Failures(_number(pod, FAILURE_COUNT, 0), _number(pod, IGNORED_FAILURE_COUNT, 0))


def _number(pod: Obj, annotation: str, otherwise: int) -> int:
    text = annotations_of(pod).get(annotation) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else otherwise


class Failures(NamedTuple):
    """The failures of an index: those that its limit counts, and the others."""

    counted: int = 0
    ignored: int = 0


def pod_name(job: Obj, index: int, seed: str, is_taken: Callable[[str], bool]) -> str:
    """The name of a new pod; `seed` is where the job stands and which of its new pods this is.

    It follows from the seed: an attempt that got no answer, repeated before the caches know whether
    it succeeded, finds the name taken instead of making a second pod. Five digits are few, though:
    of a thousand pods two have the same in one job of three, so what is known to be taken is passed
    over. Otherwise the plan would be refused for ever.
    """
    stem, text = _stem(job, index), f"{uid_of(job)}/{seed}"
    texts = chain((text,), (f"{text}/{attempt}" for attempt in count(1)))
    names = (f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:5]}" for text in texts)
    return next(name for name in names if not is_taken(name))


def _stem(job: Obj, index: int) -> str:
    return f"{name_of(job)}-{index}" if is_indexed(job) else name_of(job)


def create_pod(
    job: Obj, classes: dict[str, str], index: int, failures: Failures, name: str, now_ns: int
) -> list[Action]:
    """The operations that make one pod of that name."""
    template = part(job, "spec", "template")
    metadata = part(template, "metadata")
    labels: Obj = {
        **(metadata.get("labels") or {}),
        JOB_NAME: name_of(job),
        "job-name": name_of(job),
        CONTROLLER_UID: uid_of(job),
        "controller-uid": uid_of(job),
    }
    annotations: Obj = dict(metadata.get("annotations") or {})
    spec, device_requests = _pod_spec(job, template, index, classes)
    if is_indexed(job):
        labels[COMPLETION_INDEX] = annotations[COMPLETION_INDEX] = str(index)
        spec.setdefault("hostname", _stem(job, index)[:63])
    if has_limit_per_index(job):
        annotations[FAILURE_COUNT] = str(failures.counted)
        if failures.ignored:
            annotations[IGNORED_FAILURE_COUNT] = str(failures.ignored)
    pod: Obj = {
        "metadata": {
            "name": name,
            "namespace": namespace_of(job),
            "labels": labels,
            "annotations": annotations,
            "finalizers": [TRACKING],
            "ownerReferences": [owner_reference(job)],
        },
        "spec": spec,
    }
    return with_claim(job, pod, device_requests, now_ns)


def _pod_spec(
    job: Obj, template: Obj, index: int, classes: dict[str, str]
) -> tuple[Obj, list[DeviceRequest]]:
    spec: Obj = dict(part(template, "spec"))
    device_requests: list[DeviceRequest] = []
    containers: list[Obj] = []
    for container in spec.get("containers") or ():
        changed, wanted = take_device_requests(container, classes)
        device_requests += wanted
        if is_indexed(job):
            env = [
                *(changed.get("env") or ()),
                {"name": "JOB_COMPLETION_INDEX", "value": str(index)},
            ]
            changed = {**changed, "env": env}
        containers.append(changed)
    spec["containers"] = containers
    return spec, device_requests
