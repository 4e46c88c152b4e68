"""Names of resources, as kube-apiserver 1.36 was heard to refuse them."""

from __future__ import annotations

import pytest

from mizzen.kinds.core.resource_names import (
    check_amount,
    check_container_resource,
    check_quota_resource,
    check_resource_name,
)

_TYPE = "must be a standard resource type or fully qualified"
_CONTAINER = "must be a standard resource for containers"
_QUOTA = "must be a standard resource for quota"


@pytest.mark.parametrize(
    ("name", "any_", "container", "quota"),
    [
        ("cpu", [], [], []), ("example.com/gpu", [], [], []), ("hugepages-2Mi", [], [], []),
        ("storage", [], [_CONTAINER], [_QUOTA]), ("pods", [], [_CONTAINER], []),
        ("app", [_TYPE], [_TYPE, _CONTAINER], [_TYPE, _QUOTA]),
        ("requests.example.com/gpu", [], ["doesn't follow extended resource name standard"], []),
        ("", ["name part must be non-empty"], None, None),
    ],
)  # fmt: skip
def test_names(
    name: str, any_: list[str], container: list[str] | None, quota: list[str] | None
) -> None:
    for check, wanted in (
        (check_resource_name, any_), (check_container_resource, container),
        (check_quota_resource, quota),
    ):  # fmt: skip
        told = [each.message.partition(": ")[2].partition(": ")[2] for each in check(name, "p")]
        if wanted is None:
            assert len(told) > 1
        elif wanted and "non-empty" in wanted[0]:
            assert wanted[0] in told
        else:
            assert told == wanted


@pytest.mark.parametrize(
    ("name", "amount", "count"),
    [("cpu", "500m", 0), ("cpu", "-1", 1), ("pods", "1500m", 1), ("example.com/gpu", "-500m", 2)],
)
def test_amounts(name: str, amount: str, count: int) -> None:
    assert len(check_amount(name, amount, "p")) == count
