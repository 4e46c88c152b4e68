"""The wall clock of a real instance is set two hours forward, back again, and further back.

Nothing that was acknowledged is lost, watches go on, revisions grow, and nothing stands still for
longer than it would have without the step.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mizzen.base.errors import ApiError, Unauthorized
from mizzen.base.resources import (
    CONFIG_MAPS,
    CRON_JOBS,
    EVENTS,
    JOBS,
    LEASES,
    NODES,
    SERVICE_ACCOUNTS,
)
from mizzen.client.client import Client
from mizzen.host.home import Home
from support.instance import Instance
from support.wall import Wall

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FORWARD_S, BACK_S = 2 * 3600, -1800
SOON_S = 90.0  # nothing but a schedule is waited for any longer
MINUTE_S = 150.0  # a schedule of each minute, on a clock that goes at half the speed
TOKEN_S = 3600


@dataclass
class World:
    """An instance, its clock, and what must hold all the time."""

    instance: Instance
    wall: Wall
    client: Client
    written: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    revision: int = 0

    async def write(self) -> None:
        """One ConfigMap more, acknowledged, of a higher revision than all before."""
        name = f"written-{len(self.written)}"
        body = {"metadata": {"name": name, "namespace": "default"}}
        made = await self.client.create(CONFIG_MAPS, body)
        self.written.append(name)
        revision = int(made["metadata"]["resourceVersion"])
        assert revision > self.revision
        self.revision = revision

    async def follow(self) -> None:
        """One watch, from the beginning to the end of the test: it must never have to begin anew."""
        listed, revision = await self.client.list(CONFIG_MAPS, "default")
        assert not [each for each in listed if each["metadata"]["name"].startswith("written-")]
        watch = self.client.watch(CONFIG_MAPS, "default", revision=revision)
        async with contextlib.aclosing(watch):
            async for event in watch:
                if event.type == "ADDED":
                    self.seen.append(event.object["metadata"]["name"])
        raise AssertionError("the watch ended")

    async def until(self, check: Any, what: str, within_s: float = SOON_S) -> Any:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            with contextlib.suppress(ApiError):
                if found := await check():
                    return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"not within {within_s:g} s: {what}")

    async def everything_is_there(self) -> None:
        await self.write()
        listed, _ = await self.client.list(CONFIG_MAPS, "default")
        names = {each["metadata"]["name"] for each in listed}
        assert set(self.written) <= names

        async def all_seen() -> bool:
            return self.seen == self.written

        await self.until(all_seen, "the watch tells of every write")

    async def a_job_ends(self, name: str) -> None:
        """Controllers, scheduler and agent do their work."""
        container = {"name": "c", "image": "mizzen.dev/python", "command": ["true"]}
        pod = {"restartPolicy": "Never", "containers": [container]}
        body = {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"template": {"spec": pod}},
        }
        await self.client.create(JOBS, body)

        async def is_complete() -> bool:
            job = await self.client.get(JOBS, name, "default")
            return bool(job.get("status", {}).get("succeeded"))

        await self.until(is_complete, f"Job {name} is complete")

    async def nodes_are_ready(self) -> None:
        async def are_ready() -> bool:
            nodes, _ = await self.client.list(NODES)
            return all(
                not node["spec"].get("taints")
                and {"Ready": "True"}.items()
                <= {c["type"]: c["status"] for c in node["status"]["conditions"]}.items()
                for node in nodes
            )

        await self.until(are_ready, "the node is ready, without taints")

    async def the_node_is_renewed(self) -> None:
        async def renewed() -> str:
            leases, _ = await self.client.list(LEASES, "kube-node-lease")
            return str(leases[0]["spec"]["renewTime"])

        before = await renewed()

        async def is_later() -> bool:
            return await renewed() > before

        await self.until(is_later, "the agent renews its lease")

    async def runs_of_cron(self) -> set[str]:
        jobs, _ = await self.client.list(JOBS, "default")
        return {
            job["metadata"]["name"]
            for job in jobs
            if any(o["kind"] == "CronJob" for o in job["metadata"].get("ownerReferences") or ())
        }

    async def the_schedule_goes_on(self, within_s: float) -> None:
        before = await self.runs_of_cron()

        async def has_run() -> bool:
            return bool(await self.runs_of_cron() - before)

        await self.until(has_run, "the CronJob runs again", within_s)

    async def token(self) -> str:
        body = {"spec": {"expirationSeconds": TOKEN_S}}
        path = SERVICE_ACCOUNTS.path("default", "default", "token")
        made = json.loads(await self.client.raw("POST", path, body=json.dumps(body).encode()))
        return str(made["status"]["token"])

    async def knows(self, token: str) -> bool:
        connection = replace(self.client.connection, token=token)
        async with Client(connection, user_agent="clocks") as client:
            try:
                await client.get(CONFIG_MAPS, "none", "default")
            except Unauthorized:
                return False
            except ApiError:
                return True
        return True


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    wall = Wall(tmp_path)
    instance = Instance(tmp_path / "i", wall.environment)
    instance.ok("up", "--detach")
    kubeconfig = Home.locate(str(instance.home), {}).kubeconfig
    try:
        async with Client.from_kubeconfig(kubeconfig, user_agent="clocks") as client:
            world = World(instance, wall, client)
            follower = asyncio.create_task(world.follow())
            try:
                yield world
                assert not follower.done(), follower.exception()
            finally:
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)
    finally:
        instance.run("down")
    assert instance.processes() == []


async def test_the_clock_is_set_forward_and_back(world: World) -> None:
    cron_job = {
        "metadata": {"name": "cron", "namespace": "default"},
        "spec": {
            "schedule": "* * * * *",
            "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "c", "image": "mizzen.dev/python", "command": ["true"]}],
            }}}},
        },
    }  # fmt: skip
    hours = {**cron_job, "metadata": {"name": "hours", "namespace": "default"}}
    hours["spec"] = {**cron_job["spec"], "schedule": "0 * * * *"}  # type: ignore[dict-item]
    await world.nodes_are_ready()
    await world.everything_is_there()
    await world.client.create(CRON_JOBS, cron_job)
    await world.client.create(CRON_JOBS, hours)
    await world.a_job_ends("before")
    token = await world.token()
    assert await world.knows(token)

    async def of_the_hour() -> set[str]:
        return {name for name in await world.runs_of_cron() if name.startswith("hours-")}

    # Forward: what was due meanwhile is due now, what lived so long is dead.
    by_the_hour = await of_the_hour()
    old, _ = await world.client.list(EVENTS, "default")
    assert old
    world.wall.set(FORWARD_S)
    await world.everything_is_there()
    assert not await world.knows(token) and await world.knows(await world.token())
    await world.the_schedule_goes_on(SOON_S)

    async def has_run() -> bool:
        return await of_the_hour() > by_the_hour

    await world.until(has_run, "the hour's CronJob runs at once, no timer waits out its hour")
    await world.the_node_is_renewed()
    await world.nodes_are_ready()
    await world.a_job_ends("forward")

    # Back: time goes on, slower; nothing waits for the wall to be there again.
    for number, offset in enumerate((0, BACK_S)):
        world.wall.set(offset)
        await world.everything_is_there()
        assert await world.knows(await world.token())
        await world.the_node_is_renewed()
        await world.nodes_are_ready()
        await world.a_job_ends(f"back-{number}")
    await world.the_schedule_goes_on(MINUTE_S)

    # A role that starts while the wall is behind goes on from the others' time.
    for role in ("controllers", "scheduler", "node"):
        os.kill(world.instance.process(role)["pid"], signal.SIGKILL)
    await world.everything_is_there()
    await world.a_job_ends("restarted")
    await world.nodes_are_ready()
