import asyncio

import pytest

from mizzen.client import syncing
from mizzen.client.syncing import OBJECTS_MIN, report_syncing


class Source:
    def __init__(self):
        self.objects = {}


async def test_only_very_many_objects_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "REPORT_S", 0.0)
    pods, nodes = Source(), Source()
    told: asyncio.Queue[int] = asyncio.Queue()
    task = asyncio.create_task(report_syncing({"pods": pods, "nodes": nodes}, told.put_nowait))
    pods.objects = dict.fromkeys(range(OBJECTS_MIN - 1))
    for _ in range(5):
        await asyncio.sleep(0)
    assert told.empty()
    nodes.objects = {0: None}
    assert await told.get() == OBJECTS_MIN
    task.cancel()
