"""KAI: pods name a PodGroup of `scheduling.run.ai/v2alpha2` by annotation, a subgroup by label.

Source: KAI-Scheduler pkg/apis/scheduling/v2alpha2. Subgroups of subgroups are refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.base.objects import Obj, annotations_of, key_of, labels_of, namespace_of
from mizzen.base.reading import part
from mizzen.scheduler.core.conventions.gang import Gang, Membership, Refused, Subgroup, gang_key
from mizzen.scheduler.core.conventions.reading import entries, request, text_of, whole
from mizzen.scheduler.core.conventions.topology import TopologyRequest

KIND = "KaiPodGroup"
ANNOTATION = "pod-group-name"
SUBGROUP = "kai.scheduler/subgroup-name"


def member(pod: Obj) -> Membership | None:
    """The pod's place in the PodGroup its annotation names."""
    name = annotations_of(pod).get(ANNOTATION)
    if not name:
        return None
    key = gang_key(KIND, namespace_of(pod), name)
    return Membership(key, labels_of(pod).get(SUBGROUP, ""), needs_owner=True)


def gang(group: Obj, classes: Mapping[str, int] | None = None) -> Gang:
    """minMember in all, minMember of each subgroup, required and preferred levels of both."""
    spec = part(group, "spec")
    listed = entries(spec, "subGroups")
    nested = [text_of(entry.get("name")) for entry in listed if entry.get("parent")]
    parts = tuple(
        Subgroup(
            text_of(entry.get("name")),
            whole(entry.get("minMember")),
            topology=_levels(part(entry, "topologyConstraint")),
        )
        for entry in listed
    )
    text = f"subGroups {', '.join(nested)} have a parent; only one layer of subgroups is understood"
    return Gang(
        key=gang_key(KIND, *key_of(group)),
        min_count=max(whole(spec.get("minMember")), sum(p.min_count for p in parts)),
        topology=_levels(part(spec, "topologyConstraint")),
        subgroups=parts,
        priority=(classes or {}).get(text_of(spec.get("priorityClassName"))),
        refused=Refused("NestedSubgroups", text) if nested else None,
    )


def _levels(constraint: Obj) -> TopologyRequest | None:
    return request(
        text_of(constraint.get("requiredTopologyLevel")),
        text_of(constraint.get("preferredTopologyLevel")),
    )
