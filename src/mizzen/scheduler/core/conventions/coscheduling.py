"""Coscheduling of scheduler-plugins: a label on pods, PodGroup of `scheduling.x-k8s.io/v1alpha1`.

Source: sigs.k8s.io/scheduler-plugins apis/scheduling/v1alpha1. minResources and
scheduleTimeoutSeconds concern how that plugin waits, which ours need not.
"""

from __future__ import annotations

from mizzen.base.objects import Obj, annotations_of, key_of, labels_of, namespace_of
from mizzen.base.reading import part
from mizzen.scheduler.core.conventions.gang import Gang, Membership, Refused, gang_key
from mizzen.scheduler.core.conventions.pod_group import annotated
from mizzen.scheduler.core.conventions.reading import whole

KIND = "CoschedulingPodGroup"
LABEL = "scheduling.x-k8s.io/pod-group"


def member(pod: Obj) -> Membership | None:
    """The pod's place in the group its label names."""
    name = labels_of(pod).get(LABEL)
    return (
        Membership(gang=gang_key(KIND, namespace_of(pod), name), needs_owner=True) if name else None
    )


def gang(group: Obj) -> Gang:
    """minMember pods start together or none."""
    topology = annotated(annotations_of(group))
    return Gang(
        key=gang_key(KIND, *key_of(group)),
        min_count=whole(part(group, "spec").get("minMember")),
        topology=None if isinstance(topology, Refused) else topology,
        refused=topology if isinstance(topology, Refused) else None,
    )
