"""Statuses against a real API server: one that cannot be written keeps none of the others waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mizzen.base.objects import Obj
from mizzen.base.operations import Operation, Patch
from mizzen.base.reading import text
from mizzen.base.resources import PODS
from mizzen.client.client import Client
from mizzen.node import reporter as module
from mizzen.node.boundary import run_forever
from mizzen.node.reporter import Reporter
from support.api_in_process import api_server
from support.waiting import until


class Pods:
    """What is due of each pod: a message, until the API has it."""

    def __init__(self) -> None:
        self.pods: dict[str, Obj] = {}
        self.wanted: dict[str, str] = {}
        self.told: list[str] = []

    async def make(self, client: Client, name: str, message: str) -> None:
        spec = {"containers": [{"name": "c", "image": "mizzen.dev/python"}]}
        pod = await client.create(PODS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})  # fmt: skip
        uid: str = pod["metadata"]["uid"]
        self.pods[uid], self.wanted[uid] = pod, message

    def due_writes(self, uid: str) -> list[Operation]:
        pod, message = self.pods[uid], self.wanted[uid]
        if text(pod, "status", "message") == message:
            return []
        name = pod["metadata"]["name"]
        return [Patch(PODS, "default", name, {"status": {"message": message}}, "status")]

    def identity(self, uid: str) -> tuple[str, str] | None:
        return "default", self.pods[uid]["metadata"]["name"]

    def on_written(self, uid: str, pod: Obj) -> None:
        self.pods[uid] = pod

    def on_vanished(self, uid: str) -> None:
        self.pods.pop(uid)

    def on_refused(self, uid: str, message: str) -> None:
        self.told.append(message)


async def test_a_status_that_cannot_be_written_is_tried_again_and_others_do_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFUSED_AGAIN_S", 0.05)
    async with api_server(tmp_path / "home") as client:
        pods = Pods()
        for name, message in (("a", "fine"), ("bad", "half a \udcff character"), ("c", "fine")):
            await pods.make(client, name, message)
        reporter = Reporter(client, pods, pods.told.append)
        for uid in pods.pods:
            reporter.mark(uid)
        task = asyncio.create_task(reporter.run())
        bad = next(u for u, p in pods.pods.items() if p["metadata"]["name"] == "bad")
        good = [u for u in pods.pods if u != bad]
        await until(lambda: not any(pods.due_writes(u) for u in good), "the others' statuses")
        await until(lambda: len(pods.told) >= 2, "another try")
        assert not task.done() and pods.due_writes(bad)
        pods.wanted[bad] = "whole"
        await until(lambda: not pods.due_writes(bad), "its own status")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_fault_while_one_is_written_loses_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api_server(tmp_path / "home") as client:
        pods = Pods()
        for name in "abc":
            await pods.make(client, name, "fine")
        first = next(iter(pods.pods))
        await client.delete(PODS, "a", "default", grace_period_s=0)
        faults: list[str] = []

        def vanished(uid: str) -> None:
            faults.append(uid)
            if len(faults) == 1:
                raise OSError(28, "No space left on device")
            pods.wanted[uid] = ""

        monkeypatch.setattr(pods, "on_vanished", vanished)
        reporter = Reporter(client, pods, pods.told.append)
        for uid in pods.pods:
            reporter.mark(uid)
        task = asyncio.create_task(run_forever("reporter", reporter.run, 0.01))
        others = [uid for uid in pods.pods if uid != first]
        await until(lambda: not any(pods.due_writes(u) for u in others), "the others' statuses", 5)
        assert faults == [first, first]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
