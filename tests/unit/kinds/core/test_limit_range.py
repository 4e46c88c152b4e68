"""LimitRanges are completed and checked as upstream does."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.core.limit_range import KIND

Obj = dict[str, Any]


def limit_range(*items: Obj) -> Obj:
    return {
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": "d"},
        "spec": {"limits": list(items)},
    }  # fmt: skip


def test_defaults_follow_from_bounds() -> None:
    made = limit_range({"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}})
    KIND.default(made)
    assert made["spec"]["limits"][0]["default"] == {"cpu": "2"}
    assert made["spec"]["limits"][0]["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


@pytest.mark.parametrize(
    ("item", "field", "message"),
    [
        (
            {"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}},
            "spec.limits[0].min[cpu]",
            'Invalid value: "2": min value 2 is greater than max value 1',
        ),
        (
            {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}},
            "spec.limits[0].defaultRequest[cpu]",
            'Invalid value: "2": default request value 2 is greater than default limit value 1',
        ),
        (
            {"type": "Pod", "default": {"cpu": "1"}},
            "spec.limits[0].default",
            "Forbidden: may not be specified when `type` is 'Pod'",
        ),
        (
            {"type": "PersistentVolumeClaim"},
            "spec.limits[0].limits",
            "Required value: either minimum or maximum storage value is required, but neither was "
            "provided",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "500m"}},
            "spec.limits[0].maxLimitRequestRatio[cpu]",
            'Invalid value: "500m": ratio 500m is less than 1',
        ),
    ],
)
def test_what_contradicts_itself_is_refused(item: Obj, field: str, message: str) -> None:
    (cause,) = KIND.validate(limit_range(item), None)
    assert (cause.field, cause.message) == (field, message)
