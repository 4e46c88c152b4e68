"""What is said twice, as Go's decoder reads it into its types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mizzen.kinds.apps.deployment import KIND as DEPLOYMENT
from mizzen.kinds.doubled import in_order, merged


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ('{"spec": {"replicas": 1}, "spec": {"paused": true}}',
         {"spec": {"replicas": 1, "paused": True}}),
        ('{"spec": {"replicas": 1}, "spec": null}', {"spec": {"replicas": 1}}),
        ('{"spec": {"replicas": 1, "replicas": 2}}', {"spec": {"replicas": 2}}),
        ('{"metadata": {"labels": {"a": "1", "b": "2"}, "labels": {"b": "3"}}}',
         {"metadata": {"labels": {"a": "1", "b": "3"}}}),
        ('{"metadata": {"finalizers": ["a/a", "b/b"], "finalizers": ["c/c"]}}',
         {"metadata": {"finalizers": ["c/c"]}}),
        ('{"other": {"a": 1}, "other": {"b": 2}}', {"other": {"b": 2}}),
    ],
)  # fmt: skip
def test_what_is_said_again_comes_on_top(body: str, read: dict[str, Any]) -> None:
    assert merged(body.encode(), DEPLOYMENT.schema) == read


def test_items_of_a_list_come_on_top_of_those_before() -> None:
    first = {"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}
    again = {"containers": [{"name": "c"}]}
    body = (
        f'{{"spec": {{"template": {{"spec": {json.dumps(first)}, "spec": {json.dumps(again)}}}}}}}'
    )
    read = merged(body.encode(), DEPLOYMENT.schema)
    assert read["spec"]["template"]["spec"] == {"containers": [{"name": "c", "image": "x"}]}


def test_problems_come_in_the_order_of_the_body() -> None:
    body = b'{"kind": "A", "kind": "A", "items": [{"odd": 1}], "extra": 1}'
    told = [
        'unknown field "extra"',
        'unknown field "items[0].odd" (did meanwhile)',
        'duplicate field "kind"',
    ]
    assert in_order(told, body) == [told[2], told[1], told[0]]
