"""The first contradiction of a gang's requests, with each other or with its tree, or nothing."""

from __future__ import annotations

from mizzen.scheduler.core.conventions.gang import Gang, Refused, Subgroup
from mizzen.scheduler.core.conventions.topology import Slice, Topology, TopologyRequest


def contradiction(gang: Gang, tree: Topology | None) -> Refused | None:
    """Why no placement can ever satisfy the gang; None if one may. `tree` knows all it names."""
    if gang.refused is not None:
        return gang.refused
    found = _counts(gang)
    if found is None and tree is not None:
        found = _levels(gang, tree)
    return found


def _counts(gang: Gang) -> Refused | None:
    if gang.count and gang.min_count > gang.count:
        text = f"{gang.min_count} members are to start together, and there are {gang.count} in all"
        return Refused("MinCountAboveTotal", f"{text}; lower the minimum")
    if gang.max_count and gang.min_count > gang.max_count:
        text = f"at least {gang.min_count} members are to run and at most {gang.max_count}"
        return Refused("MaxCountBelowMinCount", f"{text}; raise the maximum")
    for part in gang.subgroups:
        if part.count and part.min_count > part.count:
            text = f'subgroup "{part.name}" needs {part.min_count} members and has {part.count}'
            return Refused("MinCountAboveTotal", f"{text} in all; lower its minimum")
    needed = sum(part.min_count for part in gang.subgroups)
    if gang.max_count and needed > gang.max_count:
        text = f"the subgroups need {needed} members, and at most {gang.max_count} may run"
        return Refused("MaxCountBelowMinCount", f"{text}; raise the maximum")
    return None


def _levels(gang: Gang, tree: Topology) -> Refused | None:
    outer = gang.topology or TopologyRequest()
    found = _request("the gang", outer, tree, gang.count)
    for part in gang.subgroups:
        found = found or _subgroup(part, outer, tree)
    return found


def _subgroup(part: Subgroup, outer: TopologyRequest, tree: Topology) -> Refused | None:
    if part.topology is None:
        return None
    who = f'subgroup "{part.name}"'
    levels = [part.topology.required, *(layer.required for layer in part.topology.slices)]
    for level in levels:
        if _is_outside(level, outer.required, tree):
            return _outside(who, level, "the gang", outer.required)
    return _request(who, part.topology, tree, part.count)


def _request(who: str, asked: TopologyRequest, tree: Topology, count: int) -> Refused | None:
    outer = Slice(0, asked.required)
    for layer in asked.slices:
        if _is_outside(layer.required, outer.required, tree):
            whose = f"slices of {layer.size} of {who}"
            return _outside(whose, layer.required, who, outer.required)
        if outer.size and outer.size % layer.size:
            text = f"{who}: slices of {outer.size} cannot be cut into slices of {layer.size}"
            return Refused("InvalidTopologyRequest", f"{text}; make one a multiple of the other")
        outer = layer
    largest = max((layer.size for layer in asked.slices), default=0)
    if count and largest > count:
        text = f"{who} has {count} members, fewer than one slice of {largest}; lower its size"
        return Refused("InvalidTopologyRequest", text)
    bound = (asked.required, *(layer.required for layer in asked.slices[:1]))
    if asked.exclusive and asked.exclusive not in bound:
        text = f"{who} asks for a {asked.exclusive} of its own"
        held = next((key for key in reversed(bound) if key), "no level at all")
        return Refused(
            "ExclusiveWithoutDomain",
            f"{text}, but its members are held together by {held}; require {asked.exclusive}",
        )
    return None


def _is_outside(inner: str, outer: str, tree: Topology) -> bool:
    """True if what should lie inside lies further out; unnamed levels bind nothing."""
    inner_depth, outer_depth = tree.depth(inner), tree.depth(outer)
    return inner_depth is not None and outer_depth is not None and inner_depth < outer_depth


def _outside(who: str, level: str, whose: str, required: str) -> Refused:
    return Refused(
        "TopologyConflict",
        f"{who} is to lie within one {level}, which is wider than the {required} that {whose}"
        " requires; swap the levels, or leave the inner one out",
    )
