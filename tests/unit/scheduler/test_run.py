"""The scheduler process against the real API server: latency aside, what a user would see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mizzen.base.objects import Obj, has_condition
from mizzen.base.operations import Create
from mizzen.base.resources import (
    DEVICE_CLASSES,
    EVENTS,
    NODES,
    POD_GROUPS,
    PODS,
    PRIORITY_CLASSES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from mizzen.client.client import Client
from mizzen.host.clock import RealClock
from mizzen.scheduler.run import Scheduler
from support.scheduler_world import CORE, claim, device_class, exactly, halves, node, pod, pod_group
from unit.scheduler.conftest import Api

DEADLINE_S = 20.0


def fresh(obj: Obj) -> Obj:
    """As a user would send it: without what the server gives."""
    kept = {k: v for k, v in obj["metadata"].items() if k not in ("uid", "resourceVersion")}
    kept.pop("creationTimestamp", None)
    body = {k: v for k, v in obj.items() if k not in ("status", "apiVersion", "kind")}
    for container in body.get("spec", {}).get("containers", ()):
        container.setdefault("image", "mizzen.dev/python")
    return {**body, "metadata": kept}


async def set_stage(admin: Client) -> None:
    await admin.create(NODES, fresh(node()))
    await admin.patch(NODES, "n1", {"status": node()["status"]}, subresource="status")
    await admin.create(RESOURCE_SLICES, fresh(halves()))
    await admin.create(DEVICE_CLASSES, fresh(device_class()))


async def add(admin: Client, *objects: tuple[Resource, Obj]) -> None:
    await admin.commit([Create(resource, fresh(obj)) for resource, obj in objects])


def with_claim(name: str, **more: Any) -> tuple[tuple[Resource, Obj], tuple[Resource, Obj]]:
    return (RESOURCE_CLAIMS, claim(name)), (PODS, pod(name, claims=(name,), **more))


@asynccontextmanager
async def scheduling(client: Client) -> AsyncIterator[Scheduler]:
    ready = asyncio.Event()
    scheduler = Scheduler(client, RealClock())
    task = asyncio.create_task(scheduler.run(ready.set))
    async with asyncio.timeout(DEADLINE_S):
        await ready.wait()
    yield scheduler
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled(), task.exception()


async def pods_until(admin: Client, what: Any) -> dict[str, Obj]:
    """All pods by name, once `what(pods)` holds."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            pods, _ = await admin.list(PODS, "default")
            by_name = {p["metadata"]["name"]: p for p in pods}
            if what(by_name):
                return by_name
            await asyncio.sleep(0.01)


def are_bound(*names: str) -> Any:
    return lambda pods: all(n in pods and pods[n]["spec"].get("nodeName") for n in names)


def are_told(*names: str, saying: str = "") -> Any:
    def holds(pods: dict[str, Obj]) -> bool:
        told = [(pods[n].get("status") or {}).get("conditions") if n in pods else () for n in names]
        return all(t and saying in t[0].get("message", "") for t in told)

    return holds


async def devices(admin: Client) -> list[str]:
    claims, _ = await admin.list(RESOURCE_CLAIMS, "default")
    return [
        result["device"]
        for c in claims
        for result in (c.get("status") or {})
        .get("allocation", {})
        .get("devices", {})
        .get("results", ())
    ]


async def test_claims_whose_selectors_have_to_wait_are_told_of_later(api: Api) -> None:
    admin = api.admin
    await set_stage(admin)
    names = [f"long-{number}" for number in range(4)]
    asked = [exactly("r", CORE, 1, f"device.driver != '{name}{'x' * 9000}'") for name in names]
    claims = [(RESOURCE_CLAIMS, claim(n, r)) for n, r in zip(names, asked, strict=True)]
    await add(admin, *claims, *((PODS, pod(n, claims=(n,), priority=None)) for n in names))
    async with scheduling(api.scheduler) as scheduler:
        await pods_until(admin, are_bound(*names))
        assert scheduler.statistics()["postponed"] > 0
    assert len(set(await devices(admin))) == 4


@pytest.mark.slow
async def test_a_gang_of_more_than_a_thousand_is_bound_in_one_plan(api: Api) -> None:
    admin = api.admin
    count, nodes = 1100, [f"n{number}" for number in range(10)]
    await add(admin, *((NODES, node(name)) for name in nodes), (POD_GROUPS, pod_group("g", count)))
    for name in nodes:
        await admin.patch(NODES, name, {"status": node()["status"]}, subresource="status")
    pods = [pod(f"g-{rank}", gang="g", rank=rank, priority=None) for rank in range(count)]
    for start in range(0, count, 100):
        await add(admin, *((PODS, obj) for obj in pods[start : start + 100]))
    async with scheduling(api.scheduler) as scheduler:
        await pods_until(admin, are_bound(*(obj["metadata"]["name"] for obj in pods)))
        assert not scheduler.statistics().get("refused")


async def test_binds_explains_and_preempts_through_the_api(api: Api) -> None:
    admin = api.admin
    await set_stage(admin)
    async with scheduling(api.scheduler):
        members = [
            entry
            for rank in range(4)
            for entry in with_claim(f"train-{rank}", gang="train", rank=rank, priority=None)
        ]
        for _, obj in members:
            obj["spec"].pop("priority", None)
        await add(admin, (POD_GROUPS, pod_group("train", 1)), *members)
        pods = await pods_until(admin, are_bound(*(f"train-{rank}" for rank in range(4))))
        assert all(has_condition(p, "PodScheduled") for p in pods.values())
        assert len(set(await devices(admin))) == 4

        await admin.create(PRIORITY_CLASSES, {"metadata": {"name": "high"}, "value": 1000})
        await add(admin, *with_claim("tiny", priorityClassName="high", cause="a burst"))
        pods = await pods_until(
            admin, lambda found: found["train-3"]["metadata"].get("deletionTimestamp")
        )
        assert has_condition(pods["train-3"], "DisruptionTarget")
        assert pods["train-3"]["metadata"]["annotations"]["mizzen.dev/cause"] == "a burst"
        assert "nodeName" not in pods["tiny"]["spec"]

        # The agent would end it and the claim controller release its claim:
        await admin.delete(PODS, "train-3", "default", grace_period_s=0)
        release = {"metadata": {"finalizers": None}}
        await admin.patch(RESOURCE_CLAIMS, "train-3", release, "default")
        await admin.delete(RESOURCE_CLAIMS, "train-3", "default")
        await pods_until(admin, are_bound("tiny"))
        taken = await devices(admin)
        assert len(taken) == len(set(taken)) == 4

        await add(admin, *with_claim("more"))
        pods = await pods_until(
            admin, lambda found: found["more"].get("status", {}).get("conditions")
        )
        assert "4 of 4 devices of class" in pods["more"]["status"]["conditions"][0]["message"]
        async with asyncio.timeout(DEADLINE_S):
            while True:
                events, _ = await admin.list(EVENTS, "default")
                if {"Scheduled", "Preempted", "FailedScheduling"} <= {e["reason"] for e in events}:
                    break
                await asyncio.sleep(0.01)


async def test_a_second_scheduler_and_a_restart_never_allocate_twice(api: Api) -> None:
    await set_stage(api.admin)
    async with scheduling(api.scheduler), scheduling(api.scheduler):
        pairs = [entry for index in range(6) for entry in with_claim(f"p{index}")]
        await add(api.admin, *pairs)
        await pods_until(
            api.admin,
            lambda pods: sum(1 for p in pods.values() if p["spec"].get("nodeName")) == 4,
        )
    async with scheduling(api.scheduler) as again:
        await pods_until(
            api.admin,
            lambda pods: sum(1 for p in pods.values() if p["spec"].get("nodeName")) == 4,
        )
        assert again.statistics().get("bound", 0) == 0
    taken = await devices(api.admin)
    assert len(taken) == len(set(taken)) == 4


async def test_a_pod_that_vanishes_makes_room(api: Api) -> None:
    """Deleted by force: it never ends, it is gone. The gang that waits, and a pod, hear of it."""
    admin = api.admin
    await set_stage(admin)
    async with scheduling(api.scheduler):
        await add(admin, (PODS, pod("a", cpu="1500m")))
        await pods_until(admin, are_bound("a"))
        members = [(PODS, pod(f"g-{n}", cpu="900m", gang="g", rank=n)) for n in range(2)]
        await add(admin, (POD_GROUPS, pod_group("g", 2)), *members)
        await pods_until(admin, are_told("g-0", "g-1"))
        await admin.delete(PODS, "a", "default", grace_period_s=0)
        await pods_until(admin, are_bound("g-0", "g-1"))


async def test_a_toleration_given_to_a_pod_that_waits_is_looked_at(api: Api) -> None:
    admin = api.admin
    await set_stage(admin)
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    await admin.patch(NODES, "n1", {"spec": {"taints": [taint]}})
    async with scheduling(api.scheduler):
        await add(admin, (PODS, pod("a")))
        await pods_until(admin, are_told("a"))
        given = (await admin.get(PODS, "a", "default"))["spec"]["tolerations"]  # by admission
        wish = {"spec": {"tolerations": [*given, {"operator": "Exists"}]}}
        await admin.patch(PODS, "a", wish, "default")
        await pods_until(admin, are_bound("a"))


async def test_a_group_deleted_while_its_members_wait_is_told(api: Api) -> None:
    admin = api.admin
    await set_stage(admin)
    async with scheduling(api.scheduler):
        group = (POD_GROUPS, pod_group("g", 4))
        await add(admin, group, *((PODS, pod(f"g-{n}", gang="g", rank=n)) for n in range(3)))
        await pods_until(admin, are_told("g-0", saying="3 of the 4"))
        await admin.delete(POD_GROUPS, "g", "default")
        await pods_until(admin, are_told("g-0", saying="does not exist"))
