"""Disruption budgets are checked as upstream does."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.policy.pod_disruption_budget import KIND

Obj = dict[str, Any]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"minAvailable": 1, "selector": {}}, ""),
        ({"maxUnavailable": "30%"}, ""),
        ({"minAvailable": "101%"}, 'Invalid value: "101%": must not be greater than 100%'),
        ({"minAvailable": -1}, "Invalid value: -1: must be greater than or equal to 0"),
        ({"minAvailable": "some"}, 'Invalid value: "some": a valid percent string must be a '),
        (
            {"minAvailable": 1, "maxUnavailable": 1},
            'Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,'
            '"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
        ),
    ],
)
def test_a_budget_is_a_number_or_a_share(spec: Obj, message: str) -> None:
    causes = KIND.validate({"metadata": {"name": "b"}, "spec": spec}, None)
    assert len(causes) == bool(message)
    assert not causes or causes[0].message.startswith(message)
