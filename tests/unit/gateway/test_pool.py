"""Who gets a place, in which order."""

from __future__ import annotations

import asyncio

import pytest

from mizzen.gateway.core.endpoints import Address, read_endpoint
from mizzen.gateway.pool import Pool, RequestContext
from mizzen.host.clock import RealClock

from .conftest import endpoint_object


@pytest.fixture
def pool() -> Pool:
    """Two replicas with one place each."""
    endpoint = read_endpoint(endpoint_object(engine={"maxBatchSize": 1}))
    pool = Pool(endpoint, RealClock(), lambda _: None)
    for name in ("a", "b"):
        pool.set_replica(name, Address(name, f"uid-{name}"))
    return pool


async def test_who_waits_for_another_replica_does_not_hold_up_those_behind(pool: Pool) -> None:
    """Its own may have failed it, and be well for all the others."""
    first = await pool.acquire(RequestContext("1", 0))
    second = await pool.acquire(RequestContext("2", 0))
    assert {first.address.pod, second.address.pod} == {"a", "b"}
    picky = asyncio.create_task(
        pool.acquire(RequestContext("3", 0), frozenset({second.address.pod}))
    )
    plain = asyncio.create_task(pool.acquire(RequestContext("4", 0)))
    await asyncio.sleep(0)
    pool.release(second)
    assert await asyncio.wait_for(plain, 5) is second
    assert not picky.done()
    pool.release(first)
    assert await asyncio.wait_for(picky, 5) is first
    pool.close()


async def test_places_are_given_in_order_of_arrival(pool: Pool) -> None:
    held = [await pool.acquire(RequestContext(str(n), 0)) for n in range(2)]
    waiting = [asyncio.create_task(pool.acquire(RequestContext(str(n), 0))) for n in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.wait([waiting[1]])
    for each in held:
        pool.release(each)
    await asyncio.wait_for(asyncio.gather(waiting[0], waiting[2]), 5)
    assert pool.statistics()["queued"] == 0
    pool.close()
