"""Kueue: pod groups by label, topology by annotations, trees by Topology objects.

A pod group starts together, `pod-group-total-count` members of it; with fast admission its pods
come one by one. Topology annotations are those of a PodSet, the pods made from one template.
Source: kueue.x-k8s.io/v1beta1 and v1beta2, KEP-2724 (topology aware scheduling).
"""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.base.objects import Obj, annotations_of, labels_of, name_of, namespace_of
from mizzen.base.reading import part
from mizzen.scheduler.core.conventions.gang import Gang, Membership, Refused, Subgroup, gang_key
from mizzen.scheduler.core.conventions.reading import (
    count,
    entries,
    index,
    json_list,
    request,
    text_of,
)
from mizzen.scheduler.core.conventions.topology import Slice, Topology, TopologyRequest

KIND = "KueuePodGroup"
_PREFIX = "kueue.x-k8s.io"
GROUP_NAME = f"{_PREFIX}/pod-group-name"
TOTAL_COUNT = f"{_PREFIX}/pod-group-total-count"
FAST_ADMISSION = f"{_PREFIX}/pod-group-fast-admission"
ROLE = f"{_PREFIX}/pod-group-role"
ROLE_HASH = f"{_PREFIX}/role-hash"
POD_INDEX = f"{_PREFIX}/pod-group-pod-index"
REQUIRED = f"{_PREFIX}/podset-required-topology"
PREFERRED = f"{_PREFIX}/podset-preferred-topology"
UNCONSTRAINED = f"{_PREFIX}/podset-unconstrained-topology"
SLICE_REQUIRED = f"{_PREFIX}/podset-slice-required-topology"
SLICE_SIZE = f"{_PREFIX}/podset-slice-size"
SLICE_LAYERS = f"{_PREFIX}/podset-slice-required-topology-constraints"
PODSET_GROUP = f"{_PREFIX}/podset-group-name"
LAYERS_MAX = 3


def member(pod: Obj) -> Membership | None:
    """The pod's place in its group, and the group as it describes it."""
    labels, annotations = labels_of(pod), annotations_of(pod)
    name = labels.get(GROUP_NAME)
    if not name:
        return None
    key = gang_key(KIND, namespace_of(pod), name)
    total = count(annotations.get(TOTAL_COUNT), f"annotation {TOTAL_COUNT} of a pod group's pod")
    topology = asked(annotations)
    for refusal in (total, topology):
        if isinstance(refusal, Refused):
            return Membership(gang=key, refused=refusal)
    assert not isinstance(total, Refused) and not isinstance(topology, Refused)
    subgroup = podset(pod) if topology is not None else ""
    described = Gang(
        key=key,
        min_count=0 if annotations.get(FAST_ADMISSION) == "true" else total,
        count=total,
        subgroups=(Subgroup(subgroup, topology=topology),) if subgroup else (),
        topology=None if subgroup else topology,
    )
    order = (index(labels.get(POD_INDEX)),)
    return Membership(key, subgroup, order, described=described)


def podset(pod: Obj) -> str:
    """The name under which pods share one topology request; "" where all of a gang do."""
    labels, annotations = labels_of(pod), annotations_of(pod)
    return annotations.get(PODSET_GROUP) or labels.get(ROLE) or annotations.get(ROLE_HASH) or ""


def asked(annotations: Mapping[str, str]) -> TopologyRequest | Refused | None:
    """The request of a PodSet's annotations; None where they ask nothing."""
    required, preferred = annotations.get(REQUIRED, ""), annotations.get(PREFERRED, "")
    given = [key for key in (REQUIRED, PREFERRED) if annotations.get(key)]
    if annotations.get(UNCONSTRAINED) == "true":
        given.append(UNCONSTRAINED)
    if len(given) > 1:
        text = f"annotations {' and '.join(given)} exclude each other; keep one"
        return Refused("TopologyConflict", text)
    layers = _layers(annotations)
    return layers if isinstance(layers, Refused) else request(required, preferred, layers)


def topology(obj: Obj) -> Topology:
    """A Topology object's tree."""
    levels = [text_of(level.get("nodeLabel")) for level in entries(part(obj, "spec"), "levels")]
    return Topology(tuple(level for level in levels if level), name_of(obj))


def _layers(annotations: Mapping[str, str]) -> tuple[Slice, ...] | Refused:
    several, key = annotations.get(SLICE_LAYERS), annotations.get(SLICE_REQUIRED)
    size = annotations.get(SLICE_SIZE)
    if several is not None:
        if key or size:
            text = f"annotation {SLICE_LAYERS} excludes {SLICE_REQUIRED} and {SLICE_SIZE}"
            return Refused("TopologyConflict", f"{text}; keep one way")
        return _several(several)
    if not key and size is None:
        return ()
    if not key or size is None:
        missing, present = (SLICE_REQUIRED, SLICE_SIZE) if not key else (SLICE_SIZE, SLICE_REQUIRED)
        text = f"annotation {present} needs {missing} beside it; set both"
        return Refused("InvalidTopologyRequest", text)
    number = count(size, f"annotation {SLICE_SIZE}")
    return number if isinstance(number, Refused) else (Slice(number, key),)


def _several(text: str) -> tuple[Slice, ...] | Refused:
    listed = json_list(text, f"annotation {SLICE_LAYERS}")
    if isinstance(listed, Refused):
        return listed
    result: list[Slice] = []
    for entry in listed:
        key, size = text_of(entry.get("topology")), count(entry.get("size"), "a layer's size")
        if not key or isinstance(size, Refused):
            text = f"annotation {SLICE_LAYERS}: each layer needs topology and a whole size"
            return Refused("InvalidTopologyRequest", text)
        result.append(Slice(size, key))
    if not 1 <= len(result) <= LAYERS_MAX:
        text = f"annotation {SLICE_LAYERS} has {len(result)} layers, 1 to {LAYERS_MAX} are allowed"
        return Refused("InvalidTopologyRequest", text)
    return tuple(result)
