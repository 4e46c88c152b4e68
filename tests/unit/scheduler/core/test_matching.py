"""Node selectors, taints and tolerations, as component-helpers defines them."""

from __future__ import annotations

import pytest

from mizzen.scheduler.core.dra.model import NodeScope, Taint
from mizzen.scheduler.core.matching import reaches, selects, untolerated
from mizzen.scheduler.core.views import node_selector, node_view, tolerations
from support.scheduler_world import node

NODE = node_view(node("n1", labels={"zone": "a", "chips": "8"}))


@pytest.mark.parametrize(
    ("requirement", "matches"),
    [
        ({"key": "zone", "operator": "In", "values": ["a", "b"]}, True),
        ({"key": "zone", "operator": "NotIn", "values": ["a"]}, False),
        ({"key": "rack", "operator": "NotIn", "values": ["a"]}, True),
        ({"key": "rack", "operator": "Exists"}, False),
        ({"key": "rack", "operator": "DoesNotExist"}, True),
        ({"key": "chips", "operator": "Gt", "values": ["7"]}, True),
        ({"key": "chips", "operator": "Lt", "values": ["8"]}, False),
        ({"key": "zone", "operator": "Gt", "values": ["1"]}, False),
        ({"key": "zone", "operator": "Near", "values": ["a"]}, False),
    ],
)
def test_expressions(requirement: dict[str, object], matches: bool) -> None:
    selector = node_selector({"nodeSelectorTerms": [{"matchExpressions": [requirement]}]})
    assert selects(selector, NODE) == matches


def test_terms_are_alternatives_and_empty_ones_match_nothing() -> None:
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    other = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z"]}]}
    assert selects(node_selector({"nodeSelectorTerms": [other, by_name]}), NODE)
    assert not selects(node_selector({"nodeSelectorTerms": [{}]}), NODE)
    assert not selects(node_selector({"nodeSelectorTerms": [{**by_name, **other}]}), NODE)


def test_scopes() -> None:
    assert reaches(NodeScope("n1"), NODE)
    assert not reaches(NodeScope("n2"), NODE)
    assert reaches(NodeScope(all_nodes=True), NODE)
    assert not reaches(NodeScope(), NODE)


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], tolerated: bool) -> None:
    taint = Taint("k", "v", "NoSchedule")
    assert (untolerated([taint], tolerations([toleration])) is None) == tolerated


def test_preferences_repel_nobody() -> None:
    assert untolerated([Taint("k", "v", "PreferNoSchedule")], ()) is None
