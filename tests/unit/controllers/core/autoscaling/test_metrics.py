"""Which version of the metrics' API is asked, and how its answers and refusals are read."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.controllers.core.autoscaling import metrics

NS = 1_000_000_000


def group(preferred: str, *versions: str) -> dict[str, Any]:
    return {
        "preferredVersion": {"version": preferred},
        "versions": [{"version": version} for version in versions],
    }


def test_the_preferred_version_or_the_first_that_is_known() -> None:
    assert metrics.custom_version(group("v1beta1", "v1beta2", "v1beta1")) == "v1beta1"
    assert metrics.custom_version(group("v7", "v7", "v1beta2", "v1beta1")) == "v1beta2"
    with pytest.raises(ValueError, match="no known available metric versions found"):
        metrics.custom_version(group("v7", "v7"))


@pytest.mark.parametrize(
    ("told", "window_s"), [({"window": 5}, 5), ({"windowSeconds": 0}, 0), ({}, 60)]
)
def test_both_versions_name_of_the_window(told: dict[str, int], window_s: int) -> None:
    item = {
        "describedObject": {"name": "p"}, "timestamp": "2026-01-01T00:00:00Z", "value": "1500m",
        **told,
    }  # fmt: skip
    (found,) = metrics.pods_values({"items": [item]}).values()
    assert (found.value, found.window_ns) == (1500, window_s * NS)


def test_selectors_in_upstreams_words() -> None:
    assert metrics.selector_words({"name": "m"}) == "nil"
    term = {"key": "k", "operator": "In", "values": ["a", "b"]}
    selector = {"matchLabels": {"x": "y", "a": "b"}, "matchExpressions": [term]}
    assert metrics.selector_words({"selector": selector}) == (
        "&LabelSelector{MatchLabels:map[string]string{a: b,x: y,},MatchExpressions:"
        "[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[a b],},},}"
    )
