"""Which pods the gateway takes for replicas of which endpoint."""

from __future__ import annotations

from mizzen.base.objects import Key, Obj
from mizzen.gateway.core.endpoints import Address
from mizzen.gateway.directory import Directory
from mizzen.host.clock import RealClock

TINY = Key("default", "tiny")


def endpoint(uid: str) -> Obj:
    metadata = {"name": TINY.name, "namespace": TINY.namespace, "uid": uid}
    return {"metadata": metadata, "spec": {"model": {"path": "/m"}}}


def pod(uid: str, owner: str | None) -> Obj:
    reference = {"kind": "ModelEndpoint", "name": TINY.name, "uid": owner, "controller": True}
    return {
        "metadata": {
            "name": "tiny-0",
            "namespace": TINY.namespace,
            "uid": uid,
            "labels": {"mizzen.dev/endpoint": TINY.name},
            "ownerReferences": [reference] if owner else [],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


class Told:
    """A directory, and the replicas it said have left."""

    def __init__(self) -> None:
        self.left: list[Address] = []
        self.directory = Directory(
            RealClock(),
            on_scale=lambda _: None,
            on_known=lambda _: None,
            on_gone=lambda _: None,
            on_replica_removed=self.left.append,
            on_pool=lambda _: None,
        )

    @property
    def replicas(self) -> list[str]:
        pool = self.directory.pools[TINY]
        return [replica.address.uid for replica in pool.replicas.values()]


async def test_a_copy_of_a_replica_is_none() -> None:
    told = Told()
    told.directory.on_endpoint("ADDED", None, endpoint("e1"))
    told.directory.on_pod("ADDED", None, pod("copy", None))
    assert told.replicas == []
    told.directory.on_pod("ADDED", None, pod("p1", "e1"))
    assert told.replicas == ["p1"]


async def test_an_heir_of_the_name_does_not_inherit_the_replicas() -> None:
    told = Told()
    told.directory.on_pod("ADDED", None, pod("p1", "e1"))
    told.directory.on_endpoint("ADDED", None, endpoint("e1"))
    assert told.replicas == ["p1"]
    told.directory.on_endpoint("DELETED", None, endpoint("e1"))
    told.directory.on_endpoint("ADDED", None, endpoint("e2"))
    assert told.replicas == []
    told.directory.on_pod("DELETED", pod("p1", "e1"), pod("p1", "e1"))
    told.directory.on_pod("ADDED", None, pod("p2", "e2"))
    assert told.replicas == ["p2"]


async def test_a_replica_that_is_released_gets_no_more() -> None:
    told = Told()
    told.directory.on_endpoint("ADDED", None, endpoint("e1"))
    told.directory.on_pod("ADDED", None, pod("p1", "e1"))
    told.directory.on_pod("MODIFIED", pod("p1", "e1"), pod("p1", None))
    assert told.replicas == []
    assert told.left == [Address("tiny-0", "p1")]
