"""Engines are asked for metrics where the picker reads them, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from mizzen.base.names import PICKER
from mizzen.gateway.core.picker import (
    DEFAULT_PICKER,
    Candidate,
    Pick,
    Picker,
    RequestContext,
    find_pickers,
)
from support.waiting import until

from .conftest import Gateway, endpoint_object


def _least_kv(_: RequestContext, candidates: Iterable[Candidate]) -> Pick | None:
    usages = {c.name: c.metrics.kv_cache_usage for c in candidates if c.metrics}
    return Pick(min(usages, key=lambda name: usages[name])) if usages else None


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**find_pickers(), "least-kv": Picker("least-kv", _least_kv, reads_metrics=True)}
    monkeypatch.setattr("mizzen.gateway.pool.find_pickers", lambda: found)


def choose(gateway: Gateway, picker: str) -> None:
    endpoint = endpoint_object()
    endpoint["metadata"]["annotations"] = {PICKER: picker}
    gateway.directory.on_endpoint("MODIFIED", None, endpoint)


async def test_a_picker_gets_what_engines_say(gateway: Gateway) -> None:
    choose(gateway, "least-kv")
    engine = await gateway.replica("tiny-0")
    replica = gateway.directory.find("tiny").replicas["tiny-0"]
    await until(lambda: replica.metrics is not None, "the engine is asked")
    assert replica.metrics is not None
    assert replica.metrics.kv_cache_usage == 0.25
    assert (await gateway.post())[0] == 200
    assert engine.scrapes >= 1


async def test_who_waits_for_what_engines_say_is_served_once_they_do(gateway: Gateway) -> None:
    choose(gateway, "least-kv")
    asked = asyncio.create_task(gateway.post())
    pool = gateway.directory.find("tiny")
    await until(lambda: pool.statistics()["queued"] == 1, "it waits")
    await gateway.replica("tiny-0")
    assert (await asked)[0] == 200


async def test_one_that_does_not_read_them_has_nobody_asked(gateway: Gateway) -> None:
    gateway.endpoint()
    engine = await gateway.replica("tiny-0")
    assert (await gateway.post())[0] == 200
    assert gateway.scraper.statistics() == {"scraped_pools": 0}
    choose(gateway, "least-kv")
    await until(lambda: engine.scrapes > 0, "the engine is asked")
    choose(gateway, DEFAULT_PICKER)
    await until(lambda: gateway.scraper.statistics()["scraped_pools"] == 0, "it ends")


async def test_an_engine_that_is_gone_has_no_metrics(gateway: Gateway) -> None:
    choose(gateway, "least-kv")
    engine = await gateway.replica("tiny-0")
    replica = gateway.directory.find("tiny").replicas["tiny-0"]
    await until(lambda: replica.metrics is not None, "the engine is asked")
    await engine.__aexit__()
    await until(lambda: replica.metrics is None, "it is noticed")
