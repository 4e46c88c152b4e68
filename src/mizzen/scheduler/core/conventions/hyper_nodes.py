"""Volcano's HyperNodes as levels of a tree: for each tier, which HyperNode a node is in.

Each node gets a value at `hypernode.volcano.sh/tier-N` for every tier that holds it, and the same
at `hypernode.volcano.sh/tier-name-NAME` where the tier has a name: labels that no Node carries,
laid over those it has. Source: volcano.sh/apis topology/v1alpha1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mizzen.base.objects import Obj, name_of
from mizzen.base.reading import part
from mizzen.cel.regex import RegexError, compiled
from mizzen.scheduler.core.conventions.reading import entries, index, text_of
from mizzen.scheduler.core.conventions.topology import Topology

_PREFIX = "hypernode.volcano.sh"
_PATTERN_MAX = 256  # characters of a regex: names of nodes need no more
_AUTOMATON_MAX = 4096  # steps that looking at one character may take


_Members = tuple[set[str], set[str]]  # names of HyperNodes and of nodes


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
    children: Mapping[str, Mapping[str, str]] = {name: {} for name in by_name}
    inside = {name: _members(item, children, nodes) for name, item in by_name.items()}
    result: dict[str, dict[str, str]] = {}
    for name in sorted(by_name):
        spec = part(by_name[name], "spec")
        named = text_of(spec.get("tierName"))
        keys = [tier_key(_tier(spec)), *([tier_name_key(named)] if named else [])]
        for node in _nodes_in(name, inside):
            for key in keys:  # of two at one tier the first in name order counts
                result.setdefault(node, {}).setdefault(key, name)
    return result


def _tier(spec: Obj) -> int:
    """A number, in older versions as digits."""
    return index(str(spec.get("tier") or 0))


def _members(
    item: Obj,
    hyper_nodes: Mapping[str, Mapping[str, str]],
    nodes: Mapping[str, Mapping[str, str]],
) -> _Members:
    """The HyperNodes and the nodes right below."""
    below, leaves = set[str](), set[str]()
    for entry in entries(part(item, "spec"), "members"):
        selector = part(entry, "selector")
        if entry.get("type") == "HyperNode":
            below |= _selected(selector, hyper_nodes)
        else:
            leaves |= _selected(selector, nodes)
    return below, leaves


def _nodes_in(name: str, inside: Mapping[str, _Members]) -> set[str]:
    """All nodes below; a HyperNode that contains itself ends there."""
    result: set[str] = set()
    seen, left = {name}, [name]
    while left:
        below, leaves = inside[left.pop()]
        result |= leaves
        left += below - seen
        seen |= below
    return result


def _selected(selector: Obj, candidates: Mapping[str, Mapping[str, str]]) -> set[str]:
    exact = text_of(part(selector, "exactMatch").get("name"))
    if exact:
        return {exact} if exact in candidates else set()
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
        automaton = compiled(pattern)
    except RegexError:
        return set()
    if automaton.size > _AUTOMATON_MAX:
        return set()
    return {name for name in candidates if automaton.matches(name)}
