"""What claims may hold together, asked of a real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.base.errors import Conflict, Invalid
from mizzen.base.objects import Obj
from mizzen.base.operations import Create, Patch
from mizzen.base.resources import (
    NAMESPACES,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from mizzen.client.client import Client
from support.api_in_process import api_server

DRIVER = "gpu.example.com"


@pytest_asyncio.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Client]:
    async with api_server(tmp_path) as client:
        yield client


def _share(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def _slice(name: str, devices: list[Obj] | None = None, **more: Any) -> Obj:
    pool = {"name": "p", "generation": more.pop("generation", 1), "resourceSliceCount": 2}
    spec = {"driver": DRIVER, "pool": pool, "nodeName": "n", **more}
    return {
        "metadata": {"name": name},
        "spec": spec if devices is None else {**spec, "devices": devices},
    }


def _claim(name: str, namespace: str = "default", **exactly: Any) -> Obj:
    wanted = {"name": "r", "exactly": {"deviceClassName": "c", **exactly}}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"devices": {"requests": [wanted]}},
    }


async def _give(
    client: Client, name: str, *results: Obj, namespace: str = "default", taken: bool = False
) -> None:
    """Writes the claim's allocation, or takes it back."""
    given = [{"request": "r", "driver": DRIVER, "pool": "p", **result} for result in results]
    allocation = None if taken else {"devices": {"results": given}}
    change = {"status": {"allocation": allocation}}
    await client.patch(RESOURCE_CLAIMS, name, change, namespace, subresource="status")


async def _claims(client: Client, names: str) -> None:
    for name in names:
        await client.create(RESOURCE_CLAIMS, _claim(name))


@pytest.mark.asyncio
async def test_shares_fill_a_device_and_no_more(admin: Client) -> None:
    shared = {
        "name": "gpu-0",
        "allowMultipleAllocations": True,
        "capacity": {"memory": {"value": "10Gi"}},
    }
    await admin.create(RESOURCE_SLICES, _slice("s", [shared, {"name": "gpu-1"}]))
    await _claims(admin, "abcde")

    def part(number: int, memory: str) -> Obj:
        consumed = {"memory": memory}
        return {"device": "gpu-0", "shareID": _share(number), "consumedCapacity": consumed}

    await _give(admin, "a", part(1, "6Gi"))
    with pytest.raises(Conflict, match="is full: its shares would take"):
        await _give(admin, "b", part(2, "5Gi"))
    with pytest.raises(Conflict, match="is full"):  # its own shares count together
        await _give(admin, "b", part(2, "3Gi"), part(3, "3Gi"))
    await _give(admin, "b", part(2, "4Gi"))
    with pytest.raises(Conflict, match="is allocated to claim default/"):
        await _give(admin, "c", {"device": "gpu-0"})  # alone, beside shares
    with pytest.raises(Conflict, match="is allocated to claim default/a"):
        await _give(admin, "c", part(1, "0"))  # the same share twice
    await _give(admin, "a", taken=True)
    await _give(admin, "c", {"device": "gpu-1"})
    await _give(admin, "d", part(4, "6Gi"))
    with pytest.raises(Conflict, match="more than once"):
        await _give(admin, "e", {"device": "gpu-9"}, {"device": "gpu-9"})


@pytest.mark.asyncio
async def test_a_slice_that_comes_with_the_first_allocation_is_counted(admin: Client) -> None:
    """It is on no disk yet when the first allocation asks which pools share anything."""
    await _claims(admin, "ab")
    shared = {
        "name": "gpu-0",
        "allowMultipleAllocations": True,
        "capacity": {"memory": {"value": "10Gi"}},
    }
    result = {"request": "r", "driver": DRIVER, "pool": "p", "device": "gpu-0",
              "shareID": _share(1), "consumedCapacity": {"memory": "6Gi"}}  # fmt: skip
    given = {"status": {"allocation": {"devices": {"results": [result]}}}}
    await admin.commit(
        [
            Create(RESOURCE_SLICES, _slice("s", [shared])),
            Patch(RESOURCE_CLAIMS, "default", "a", given, "status"),
        ]
    )
    with pytest.raises(Conflict, match="is full: its shares would take"):
        await _give(
            admin,
            "b",
            {
                "device": "gpu-0",
                "shareID": _share(2),
                "consumedCapacity": {"memory": "6Gi"},
            },
        )


@pytest.mark.asyncio
async def test_partitions_do_not_overdraw_their_pool(admin: Client) -> None:
    def partition(name: str, memory: str) -> Obj:
        taken = {"counterSet": "gpu-0", "counters": {"memory": {"value": memory}}}
        return {"name": name, "consumesCounters": [taken]}

    counters = [{"name": "gpu-0", "counters": {"memory": {"value": "40Gi"}}}]
    await admin.create(RESOURCE_SLICES, _slice("counters", sharedCounters=counters))
    devices = [partition("whole", "40Gi"), partition("half-0", "20Gi"), partition("half-1", "20Gi")]
    await _claims(admin, "abc")
    await admin.create(RESOURCE_SLICES, _slice("devices", devices))  # seen after the first check
    await _give(admin, "a", {"device": "half-0"})
    with pytest.raises(Conflict, match="counter memory of gpu-0 would be drawn on"):
        await _give(admin, "b", {"device": "whole"})
    with pytest.raises(Conflict, match="counter memory"):  # in one claim, too
        await _give(admin, "c", {"device": "half-1"}, {"device": "whole"})
    await _give(admin, "b", {"device": "half-1"})
    await _give(admin, "a", taken=True)
    await _give(admin, "b", taken=True)
    await _give(admin, "c", {"device": "whole"})
    with pytest.raises(Conflict, match="counter memory"):
        await _give(admin, "a", {"device": "half-0"})


@pytest.mark.asyncio
async def test_only_the_newest_generation_counts(admin: Client) -> None:
    def old_and_new(memory: str) -> list[Obj]:
        return [{"name": "gpu-0", "allowMultipleAllocations": True,
                 "capacity": {"memory": {"value": memory}}}]  # fmt: skip

    await admin.create(RESOURCE_SLICES, _slice("old", old_and_new("10Gi")))
    await admin.create(RESOURCE_SLICES, _slice("new", old_and_new("4Gi"), generation=2))
    await _claims(admin, "a")
    given = {"device": "gpu-0", "shareID": _share(1), "consumedCapacity": {"memory": "5Gi"}}
    with pytest.raises(Conflict, match="is full"):
        await _give(admin, "a", given)


@pytest.mark.asyncio
async def test_admin_access_holds_nothing_and_needs_the_label(admin: Client) -> None:
    for name, labels in (("plain", {}), ("ops", {"resource.kubernetes.io/admin-access": "true"})):
        await admin.create(NAMESPACES, {"metadata": {"name": name, "labels": labels}})
    with pytest.raises(Invalid, match="admin access to devices requires"):
        await admin.create(RESOURCE_CLAIMS, _claim("a", "plain", adminAccess=True))
    template = {
        "metadata": {"name": "t", "namespace": "plain"},
        "spec": {"spec": _claim("a", adminAccess=True)["spec"]},
    }
    with pytest.raises(Invalid, match="admin access to devices requires"):
        await admin.create(RESOURCE_CLAIM_TEMPLATES, template)
    await admin.create(RESOURCE_CLAIMS, _claim("a", "plain", adminAccess=False))
    await admin.create(RESOURCE_CLAIMS, _claim("a", "ops", adminAccess=True))
    await admin.create(RESOURCE_CLAIMS, _claim("b", "ops", adminAccess=True))
    await _give(admin, "a", {"device": "gpu-0"}, namespace="plain")
    await _give(admin, "a", {"device": "gpu-0", "adminAccess": True}, namespace="ops")
    await admin.patch(
        NAMESPACES, "ops", {"metadata": {"labels": {"resource.kubernetes.io/admin-access": None}}}
    )
    with pytest.raises(Invalid, match=r"results\[0\].adminAccess"):
        await _give(admin, "b", {"device": "gpu-0", "adminAccess": True}, namespace="ops")
