"""A pod's priority is its class's, resolved before the pod is validated."""

from __future__ import annotations

from typing import Any

import pytest_asyncio

from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


@pytest_asyncio.fixture
async def api() -> Api:
    made = await an_api(MemoryStore())
    urgent = {"metadata": {"name": "urgent"}, "value": 7, "preemptionPolicy": "Never"}
    assert (await made.call("POST", CLASSES, urgent))[0] == 201
    return made


def pod(name: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "i"}]
    return {"apiVersion": "v1", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": containers, **spec}}  # fmt: skip


async def test_the_class_decides_and_a_pod_may_not_say_otherwise(api: Api) -> None:
    _, made = await api.call("POST", f"{DEFAULT}/pods", pod("a", priorityClassName="urgent"))
    assert (made["spec"]["priority"], made["spec"]["preemptionPolicy"]) == (7, "Never")
    _, made = await api.call("POST", f"{DEFAULT}/pods", pod("b"))
    assert (made["spec"]["priority"], made["spec"]["preemptionPolicy"]) == (
        0,
        "PreemptLowerPriority",
    )
    code, status = await api.call("POST", f"{DEFAULT}/pods", pod("c", priority=8))
    assert code == 403 and "the integer value of priority (8)" in status["message"]
    code, status = await api.call("POST", f"{DEFAULT}/pods", pod("d", priorityClassName="no"))
    assert code == 403 and "no PriorityClass with name no was found" in status["message"]


async def test_a_default_class_of_the_same_plan_counts(api: Api) -> None:
    default = {"apiVersion": "scheduling.k8s.io/v1", "metadata": {"name": "usual"},
               "value": 3, "globalDefault": True}  # fmt: skip
    code, plan = await api.plan(
        {"op": "create", "resource": "priorityclasses", "object": default},
        {"op": "create", "resource": "pods", "object": pod("a")},
    )
    assert code == 201
    spec = plan["status"]["results"][1]["spec"]
    assert (spec["priority"], spec["priorityClassName"]) == (3, "usual")
