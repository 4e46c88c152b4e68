"""A second runtime is one file: dropped into the package, it runs the pods whose class names it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mizzen.base.objects import Obj
from mizzen.base.resources import NODES, PODS, RUNTIME_CLASSES
from mizzen.node import runtimes
from mizzen.node.agent import Agent
from support.api_in_process import api_server
from unit.node.test_agent import World, phase, state

OTHER = """
from pathlib import Path
from mizzen.node.runtimes.process.runtime import ProcessRuntime

class Other(ProcessRuntime):
    handler = "other"

    def __init__(self, state_dir: Path) -> None:
        (state_dir / "other").mkdir(exist_ok=True)
        super().__init__(state_dir / "other")

    @classmethod
    def end_all(cls, state_dir, clock):
        return super().end_all(state_dir / "other", clock)

RUNTIME = Other
"""


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    package = tmp_path / "package"
    package.mkdir()
    (package / "another.py").write_text(OTHER)
    monkeypatch.setattr(runtimes, "__path__", [*runtimes.__path__, str(package)])
    async with api_server(tmp_path / "home") as client:
        made = World(client, tmp_path)
        await made.start()
        yield made
        await made.stop()
    sys.modules.pop("mizzen.node.runtimes.another")


def ids(pod: Obj) -> str:
    return pod["status"]["containerStatuses"][0].get("containerID", "")


async def test_a_pod_runs_by_the_runtime_of_its_class_and_is_adopted_without_it(
    world: World,
) -> None:
    node = await world.client.get(NODES, "testnode")
    handlers = [each["name"] for each in node["status"]["runtimeHandlers"]]
    assert {"other", "process"} <= {*handlers}
    made = {"metadata": {"name": "strict"}, "handler": "other"}
    await world.client.create(RUNTIME_CLASSES, made)
    await world.pod("plain", "sleep", "600")
    await world.pod("chosen", "sleep", "600", runtimeClassName="strict")
    plain = await world.until("plain", phase("Running"))
    chosen = await world.until("chosen", phase("Running"))
    assert ids(plain).startswith("process://") and ids(chosen).startswith("other://")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Agent, "stop", Agent.close)  # it dies, its pods run on
        await world.stop()
    await world.client.delete(RUNTIME_CLASSES, "strict")
    await world.start()
    again = await world.until("chosen", phase("Running"))
    assert ids(again) == ids(chosen) and state(again)["running"]
    await world.client.delete(PODS, "chosen", "default", grace_period_s=0)
    await world.until_gone("chosen")


async def test_a_pod_whose_class_no_runtime_serves_waits_and_says_why(world: World) -> None:
    made = {"metadata": {"name": "far"}, "handler": "saucer"}
    await world.client.create(RUNTIME_CLASSES, made)
    await world.pod("p", "true", runtimeClassName="far")
    waiting = await world.until("p", lambda p: "FailedCreatePodSandBox" in str(p["status"]))
    assert state(waiting)["waiting"]["message"].startswith(
        'spec.runtimeClassName "far": handler "saucer": there is no such runtime; this node has "'
    )
