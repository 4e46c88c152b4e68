"""Who gets a place, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from mizzen.base.openai import OpenAIError
from mizzen.gateway.core.endpoints import Address, read_endpoint
from mizzen.gateway.core.picker import Candidate, Pick, Picker, RequestContext
from mizzen.gateway.pool import Pool
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
    assert {first.primary.address.pod, second.primary.address.pod} == {"a", "b"}
    picky = asyncio.create_task(
        pool.acquire(RequestContext("3", 0), frozenset({second.primary.address.pod}))
    )
    plain = asyncio.create_task(pool.acquire(RequestContext("4", 0)))
    await asyncio.sleep(0)
    pool.release(second)
    assert (await asyncio.wait_for(plain, 5)).primary is second.primary
    assert not picky.done()
    pool.release(first)
    assert (await asyncio.wait_for(picky, 5)).primary is first.primary
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


async def test_a_request_holds_a_place_on_every_replica_of_its_pick(
    monkeypatch: pytest.MonkeyPatch, pool: Pool
) -> None:
    """As one whose prompt is read by another replica than writes the answer."""
    both = Picker("both", lambda _, candidates: Pick("a", ("b",)) if _free(candidates) else None)
    monkeypatch.setattr("mizzen.gateway.pool.find_pickers", lambda: {"both": both})
    pool.update(replace(pool.endpoint, picker="both"))
    held = await pool.acquire(RequestContext("1", 0))
    assert [replica.address.pod for replica in held.replicas] == ["a", "b"]
    assert [replica.in_flight for replica in pool.replicas.values()] == [1, 1]
    assert pool.statistics()["in_flight"] == 1, "it is one request"
    pool.release(held)
    assert [replica.in_flight for replica in pool.replicas.values()] == [0, 0]
    pool.close()


def _free(candidates: Iterable[Candidate]) -> bool:
    return all(c.in_flight < c.capacity for c in candidates)


async def test_an_unknown_picker_is_refused_with_those_there_are(pool: Pool) -> None:
    pool.update(replace(pool.endpoint, picker="astrology"))
    with pytest.raises(
        OpenAIError, match=r'no picker "astrology"; there are .*prefix-affinity'
    ) as e:
        await pool.acquire(RequestContext("1", 0))
    assert e.value.status == 503
    pool.close()
