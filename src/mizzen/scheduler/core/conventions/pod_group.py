"""PodGroup of `scheduling.k8s.io/v1alpha2`, with what our own annotations add to it.

Pods name theirs in `spec.schedulingGroup.podGroupName`. Controllers copy a PodGroup's spec from
a template of a Workload; the scheduler reads the copy alone, as upstream's does.
Source: k8s.io/api scheduling/v1alpha2, 1.36. Of `schedulingConstraints.topology` the first counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.base import names
from mizzen.base.objects import Key, Obj, annotations_of, key_of, namespace_of
from mizzen.base.reading import part
from mizzen.scheduler.core.conventions.gang import Disruption, Gang, Membership, Refused, Subgroup
from mizzen.scheduler.core.conventions.reading import (
    count,
    entries,
    index,
    json_list,
    request,
    slices,
    text_of,
    whole,
)
from mizzen.scheduler.core.conventions.topology import TopologyRequest

KIND = "PodGroup"


def member(pod: Obj) -> Membership | None:
    """The pod's place in its PodGroup; None where it names none.

    `spec.workloadRef` was 1.35's way (v1alpha1), which 1.36 no longer serves: refused.
    """
    spec: Obj = pod["spec"]
    name = text_of(part(spec, "schedulingGroup").get("podGroupName"))
    annotations = annotations_of(pod)
    if name:
        return Membership(
            gang=Key(namespace_of(pod), name),
            subgroup=annotations.get(names.SUBGROUP, ""),
            order=(index(annotations.get(names.COMPLETION_INDEX)),),
            needs_owner=True,
        )
    if spec.get("workloadRef"):
        return Membership(
            refused=Refused(
                "WorkloadRefNotSupported",
                "spec.workloadRef is of scheduling.k8s.io/v1alpha1, which Kubernetes 1.36 no longer"
                " serves; name a PodGroup in spec.schedulingGroup.podGroupName",
            )
        )
    return None


def gang(group: Obj, classes: Mapping[str, int] | None = None) -> Gang:
    """The gang of a PodGroup; `classes` are the priorities of PriorityClasses by name."""
    spec = part(group, "spec")
    key = key_of(group)
    minimum = part(spec, "schedulingPolicy", "gang").get("minCount")
    topology = asked(group)
    subgroups = _subgroups(group)
    maximum = _max_count(group)
    refusals = [r for r in (topology, subgroups, maximum) if isinstance(r, Refused)]
    mode = spec.get("disruptionMode")
    disruption: Disruption = "PodGroup" if mode == "PodGroup" else "Pod"
    priority = spec.get("priority")
    if priority is None and classes is not None:
        priority = classes.get(text_of(spec.get("priorityClassName")))
    return Gang(
        key=key,
        min_count=whole(minimum),
        max_count=0 if isinstance(maximum, Refused) else maximum,
        topology=None if isinstance(topology, Refused) else topology,
        subgroups=() if isinstance(subgroups, Refused) else subgroups,
        disruption=disruption,
        priority=priority if isinstance(priority, int) else None,
        refused=refusals[0] if refusals else None,
    )


def asked(group: Obj) -> TopologyRequest | Refused | None:
    """The group's topology: its constraint, and our annotations on it."""
    constraints = entries(part(group, "spec", "schedulingConstraints"), "topology")
    constraint = text_of(constraints[0].get("key")) if constraints else ""
    own = annotated(annotations_of(group))
    if isinstance(own, Refused) or not constraint:
        return own
    if own is not None and own.required not in ("", constraint):
        return Refused(
            "TopologyConflict",
            f"spec.schedulingConstraints.topology asks for {constraint} and the annotation"
            f" {names.TOPOLOGY_REQUIRED} for {own.required}; leave one of them out",
        )
    own = own or TopologyRequest()
    return request(constraint, own.preferred, own.slices, own.exclusive)


def annotated(annotations: Mapping[str, str]) -> TopologyRequest | Refused | None:
    """The request of our annotations; None where they ask nothing."""
    layers = ()
    text = annotations.get(names.TOPOLOGY_SLICES, "").strip()
    if text:
        layers = slices(text, f"annotation {names.TOPOLOGY_SLICES}")
    if isinstance(layers, Refused):
        return layers
    required = annotations.get(names.TOPOLOGY_REQUIRED, "")
    exclusive = annotations.get(names.TOPOLOGY_EXCLUSIVE, "")
    if exclusive and not required and not layers:
        required = exclusive  # a domain of one's own holds all of one
    return request(required, annotations.get(names.TOPOLOGY_PREFERRED, ""), layers, exclusive)


def _max_count(group: Obj) -> int | Refused:
    text = annotations_of(group).get(names.MAX_COUNT)
    return 0 if text is None else count(text, f"annotation {names.MAX_COUNT}")


def _subgroups(group: Obj) -> tuple[Subgroup, ...] | Refused:
    text = annotations_of(group).get(names.SUBGROUPS)
    if text is None:
        return ()
    what = f"annotation {names.SUBGROUPS}"
    listed = json_list(text, what)
    if isinstance(listed, Refused):
        return listed
    result: list[Subgroup] = []
    for entry in listed:
        name = text_of(entry.get("name"))
        if not name or any(known.name == name for known in result):
            return Refused("InvalidSubgroups", f"{what}: each entry needs a name of its own")
        least = count(entry.get("minCount", 0), f"{what}: minCount of {name}", least=0)
        total = count(entry.get("count", 0), f"{what}: count of {name}", least=0)
        if isinstance(least, Refused):
            return least
        if isinstance(total, Refused):
            return total
        topology = request(
            text_of(entry.get("required")),
            text_of(entry.get("preferred")),
            exclusive=text_of(entry.get("exclusive")),
        )
        result.append(Subgroup(name, least, total, topology))
    return tuple(result)
