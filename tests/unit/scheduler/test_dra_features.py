"""What the scheduler does around the allocator, against the real API server."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import DEVICE_CLASSES, PODS, RESOURCE_CLAIMS
from support.scheduler_world import CORE, device_class, pod
from unit.scheduler.conftest import Api
from unit.scheduler.test_run import add, devices, pods_until, scheduling, set_stage


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
