"""ResourceQuotas are checked as upstream does, and shown as kubectl does."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.core.resource_quota import KIND

Obj = dict[str, Any]


def quota(hard: Obj | None = None, **spec: Any) -> Obj:
    return {"metadata": {"name": "q"}, "spec": {"hard": hard or {"pods": "1"}, **spec}}


def selecting(scope: str, operator: str, *values: str) -> Obj:
    term: Obj = {"scopeName": scope, "operator": operator, "values": list(values)}
    return {"scopeSelector": {"matchExpressions": [term]}}


@pytest.mark.parametrize(
    "hard",
    [
        {"pods": "1", "requests.cpu": "1500m", "limits.memory": "1Gi", "count/jobs.batch": "3"},
        {"requests.acme.com/gpu": "2", "gold.storageclass.storage.k8s.io/requests.storage": "1Gi"},
        {"gpu.deviceclass.resource.k8s.io/devices": "2", "hugepages-2Mi": "1Gi"},
    ],
)
def test_what_can_be_limited(hard: Obj) -> None:
    assert KIND.validate(quota(hard), None) == []


@pytest.mark.parametrize(
    ("made", "field", "message"),
    [
        (
            quota({"gpus": "1"}), "spec.hard[gpus]",
            'Invalid value: "gpus": must be a standard resource for quota',
        ),
        (
            quota({"pods": "1500m"}), "spec.hard[pods]",
            'Invalid value: "1500m": must be an integer',
        ),
        (
            quota({"pods": "-1"}), "spec.hard[pods]",
            'Invalid value: "-1": must be greater than or equal to 0',
        ),
        (
            quota({"services": "1"}, scopes=["Terminating"]), "spec.scopes",
            'Invalid value: ["Terminating"]: unsupported scope applied to resource',
        ),
        (
            quota(scopes=["BestEffort", "NotBestEffort"]), "spec.scopes",
            'Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
        ),
        (quota(scopes=["Other"]), "spec.scopes", 'Invalid value: ["Other"]: unsupported scope'),
        (
            quota(**selecting("PriorityClass", "In")), "spec.scopeSelector.matchExpressions.values",
            "Required value: must be at least one value when `operator` is 'In' or 'NotIn' for "
            "scope selector",
        ),
    ],
)  # fmt: skip
def test_what_cannot_is_refused(made: Obj, field: str, message: str) -> None:
    causes = KIND.validate(made, None)
    assert (field, message) in [(cause.field, cause.message) for cause in causes]


def test_scopes_stay_as_they_are() -> None:
    causes = KIND.validate(quota(scopes=["Terminating"]), quota())
    assert [cause.field for cause in causes] == ["spec.scopes"]


def test_columns_show_what_is_used_of_what() -> None:
    made = quota()
    made["status"] = {"hard": {"pods": "2", "limits.cpu": "1"}, "used": {"pods": "1"}}
    cells = {column.name: column.cell(made, 0) for column in KIND.columns}
    assert (cells["Request"], cells["Limit"]) == ("pods: 1/2", "limits.cpu: 0/1")
