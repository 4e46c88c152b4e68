"""What a team does all day, in small: objects, jobs, training and requests that never end.

Each loop remembers what it was promised. What a fault interrupts is tried again; an answer that is
wrong is a fault of the product at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp

from mizzen.base.errors import AlreadyExists, ApiError, Conflict, NotFound
from mizzen.base.objects import Obj
from mizzen.base.resources import (
    CONFIG_MAPS,
    EVENTS,
    JOBS,
    MODEL_ENDPOINTS,
    PODS,
    RESOURCE_QUOTAS,
    TRAIN_JOBS,
    Resource,
)
from mizzen.client.client import Client
from mizzen.compose.settings import load
from mizzen.host.home import Home
from mizzen.host.pki import load_api_keys

TRAIN = Path(__file__).parents[2] / "examples" / "first_light" / "train.py"
NAMES = 200  # of ConfigMaps that come and go
INTERRUPTED = (ApiError, aiohttp.ClientError, OSError, TimeoutError)
PODS_PER_JOB = 6
PAUSE_S = 0.05
EVENTS_SHOWN = 12  # of what failed


@dataclass
class Load:
    """The loops, what they count, and what was acknowledged."""

    home: Home
    model: Path
    chance: Random
    counts: Counter[str] = field(default_factory=Counter)
    interrupted: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    acknowledged: dict[str, str | None] = field(default_factory=dict)  # value; None: deleted
    unsure: set[str] = field(default_factory=set)  # whose last write got no answer

    def loops(self) -> list[tuple[str, Callable[[Client], Awaitable[None]]]]:
        return [
            ("writes", self._write),
            ("jobs", self._job),
            ("training", self._train),
            ("requests", self._request),
            ("lists", self._list),
        ]

    async def run(self) -> None:
        async with self.client() as client:
            hard = {"pods": "1000", "count/pods": "5000", "count/configmaps": "1000"}
            body: Obj = {
                "metadata": {"name": "all", "namespace": "default"},
                "spec": {"hard": hard},
            }
            await client.create(RESOURCE_QUOTAS, body)
        async with asyncio.TaskGroup() as group:
            for name, turn in self.loops():
                group.create_task(self._forever(name, turn))

    async def _forever(self, name: str, turn: Callable[[Client], Awaitable[None]]) -> None:
        async with self.client() as client:
            while True:
                try:
                    await turn(client)
                    self.counts[name] += 1
                except INTERRUPTED as error:
                    self.interrupted[f"{name}: {type(error).__name__}"] += 1
                    await asyncio.sleep(0.5)
                await asyncio.sleep(PAUSE_S)

    def client(self) -> Client:
        return Client.from_kubeconfig(self.home.kubeconfig, user_agent="soak")

    async def _write(self, client: Client) -> None:
        """One write to one name; what is unsure is settled by looking before the next."""
        name = f"churn-{self.chance.randrange(NAMES)}"
        if name in self.unsure:
            await self.settle(client, name)
        value = "v" * self.chance.randrange(1, 4000) + str(self.counts["writes"])
        body: Obj = {"metadata": {"name": name, "namespace": "default"}, "data": {"v": value}}
        known = self.acknowledged.get(name)
        self.unsure.add(name)
        if known is None:
            await client.create(CONFIG_MAPS, body)
            self.acknowledged[name] = value
        elif self.chance.random() < 0.3:
            await client.delete(CONFIG_MAPS, name, "default")
            self.acknowledged[name] = None
        else:
            await client.patch(CONFIG_MAPS, name, {"data": {"v": value}}, "default")
            self.acknowledged[name] = value
        self.unsure.discard(name)

    async def settle(self, client: Client, name: str) -> None:
        try:
            found = await client.get(CONFIG_MAPS, name, "default")
            self.acknowledged[name] = found["data"]["v"]
        except NotFound:
            self.acknowledged[name] = None
        self.unsure.discard(name)

    async def _list(self, client: Client) -> None:
        await self.check(client)
        await asyncio.sleep(1)

    async def check(self, client: Client) -> None:
        """Notes as wrong what was acknowledged before a list began and is not in it."""
        before = dict(self.acknowledged)
        unsure = set(self.unsure)
        items, _ = await client.list(CONFIG_MAPS, "default")
        held = {m["metadata"]["name"]: m["data"].get("v") for m in items if "data" in m}
        for name, value in before.items():
            is_settled = self.acknowledged.get(name) == value and name not in self.unsure | unsure
            if is_settled and held.get(name) != value:
                self.wrong.append(f"ConfigMap {name} is not what was acknowledged last")

    async def _job(self, client: Client) -> None:
        """A Job of short pods that end together, waited for and deleted."""
        command = self.chance.choice([["/bin/true"], ["/bin/sh", "-c", "echo done"]])
        container: Obj = {"name": "c", "image": command[0], "command": command}
        template: Obj = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        spec: Obj = {
            "parallelism": PODS_PER_JOB,
            "completions": PODS_PER_JOB,
            "backoffLimit": 1000,
            "template": template,
        }
        metadata: Obj = {"name": "short", "namespace": "default"}
        with contextlib.suppress(AlreadyExists):
            await client.create(JOBS, {"metadata": metadata, "spec": spec})
        await self._finished(client, JOBS, "short", "Complete")
        await self._gone(client, JOBS, "short")
        self.counts["pods"] += PODS_PER_JOB

    async def _train(self, client: Client) -> None:
        """A training job of one to two workers, to its end."""
        body: Obj = {
            "metadata": {
                "name": "learner",
                "namespace": "default",
                "annotations": {"mizzen.dev/min-nodes": "1", "mizzen.dev/max-nodes": "2"},
            },
            "spec": {
                "runtimeRef": {"name": "jax-distributed"},
                "trainer": {
                    "numNodes": 2,
                    "command": ["python", str(TRAIN)],
                    "args": ["--steps", "60"],
                    "resourcesPerNode": {"limits": {"mizzen.dev/cpu-core": "1"}},
                },
            },
        }
        with contextlib.suppress(AlreadyExists):
            await client.create(TRAIN_JOBS, body)
        await self._finished(client, TRAIN_JOBS, "learner", "Complete")
        await self._gone(client, TRAIN_JOBS, "learner")

    async def _request(self, client: Client) -> None:
        """A few tokens from an endpoint that is there from the first time on."""
        body: Obj = {
            "metadata": {"name": "tiny", "namespace": "default"},
            "spec": {
                "model": {"path": str(self.model)},
                "replicas": {"min": 0, "max": 1},
                "scaleToZeroDelaySeconds": 5,
            },
        }
        with contextlib.suppress(AlreadyExists, Conflict):
            await client.create(MODEL_ENDPOINTS, body)
        known = load(self.home)
        url = f"http://127.0.0.1:{known.gateway_port}/v1/completions"
        headers = {"Authorization": f"Bearer {load_api_keys(self.home)[0]}"}
        asked = {"model": "tiny", "prompt": "def ", "max_tokens": 4}
        timeout = aiohttp.ClientTimeout(60)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, json=asked, headers=headers) as answer,
        ):
            self.counts[f"answers {answer.status}"] += 1
            if answer.status == 200 and not (await answer.json())["choices"]:
                self.wrong.append("a completion without choices")
        await asyncio.sleep(self.chance.choice([0.1, 0.1, 0.1, 8.0]))

    async def _finished(
        self, client: Client, resource: Resource, name: str, condition: str
    ) -> None:
        """Waits until it is complete; that it failed is a fault of the product."""
        while True:
            found = await client.get(resource, name, "default")
            conditions = (found.get("status") or {}).get("conditions") or []
            held = {c["type"] for c in conditions if c["status"] == "True"}
            if condition in held:
                return
            if "Failed" in held:
                said = next(c for c in conditions if c["type"] == "Failed")
                self.wrong.append(f"{name} failed: {said.get('reason')}: {said.get('message')}")
                self.wrong += await self._warnings(client, name)
                return
            await asyncio.sleep(0.2)

    async def _warnings(self, client: Client, name: str) -> list[str]:
        """How it came to it, in the words of the Events about it and its pods."""
        found, _ = await client.list(EVENTS, "default")
        about = [
            f"  {e['lastTimestamp']} {e['involvedObject']['name']}: {e['reason']}: {e['message']}"
            for e in found
            if e["involvedObject"]["name"].startswith(name) and e["type"] == "Warning"
        ]
        return sorted(about)[-EVENTS_SHOWN:]

    async def _gone(self, client: Client, resource: Resource, name: str) -> None:
        while True:
            try:
                await client.delete(resource, name, "default", propagation="Background")
                await client.get(resource, name, "default")
            except NotFound:
                break
            await asyncio.sleep(0.1)
        while True:
            pods, _ = await client.list(PODS, "default")
            if not any(p["metadata"]["name"].startswith(f"{name}-") for p in pods):
                return
            await asyncio.sleep(0.1)
