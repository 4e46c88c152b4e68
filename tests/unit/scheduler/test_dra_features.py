"""What the scheduler does around the allocator, against the real API server."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from support.scheduler_world import CORE, claim, device_class, exactly, pod, resource_slice
from unit.scheduler.conftest import Api
from unit.scheduler.test_run import add, devices, fresh, pods_until, scheduling, set_stage


def asking(name: str, resource: str) -> Obj:
    made = pod(name)
    made["spec"]["containers"][0]["resources"] = {"limits": {resource: "1"}}
    return made


async def test_extended_resources_become_claims(api: Api) -> None:
    """Many at once: each claim is made, allocated and told of in the plan that binds its pod."""
    await set_stage(api.admin)
    name = "mizzen.dev/cpu-core"
    change = {"spec": {"extendedResourceName": name}}
    await api.admin.patch(DEVICE_CLASSES, device_class()["metadata"]["name"], change)
    implicit = f"deviceclass.resource.kubernetes.io/{CORE}"
    async with scheduling(api.scheduler) as scheduler:
        for index in range(5):
            await add(api.admin, (PODS, asking(f"p{index}", implicit if index % 2 else name)))
        pods = await pods_until(
            api.admin, lambda pods: sum("nodeName" in p["spec"] for p in pods.values()) == 4
        )
        given = await devices(api.admin)
        assert len(given) == len(set(given)) == 4
        bound = [p for p in pods.values() if p["spec"].get("nodeName")]
        told = {p["status"]["extendedResourceClaimStatus"]["resourceClaimName"] for p in bound}
        claims, _ = await api.admin.list(RESOURCE_CLAIMS, "default")
        assert told == {claim["metadata"]["name"] for claim in claims}
        assert scheduler.statistics().get("refused", 0) == 0  # what it made, it knew of


async def test_shares_partitions_and_taint_rules_through_the_api(api: Api) -> None:
    """What the scheduler writes for them passes the server's own count, and is seen again."""
    admin = api.admin
    await set_stage(admin)
    await admin.create(DEVICE_CLASSES, fresh(device_class("gpu", 'device.driver == "gpu.io"')))
    shared = {
        "name": "gpu-0",
        "allowMultipleAllocations": True,
        "capacity": {"memory": {"value": "10Gi"}},
    }
    await admin.create(RESOURCE_SLICES, fresh(resource_slice("n1", [shared], driver="gpu.io")))
    wanted = exactly("r", "gpu", 1, capacity={"requests": {"memory": "4Gi"}})
    async with scheduling(api.scheduler):
        for name in "abc":
            await add(
                admin, (RESOURCE_CLAIMS, claim(name, wanted)), (PODS, pod(name, claims=(name,)))
            )
        await pods_until(admin, lambda pods: _bound(pods) == 2 and _said(pods) == 1)
        claims, _ = await admin.list(RESOURCE_CLAIMS, "default")
        given = [
            result
            for c in claims
            for result in ((c.get("status") or {}).get("allocation") or {})
            .get("devices", {})
            .get("results", ())
        ]
        assert len({result["shareID"] for result in given}) == len(given) == 2
        assert {result["consumedCapacity"]["memory"] for result in given} == {"4Gi"}
        rule = {
            "metadata": {"name": "off"},
            "spec": {
                "deviceSelector": {"driver": "gpu.io"},
                "taint": {"key": "off", "effect": "NoSchedule"},
            },
        }
        await admin.create(DEVICE_TAINT_RULES, rule)
        (first, *_) = (
            c["metadata"]["name"] for c in claims if c.get("status", {}).get("allocation")
        )
        released = {"status": {"allocation": None, "reservedFor": None}}
        await admin.delete(PODS, first, "default", grace_period_s=0)
        await admin.patch(RESOURCE_CLAIMS, first, released, "default", subresource="status")
        pods = await pods_until(admin, lambda pods: len(pods) == 2)
        assert _bound(pods) == 1  # tainted: whoever waits goes on waiting
        await admin.delete(DEVICE_TAINT_RULES, "off")
        await pods_until(admin, lambda pods: _bound(pods) == 2)


def _bound(pods: dict[str, Obj]) -> int:
    return sum("nodeName" in p["spec"] for p in pods.values())


def _said(pods: dict[str, Obj]) -> int:
    """Pods that were told why they have no place."""
    return sum(
        c["type"] == "PodScheduled" and c["status"] == "False"
        for p in pods.values()
        for c in (p.get("status") or {}).get("conditions") or ()
    )


async def test_binding_conditions_through_the_api(api: Api) -> None:
    """A pod waits until the device's driver says so in the claim's status."""
    admin = api.admin
    await set_stage(admin)
    await admin.create(DEVICE_CLASSES, fresh(device_class("fab", 'device.driver == "fab.io"')))
    device = {"name": "d0", "bindingConditions": ["ready"], "bindingFailureConditions": ["bad"]}
    await admin.create(RESOURCE_SLICES, fresh(resource_slice("n1", [device], driver="fab.io")))
    async with scheduling(api.scheduler):
        await add(
            admin,
            (RESOURCE_CLAIMS, claim("a", exactly("r", "fab"))),
            (PODS, pod("a", claims=("a",))),
        )
        pods = await pods_until(
            admin, lambda pods: pods["a"]["status"].get("nominatedNodeName") == "n1"
        )
        assert _bound(pods) == 0
        condition = {
            "type": "ready",
            "status": "True",
            "reason": "Attached",
            "message": "",
            "lastTransitionTime": "2027-01-15T08:00:00Z",
        }
        told = {"driver": "fab.io", "pool": "n1", "device": "d0", "conditions": [condition]}
        change = {"status": {"devices": [told]}}
        await admin.patch(RESOURCE_CLAIMS, "a", change, "default", subresource="status")
        await pods_until(admin, lambda pods: _bound(pods) == 1)
