"""batch/v1 Job: its pods are a gang where, and only where, they ask for topology.

A Job without such annotations keeps its upstream meaning: each pod on its own.
"""

from __future__ import annotations

from mizzen.base import names
from mizzen.base.objects import Obj, annotations_of, key_of, labels_of, namespace_of
from mizzen.base.reading import part
from mizzen.scheduler.core.conventions.gang import Gang, Membership, gang_key
from mizzen.scheduler.core.conventions.jobset import pods_at_once
from mizzen.scheduler.core.conventions.reading import index

KIND = "Job"


def member(pod: Obj) -> Membership | None:
    """The pod's place in its Job, for pods whose annotations ask for topology."""
    name = labels_of(pod).get(names.JOB_NAME)
    if not name:
        return None
    completion = annotations_of(pod).get(names.COMPLETION_INDEX)
    return Membership(
        gang_key(KIND, namespace_of(pod), name), order=(index(completion),), needs_owner=True
    )


def gang(job: Obj) -> Gang:
    """All pods that run at once start together."""
    pods = pods_at_once(part(job, "spec"))
    return Gang(key=gang_key(KIND, *key_of(job)), min_count=pods, count=pods)
