"""The pods of Services, followed on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mizzen.base.names import ADMIN, IDENTITY_PREFIX
from mizzen.base.objects import Obj, name_of
from mizzen.base.resources import PODS
from mizzen.client.client import Client
from mizzen.gateway import service_pods
from mizzen.gateway.core.services import ServiceError
from mizzen.gateway.service_pods import ServicePods
from support.api_in_process import api_clients
from support.waiting import until


def pod(name: str, namespace: str = "default", **labels: str) -> Obj:
    spec = {"containers": [{"name": "c", "image": "python:3"}]}
    return {"metadata": {"namespace": namespace, "name": name, "labels": labels}, "spec": spec}


def service(**selector: str) -> Obj:
    metadata = {"namespace": "default", "name": "web"}
    return {"metadata": metadata, "spec": {"selector": selector}}


class Followed:
    """The pods of Services as the gateway has them, and what it was told of them."""

    def __init__(self, admin: Client, gateway: Client) -> None:
        self.admin = admin
        self.pods = ServicePods(gateway)
        self.told: list[tuple[str, str]] = []
        self.pods.add_handler(lambda kind, old, new: self.told.append((kind, name_of(new))))

    async def names(self, wanted: Obj) -> list[str]:
        return sorted(name_of(found) for found in await self.pods(wanted))


@pytest.fixture
async def followed(tmp_path: Path) -> AsyncIterator[Followed]:
    async with api_clients(tmp_path, ADMIN, f"{IDENTITY_PREFIX}gateway") as (admin, gateway):
        found = Followed(admin, gateway)
        for made in (
            pod("a", app="web", tier=""),
            pod("b", app="web", tier="x"),
            pod("other", app="db"),
            pod("elsewhere", "kube-system", app="web", tier=""),
        ):
            await admin.create(PODS, made)
        yield found
        await found.pods.close()


async def test_only_what_a_service_selects_is_asked_for(followed: Followed) -> None:
    assert followed.pods.statistics() == {"selectors": 0, "pods": 0}
    assert await followed.names(service(app="web")) == ["a", "b"]
    assert await followed.names(service(app="web", tier="")) == ["a"]  # a value may be empty
    assert await followed.names(service(app="nobody")) == []
    assert followed.pods.statistics() == {"selectors": 3, "pods": 3}


async def test_changes_are_heard_of(followed: Followed) -> None:
    await followed.names(service(app="web"))
    await followed.admin.patch(PODS, "b", {"metadata": {"labels": {"app": "db"}}}, "default")
    await until(lambda: ("DELETED", "b") in followed.told, "it is selected no longer")
    assert await followed.names(service(app="web")) == ["a"]


async def test_what_no_service_selects_is_let_go(followed: Followed) -> None:
    old, new = service(app="web"), service(app="db")
    await followed.names(old)
    followed.pods.on_service("MODIFIED", old, old)
    assert followed.pods.statistics()["selectors"] == 1
    followed.pods.on_service("MODIFIED", old, new)
    assert followed.pods.statistics() == {"selectors": 0, "pods": 0}
    assert ("DELETED", "a") in followed.told  # whoever kept something of it forgets it
    await followed.names(new)
    followed.pods.on_service("DELETED", new, new)
    assert followed.pods.statistics()["selectors"] == 0


async def test_many_selectors_are_not_followed_at_a_time(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_pods, "FOLLOWED_MAX", 2)
    for app in ("web", "db", "nobody"):
        await followed.names(service(app=app))
    assert followed.pods.statistics() == {"selectors": 2, "pods": 1}
    assert await followed.names(service(app="web")) == ["a", "b"]


async def test_pods_that_are_not_known_are_no_pods_that_are_not_there(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_pods, "SYNC_S_MAX", 0.0)
    with pytest.raises(ServiceError, match="not known yet") as found:
        await followed.names(service(app="web"))
    assert (found.value.status, found.value.retry_after_s) == (503, 1)


async def test_who_waits_hears_at_once_that_the_service_has_changed(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_pods, "SYNC_S_MAX", 60.0)
    old = service(app="web")
    waiting = asyncio.create_task(followed.names(old))
    await asyncio.sleep(0)
    assert followed.pods.statistics()["selectors"] == 1
    followed.pods.on_service("MODIFIED", old, service(app="db"))
    async with asyncio.timeout(10):
        with pytest.raises(ServiceError, match="it has changed"):
            await waiting
