"""Types of applied configurations, in the words of structured-merge-diff."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.core.service import KIND
from mizzen.kinds.managed_fields.misfits import misfits


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"metadata": {"labels": {"a": 5}}},
         [".metadata.labels.a: expected string, got &value.valueUnstructured{Value:5}"]),
        ({"spec": {"ports": [{"port": 80, "name": True}]}},
         ['.spec.ports[port=80,protocol="TCP"].name: expected string, got '
          "&value.valueUnstructured{Value:true}"]),
        ({"spec": {"externalIPs": ["a", {"b": 1}]}},
         [".spec.externalIPs[1]: expected string, got &value.valueUnstructured{"
          'Value:map[string]interface {}{"b":1}}']),
        ({"spec": "x"}, [".spec: expected map, got &{x}"]),
        ({"spec": {"ports": {"a": [1e6]}}}, [".spec.ports: expected list, got &{map[a:[1e+06]]}"]),
        ({"spec": {"healthCheckNodePort": []}},
         [".spec.healthCheckNodePort: expected numeric (int or float), got []interface {}"]),
        ({"spec": {"publishNotReadyAddresses": "yes"}},
         [".spec.publishNotReadyAddresses: expected boolean, got &{yes}"]),
        ({"metadata": {"creationTimestamp": [None]}},
         [".metadata.creationTimestamp: expected any scalar, got &{[<nil>]}"]),
        ({"spec": {"ports": [{"port": 1}, {"port": 1}]}},
         ['.spec.ports: duplicate entries for key [port=1,protocol="TCP"]']),
        ({"spec": {"ports": [None]}},
         [".spec.ports: element 0: associative list with keys may not have a null element"]),
        ({"spec": {"x": 1, "type": 5}}, [".spec.x: field not declared in schema"]),
        ({"spec": {"ports": [{"port": 1, "targetPort": {"any": 1}}], "selector": None}}, []),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_path(config: Any, told: list[str]) -> None:
    assert misfits(KIND.schema, config) == told
