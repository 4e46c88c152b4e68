"""Tells changes that may change a decision from those for which the scheduler sleeps on.

Everything can, but what is named here: what kubelets and agents tell of a pod's life, and what
statuses tell of decisions already made. Nothing else asks for another look, so a change left out
here by mistake would leave pods waiting for ever.
"""

from __future__ import annotations

from mizzen.base import names
from mizzen.base.objects import Obj, annotations_of, labels_of
from mizzen.base.resources import JOBS, POD_GROUPS, PODS, Resource
from mizzen.scheduler.core.conventions.membership import membership
from mizzen.scheduler.core.conventions.watched import OPTIONAL

_REPORTING = frozenset((POD_GROUPS, JOBS, *OPTIONAL))  # their status is somebody's report
_OF_METADATA = frozenset({"resourceVersion", "managedFields", "generation"})
_OF_STATUS = ("phase", "resourceClaimStatuses", "extendedResourceClaimStatus", "nominatedNodeName")


def matters(resource: Resource, event: str, old: Obj | None, new: Obj) -> bool:
    """True if the scheduler has to look again after this event of an informer."""
    if old is None or event == "DELETED":
        return True
    if old is new:
        return False
    if resource == PODS:
        return _of_pod(old) != _of_pod(new)
    return resource not in _REPORTING or _wanted(old) != _wanted(new)


def _of_pod(pod: Obj) -> tuple[object, ...]:
    """The parts that places and victims rest on; of a bound pod not what its agent notes on it."""
    status: Obj = pod.get("status") or {}
    metadata: Obj = pod["metadata"]
    spec: Obj = pod["spec"]
    return (
        metadata.get("uid"),
        metadata.get("deletionTimestamp"),
        labels_of(pod),
        membership(pod) if spec.get("nodeName") else _notes(pod),
        spec,
        [status.get(name) for name in _OF_STATUS],
    )


def _notes(pod: Obj) -> Obj:
    """Annotations of a pod that waits, but for why it does."""
    return {k: v for k, v in annotations_of(pod).items() if k != names.UNSCHEDULABLE}


def _wanted(obj: Obj) -> Obj:
    """Everything but the status."""
    metadata = {k: v for k, v in obj["metadata"].items() if k not in _OF_METADATA}
    return {k: v for k, v in obj.items() if k not in ("metadata", "status")} | {"": metadata}
