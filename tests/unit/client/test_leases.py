import asyncio
from dataclasses import replace

import pytest

from mizzen.base.errors import NotFound, Unavailable
from mizzen.base.resources import LEASES, NAMESPACES
from mizzen.client.leases import Elector, LeaseConfig
from mizzen.host.clock import RealClock
from support.api_in_process import api_server
from support.waiting import until


class HandClock(RealClock):
    """Real wall time; durations move by hand."""

    def __init__(self):
        super().__init__()
        self.seconds = 0.0

    def monotonic_ns(self):
        return int(self.seconds * 1e9)


def candidate(client, clock, identity):
    config = LeaseConfig("leader", identity, "default", duration_s=10, renew_s=0.01)
    return Elector(client, clock, config)


async def test_only_one_holds_it_until_it_lapses(tmp_path):
    async with api_server(tmp_path) as client:
        clock = HandClock()
        first, second = candidate(client, clock, "a"), candidate(client, clock, "b")
        assert await first.try_acquire()
        assert not await second.try_acquire()
        clock.seconds = 9
        assert await first.try_acquire()  # renews: the ten seconds begin anew for the other
        assert not await second.try_acquire()
        clock.seconds = 18
        assert not await second.try_acquire()
        clock.seconds = 20
        assert await second.try_acquire()
        assert not await first.try_acquire()
        lease = await client.get(LEASES, "leader", "default")
        assert lease["spec"]["holderIdentity"] == "b"
        assert lease["spec"]["leaseTransitions"] == 1


async def test_the_next_leads_when_the_work_is_done(tmp_path):
    async with api_server(tmp_path) as client:
        clock = HandClock()
        order = []
        finish = asyncio.Event()

        async def work(name):
            order.append(name)
            await finish.wait()

        first = asyncio.create_task(candidate(client, clock, "a").lead(lambda: work("a")))
        await until(lambda: order, "a leader")
        second = asyncio.create_task(candidate(client, clock, "b").lead(lambda: work("b")))
        finish.set()
        await asyncio.wait_for(asyncio.gather(first, second), 10)
        assert order == ["a", "b"]


async def test_a_leader_distrusts_its_lease_before_others_may_take_it(tmp_path):
    async with api_server(tmp_path) as client:
        clock = HandClock()
        leader = candidate(client, clock, "a")
        assert not leader.is_leading
        assert await leader.try_acquire()
        client.write_only_if(leader.check)
        space = {"metadata": {"name": "one"}}
        await client.create(NAMESPACES, space)
        clock.seconds = 6.7  # of ten; it has slept
        with pytest.raises(Unavailable, match='a does not hold Lease "leader": it writes nothing'):
            await client.create(NAMESPACES, {"metadata": {"name": "two"}})
        with pytest.raises(NotFound):
            await client.get(NAMESPACES, "two")


async def test_the_time_on_the_wall_means_nothing_to_a_lease(tmp_path):
    async with api_server(tmp_path) as client:
        clock, wall = HandClock(), [0]
        clock.now_ns = lambda: 1_800_000_000_000_000_000 + wall[0]
        first, second = candidate(client, clock, "a"), candidate(client, clock, "b")
        assert await first.try_acquire()
        for jump_s in (86_400, -86_400 * 400):
            wall[0] = jump_s * 1_000_000_000
            assert not await second.try_acquire()
            assert first.is_leading
            assert await first.try_acquire()


async def test_what_keeps_a_candidate_from_the_lease_is_logged_once(tmp_path, caplog):
    async with api_server(tmp_path) as client:
        config = LeaseConfig("leader", "a", "nowhere", duration_s=10, renew_s=0.01)
        elector = Elector(client, HandClock(), config)
        for _ in range(3):
            assert not await elector.try_acquire()
        (line,) = caplog.messages
        assert line.startswith('Lease "nowhere/leader" can be neither taken nor renewed')
        assert '"nowhere" not found' in line
        config = LeaseConfig("leader", "a", "default", duration_s=10, renew_s=0.01)
        rivals = [Elector(client, HandClock(), replace(config, identity=i)) for i in "ab"]
        assert [await rival.try_acquire() for rival in rivals] == [True, False]
        assert len(caplog.messages) == 1  # who holds it is no trouble
