"""Volcano's HyperNodes as levels of a tree: for each tier, which HyperNode a node is in.

Each node gets a value at `hypernode.volcano.sh/tier-N` for every tier that holds it, and the same
at `hypernode.volcano.sh/tier-name-NAME` where the tier has a name: labels that no Node carries,
laid over those it has. Source: volcano.sh/apis topology/v1alpha1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mizzen.base.objects import Obj, name_of
from mizzen.scheduler.core.conventions.reading import entries, index, part, text_of
from mizzen.scheduler.core.conventions.topology import Topology

_PREFIX = "hypernode.volcano.sh"
_PATTERN_MAX = 256  # characters of a regex: names of nodes need no more


def tier_key(tier: int) -> str:
    return f"{_PREFIX}/tier-{tier}"


def tier_name_key(name: str) -> str:
    return f"{_PREFIX}/tier-name-{name}"


def tree(hyper_nodes: Iterable[Obj]) -> Topology:
    """The tiers as levels, the highest (outermost) first."""
    names: dict[int, set[str]] = {}
    for item in hyper_nodes:
        spec = part(item, "spec")
        named = text_of(spec.get("tierName"))
        names.setdefault(_tier(spec), set()).update([named] if named else [])
    levels: list[str] = []
    for tier in sorted(names, reverse=True):
        levels += [tier_key(tier), *(tier_name_key(name) for name in sorted(names[tier]))]
    return Topology(tuple(levels), "HyperNode")


def labels(
    hyper_nodes: Iterable[Obj], nodes: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """For each node in a HyperNode, its values; `nodes` are the labels of nodes by name."""
    by_name = {name_of(item): item for item in hyper_nodes}
    result: dict[str, dict[str, str]] = {}
    for name in sorted(by_name):
        spec = part(by_name[name], "spec")
        named = text_of(spec.get("tierName"))
        keys = [tier_key(_tier(spec)), *([tier_name_key(named)] if named else [])]
        for node in _nodes_in(name, by_name, nodes, set()):
            for key in keys:  # of two at one tier the first in name order counts
                result.setdefault(node, {}).setdefault(key, name)
    return result


def _tier(spec: Obj) -> int:
    """A number, in older versions as digits."""
    return index(str(spec.get("tier") or 0))


def _nodes_in(
    name: str, by_name: Mapping[str, Obj], nodes: Mapping[str, Mapping[str, str]], seen: set[str]
) -> set[str]:
    """All nodes below; a HyperNode that contains itself ends there."""
    if name in seen or name not in by_name:
        return set()
    seen.add(name)
    result: set[str] = set()
    for entry in entries(part(by_name[name], "spec"), "members"):
        selector = part(entry, "selector")
        if entry.get("type") == "HyperNode":
            for child in _selected(selector, {key: {} for key in by_name}):
                result |= _nodes_in(child, by_name, nodes, seen)
        else:
            result |= _selected(selector, nodes)
    return result


def _selected(selector: Obj, candidates: Mapping[str, Mapping[str, str]]) -> set[str]:
    exact = text_of(part(selector, "exactMatch").get("name"))
    if exact:
        return {exact} & set(candidates)
    pattern = text_of(part(selector, "regexMatch").get("pattern"))
    if pattern:
        return _matching(pattern, candidates)
    wanted = part(selector, "labelMatch", "matchLabels")
    if not wanted:
        return set()
    return {
        name
        for name, labels in candidates.items()
        if all(labels.get(key) == value for key, value in wanted.items())
    }


def _matching(pattern: str, candidates: Iterable[str]) -> set[str]:
    if len(pattern) > _PATTERN_MAX:
        return set()
    try:
        compiled = re.compile(pattern)
    except re.error:
        return set()
    return {name for name in candidates if compiled.search(name)}
