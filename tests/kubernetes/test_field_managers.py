"""Who manages which fields, and what applying makes of objects, is as at the real kube-apiserver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from mizzen.apiserver.custom import CustomKinds
from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api
from support.api_rules.talk import Talk
from support.apply_cases.cases import CASES
from support.apply_cases.kinds import DEFINITION
from support.apply_cases.random_steps import sequence
from support.apply_cases.steps import Ask, Place, Step, differences, play
from support.real_cluster import ADMIN, Cluster

NAMESPACE = "applying"
SEEDS = range(60)
SERVED_WITHIN_S = 20.0
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_GADGETS = f"/apis/example.dev/v1/namespaces/{NAMESPACE}/gadgets"
_JSON = "application/json"


@dataclass
class Both:
    ours: Ask
    theirs: Ask

    async def compare(self, place: Place, steps: list[Step]) -> list[str]:
        mine = await play(self.ours, place, NAMESPACE, "obj", steps)
        original = await play(self.theirs, place, NAMESPACE, "obj", steps)
        return [
            f"after {step}:\n  {found}"
            for step, one, other in zip(steps, mine, original, strict=True)
            for found in differences(one, other)
        ]


@pytest_asyncio.fixture
async def both(cluster: Cluster) -> AsyncIterator[Both]:
    api = await an_api(MemoryStore())
    custom = CustomKinds(api.server)
    await custom.load()
    talk = Talk(cluster.url, cluster.authority, cluster.tokens[ADMIN])

    async def ours(method: str, path: str, body: Any, kind: str) -> tuple[int, Any]:
        return await api.call(method, path, body, content_type=kind)

    async def theirs(method: str, path: str, body: Any, kind: str) -> tuple[int, Any]:
        answer = talk.call(method, path, body, kind=kind)
        is_json = answer.raw.startswith(b"{")
        return answer.status, answer.body if is_json else {"message": answer.raw.decode()}

    cluster.make_namespace(NAMESPACE)
    await ours("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}, _JSON)
    for ask in (ours, theirs):
        assert (await ask("POST", _DEFINITIONS, DEFINITION, _JSON))[0] in (201, 409)
    await custom.load()
    ends = time.monotonic() + SERVED_WITHIN_S
    while (await theirs("GET", _GADGETS, None, _JSON))[0] != 200:
        assert time.monotonic() < ends, "the custom kind is not served"
        await asyncio.sleep(0.1)
    yield Both(ours, theirs)


@pytest.mark.parametrize("name", CASES)
async def test_case(both: Both, name: str) -> None:
    found = await both.compare(*CASES[name])
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_writes(both: Both, seed: int) -> None:
    found = await both.compare(*sequence(seed))
    assert found == [], "\n".join(found)
