"""Where pods ask to go: what upstream refuses is refused, with upstream's fields."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.selectors import int64
from mizzen.kinds.core.placement_rules import NEIGHBOUR_CONDITIONS_MAX, check_placement
from mizzen.kinds.core.pod_rules import validate_pod_spec

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
NODES = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"


def causes(**spec: Any) -> list[str]:
    containers = spec.pop("containers", [{"name": "c", "image": "x"}])
    return [c.field for c in validate_pod_spec({"containers": containers, **spec}, "spec")]


def node_affinity(**condition: Any) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "k", **condition}]}
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}


AT = f"{NODES}[0].matchExpressions[0]"


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"operator": "In", "values": ["a", "b"]}, ""),
        ({"operator": "In"}, f"{AT}.values"),
        ({"operator": "NotIn", "values": []}, f"{AT}.values"),
        ({"operator": "Exists"}, ""),
        ({"operator": "Exists", "values": ["a"]}, f"{AT}.values"),
        ({"operator": "Gt", "values": ["1"]}, ""),
        ({"operator": "Lt", "values": ["-1"]}, ""),
        ({"operator": "Gt", "values": ["1", "2"]}, f"{AT}.values"),
        ({"operator": "Gt", "values": ["1_0"]}, f"{AT}.values[0]"),
        ({"operator": "Gt", "values": ["٣"]}, f"{AT}.values[0]"),
        ({"operator": "In", "values": ["٣"]}, f"{AT}.values[0]"),
        ({"operator": "In", "values": [" 4"]}, f"{AT}.values[0]"),
        ({"key": "x y", "operator": "Exists"}, f"{AT}.key"),
    ],
)
def test_conditions_on_nodes(condition: dict[str, Any], field: str) -> None:
    assert causes(affinity=node_affinity(**condition)) == ([field] if field else [])
    preferred = {"weight": 1, "preference": {"matchExpressions": [{"key": "k", **condition}]}}
    found = causes(affinity={"nodeAffinity": {PREFERRED: [preferred]}})
    assert len(found) == bool(field)


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        ({"key": "metadata.name", "operator": "In", "values": ["n"]}, []),
        ({"key": "metadata.namespace", "operator": "In", "values": ["n"]}, ["key"]),
        ({"key": "metadata.name", "operator": "In", "values": ["n", "m"]}, ["values"]),
        ({"key": "metadata.name", "operator": "Exists"}, ["operator"]),
    ],
)
def test_conditions_on_fields(condition: dict[str, Any], fields: list[str]) -> None:
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchFields": [condition]}]}}}
    assert causes(affinity=affinity) == [f"{NODES}[0].matchFields[0].{name}" for name in fields]


def test_a_node_selector_has_a_term() -> None:
    assert causes(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}) == [NODES]


SELECTOR = {"matchLabels": {"a": "b"}}


@pytest.mark.parametrize(
    ("term", "field"),
    [
        ({"topologyKey": "zone", "labelSelector": SELECTOR}, ""),
        ({"topologyKey": ""}, "topologyKey"),
        ({"topologyKey": "a b"}, "topologyKey"),
        ({"topologyKey": "z", "namespaces": ["A"]}, "namespaces[0]"),
        ({"topologyKey": "z", "matchLabelKeys": ["x"]}, "matchLabelKeys"),
        (
            {"topologyKey": "z", "labelSelector": SELECTOR, "matchLabelKeys": ["a"]},
            "matchLabelKeys[0]",
        ),
        ({"topologyKey": "z", "labelSelector": SELECTOR, "mismatchLabelKeys": ["x"]}, ""),
        (
            {"topologyKey": "z", "labelSelector": {"matchLabels": {"a": "b c"}}},
            "labelSelector.matchLabels",
        ),
        (
            {"topologyKey": "z", "namespaceSelector": {"matchExpressions": [
                {"key": "k", "operator": "In"}]}},
            "namespaceSelector.matchExpressions[0].values",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
def test_pods_to_be_near_to_or_far_from(kind: str, term: dict[str, Any], field: str) -> None:
    at = f"spec.affinity.{kind}.{REQUIRED}[0]."
    assert causes(affinity={kind: {REQUIRED: [term]}}) == ([at + field] if field else [])
    preferred = {"weight": 1, "podAffinityTerm": term}
    assert len(causes(affinity={kind: {PREFERRED: [preferred]}})) == bool(field)


def spread(**more: Any) -> dict[str, Any]:
    return {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", **more}


@pytest.mark.parametrize(
    ("constraints", "field"),
    [
        ([spread(minDomains=2)], ""),
        ([spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway")], "[0].minDomains"),
        ([spread(), spread()], "[1].{topologyKey, whenUnsatisfiable}"),
        ([spread(), spread(topologyKey="host")], ""),
        ([spread(topologyKey="a b")], "[0].topologyKey"),
        ([spread(matchLabelKeys=["x"])], "[0].matchLabelKeys"),
    ],
)
def test_spreading(constraints: list[dict[str, Any]], field: str) -> None:
    at = "spec.topologySpreadConstraints"
    assert causes(topologySpreadConstraints=constraints) == ([at + field] if field else [])


@pytest.mark.parametrize(
    ("toleration", "field"),
    [
        ({"key": "k", "operator": "Gt", "value": "1"}, "operator"),
        ({"key": "k", "operator": "Lt", "value": "1"}, "operator"),
        ({"key": "k", "value": "a b"}, "operator"),
        ({"key": "a b", "operator": "Exists"}, "key"),
        (
            {"key": "k", "effect": "NoSchedule", "tolerationSeconds": 1, "operator": "Exists"},
            "effect",
        ),
        ({"key": "k", "effect": "NoExecute", "tolerationSeconds": 1, "operator": "Exists"}, ""),
    ],
)
def test_tolerations(toleration: dict[str, Any], field: str) -> None:
    assert causes(tolerations=[toleration]) == ([f"spec.tolerations[0].{field}"] if field else [])


def test_gates_and_ports_of_the_node() -> None:
    assert causes(schedulingGates=[{"name": "a b"}]) == ["spec.schedulingGates[0]"]
    assert causes(schedulingGates=[{"name": "a"}, {"name": "a"}]) == ["spec.schedulingGates[1]"]
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
    two = [{"name": name, "image": "x", "ports": ports} for name in "ab"]
    assert causes(containers=two) == ["spec.containers[1].ports[0].hostPort"]
    other = [{**ports[0], "protocol": "UDP"}]
    assert causes(containers=[two[0], {**two[1], "ports": other}]) == []
    assert causes(containers=[two[0]], hostNetwork=True) == ["spec.containers[0].ports[0].hostPort"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10", 10), ("-10", -10), ("+1", 1), ("007", 7), ("1_0", None), ("٣", None), (" 4", None),
        ("", None), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None),
        ("9" * 5000, None), ("1.0", None),
    ],
)  # fmt: skip
def test_what_counts_as_a_number_in_a_label(text: str, number: int | None) -> None:
    assert int64(text) == number


@pytest.mark.parametrize("count", [NEIGHBOUR_CONDITIONS_MAX, NEIGHBOUR_CONDITIONS_MAX + 2])
def test_what_a_pod_may_say_of_its_neighbours_is_bounded(count: int) -> None:
    labels = {f"l{n}": "x" for n in range(count // 2 - 1)}
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": labels}}
    few = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
           "labelSelector": {"matchLabels": labels}}  # fmt: skip
    spec = {"affinity": {"podAntiAffinity": {REQUIRED: [term]}}, "topologySpreadConstraints": [few]}
    found = [cause.reason for cause in check_placement(spec, "spec")]
    assert found == (["FieldValueTooMany"] if count > NEIGHBOUR_CONDITIONS_MAX else [])
