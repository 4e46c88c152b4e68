"""How full pools are."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import (
    DEVICE_TAINT_RULES,
    RESOURCE_CLAIMS,
    RESOURCE_POOL_STATUS_REQUESTS,
    RESOURCE_SLICES,
)
from mizzen.controllers.core.resource_pool_status import ANSWERED_S, CONTROLLER
from support.controlled import Cluster

SECOND = 1_000_000_000
SHARED = {"driver": "d.io", "pool": "p", "device": "d0", "shareID": "s"}


def resource_slice(name: str, pool: str, *devices: Obj, count: int = 1, generation: int = 1) -> Obj:
    place = {"name": pool, "generation": generation, "resourceSliceCount": count}
    spec = {"driver": "d.io", "pool": place, "nodeName": "n", "devices": list(devices)}
    return {"metadata": {"name": name}, "spec": spec}


def claim(name: str, *results: Obj) -> Obj:
    metadata = {"name": name, "namespace": "default"}
    status = {"allocation": {"devices": {"results": list(results)}}}
    return {"metadata": metadata, "spec": {}, "status": status}


def asked(**spec: object) -> Cluster:
    cluster = Cluster(CONTROLLER)
    request = {"metadata": {"name": "q"}, "spec": {"driver": "d.io", **spec}}
    cluster.add(RESOURCE_POOL_STATUS_REQUESTS, request)
    taint = {"key": "k", "effect": "NoSchedule"}
    devices = [{"name": f"d{index}"} for index in range(4)]
    devices[3]["taints"] = [taint]
    cluster.add(RESOURCE_SLICES, resource_slice("old", "p", *devices, {"name": "gone"}))
    cluster.add(RESOURCE_SLICES, resource_slice("new", "p", *devices, generation=2))
    cluster.add(RESOURCE_SLICES, resource_slice("half", "q", {"name": "d0"}, count=2))
    rule = {"deviceSelector": {"pool": "p", "device": "d2"}, "taint": taint}
    cluster.add(DEVICE_TAINT_RULES, {"metadata": {"name": "r"}, "spec": rule})
    looked_after = {"driver": "d.io", "pool": "p", "device": "d1", "adminAccess": True}
    cluster.add(RESOURCE_CLAIMS, claim("a", SHARED))
    cluster.add(RESOURCE_CLAIMS, claim("b", {**SHARED, "shareID": "t"}, looked_after))
    return cluster


def test_devices_are_counted_once_and_by_what_they_are_good_for() -> None:
    cluster = asked()
    assert cluster.settle("q", "") == 1
    status = cluster.get(RESOURCE_POOL_STATUS_REQUESTS, "q")["status"]
    assert status["poolCount"] == 2
    whole, half = status["pools"]
    assert whole == {
        "driver": "d.io",
        "poolName": "p",
        "generation": 2,
        "nodeName": "n",
        "resourceSliceCount": 1,
        "totalDevices": 4,
        "allocatedDevices": 1,
        "availableDevices": 1,
        "unavailableDevices": 2,
    }
    assert "observed 1/2 slices" in half["validationError"] and "totalDevices" not in half
    (complete,) = status["conditions"]
    assert complete["message"] == "Calculated status for 2 pools (1 incomplete)"


def test_one_pool_may_be_asked_for_and_few_of_many() -> None:
    cluster = asked(poolName="p")
    cluster.settle("q", "")
    status = cluster.get(RESOURCE_POOL_STATUS_REQUESTS, "q")["status"]
    assert [pool["poolName"] for pool in status["pools"]] == ["p"]
    cluster = asked(limit=1)
    cluster.settle("q", "")
    status = cluster.get(RESOURCE_POOL_STATUS_REQUESTS, "q")["status"]
    assert (status["poolCount"], len(status["pools"])) == (2, 1)


def test_an_answer_is_given_once_and_thrown_away_later() -> None:
    cluster = asked()
    cluster.settle("q", "")
    assert cluster.settle("q", "") == 0 and cluster.requeues[0] <= ANSWERED_S
    cluster.now += int((ANSWERED_S + 1) * SECOND)
    cluster.settle("q", "")
    assert cluster.all(RESOURCE_POOL_STATUS_REQUESTS) == []
