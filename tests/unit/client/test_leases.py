import asyncio

from mizzen.base.resources import LEASES
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
