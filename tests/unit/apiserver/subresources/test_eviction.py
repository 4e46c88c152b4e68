"""Pods are evicted as far as their disruption budgets allow."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey
from support.api_handlers import DEFAULT, Api, an_api

Obj = dict[str, Any]
EVICT = f"{DEFAULT}/pods/p/eviction"
BUDGET = ObjectKey("poddisruptionbudgets.policy", "default", "b")
EVICTION: Obj = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}


@pytest_asyncio.fixture
async def api() -> Api:
    made = await an_api(MemoryStore())
    pod = {
        "metadata": {"name": "p", "labels": {"app": "web"}, "finalizers": ["acme.com/hold"]},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    assert (await made.call("POST", f"{DEFAULT}/pods", pod))[0] == 201
    await set_ready(made, True)
    return made


async def set_ready(api: Api, is_ready: bool) -> None:
    ready = {"type": "Ready", "status": "True" if is_ready else "False"}
    patch = {"status": {"phase": "Running", "conditions": [ready]}}
    merge = "application/merge-patch+json"
    code, _ = await api.call("PATCH", f"{DEFAULT}/pods/p/status", patch, content_type=merge)
    assert code == 200


async def protect(api: Api, name: str = "b", policy: str = "", **status: int) -> None:
    spec: Obj = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1}
    if policy:
        spec["unhealthyPodEvictionPolicy"] = policy
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    code, _ = await api.call("POST", path, {"metadata": {"name": name}, "spec": spec})
    assert code == 201
    said = {"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1, **status}
    merge = "application/merge-patch+json"
    code, _ = await api.call("PATCH", f"{path}/{name}/status", {"status": said}, content_type=merge)
    assert code == 200


async def is_leaving(api: Api) -> bool:
    _, pod = await api.call("GET", f"{DEFAULT}/pods/p")
    return "deletionTimestamp" in pod["metadata"]


async def test_a_pod_without_a_budget_is_marked_and_deleted(api: Api) -> None:
    code, status = await api.call("POST", EVICT, EVICTION)
    assert (code, status["status"]) == (201, "Success")
    _, pod = await api.call("GET", f"{DEFAULT}/pods/p")
    assert "deletionTimestamp" in pod["metadata"]
    target = next(c for c in pod["status"]["conditions"] if c["type"] == "DisruptionTarget")
    assert target["reason"] == "EvictionByEvictionAPI"


async def test_a_budget_without_room_refuses_with_its_cause(api: Api) -> None:
    await protect(api, disruptionsAllowed=0)
    code, status = await api.call("POST", EVICT, EVICTION)
    assert (code, status["reason"]) == (429, "TooManyRequests")
    assert status["message"] == (
        "Cannot evict pod as it would violate the pod's disruption budget."
    )
    assert status["details"]["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget b needs 1 healthy pods and has 1 currently",
        }
    ]
    assert not await is_leaving(api)


async def test_an_eviction_takes_of_the_budget_in_the_same_commit(api: Api) -> None:
    await protect(api, disruptionsAllowed=1, currentHealthy=2)
    assert (await api.call("POST", f"{EVICT}?dryRun=All", EVICTION))[0] == 201
    assert not await is_leaving(api)
    assert (await api.call("POST", EVICT, EVICTION))[0] == 201
    stored = api.store.get(BUDGET)
    assert stored is not None
    status = stored.object()["status"]
    assert status["disruptionsAllowed"] == 0
    assert list(status["disruptedPods"]) == ["p"]
    assert status["conditions"][0]["reason"] == "InsufficientPods"
    assert await is_leaving(api)


async def test_a_budget_that_is_not_up_to_date_refuses_for_now(api: Api) -> None:
    await protect(api, observedGeneration=0, disruptionsAllowed=5)
    code, status = await api.call("POST", EVICT, EVICTION)
    assert (code, status["details"]["retryAfterSeconds"]) == (429, 10)


@pytest.mark.parametrize(
    ("policy", "healthy", "code"),
    [("AlwaysAllow", 0, 201), ("", 0, 429), ("IfHealthyBudget", 1, 201)],
)
async def test_pods_that_are_not_healthy(api: Api, policy: str, healthy: int, code: int) -> None:
    await set_ready(api, False)
    await protect(api, policy=policy, currentHealthy=healthy)
    assert (await api.call("POST", EVICT, EVICTION))[0] == code


async def test_two_budgets_are_too_many(api: Api) -> None:
    await protect(api)
    await protect(api, "c")
    code, status = await api.call("POST", EVICT, EVICTION)
    assert code == 500
    assert "more than one PodDisruptionBudget" in status["message"]


async def test_the_names_must_agree(api: Api) -> None:
    other = {**EVICTION, "metadata": {"name": "other"}}
    assert (await api.call("POST", EVICT, other))[0] == 400
