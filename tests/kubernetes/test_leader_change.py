"""Two copies of the scheduler: one leads; one that may have lost the lead writes nothing more."""

from __future__ import annotations

import os
import signal

from mizzen.base.names import SYSTEM_NAMESPACE
from mizzen.base.resources import LEASES
from support.proxy import Proxy, Write, proxy_to
from support.second_home import Stage, component, until_ready


async def test_a_leader_that_slept_writes_nothing_when_it_wakes(stage: Stage, proxy: Proxy) -> None:
    await stage.add_node("ours")
    async with (
        proxy_to(stage.cluster.url, stage.cluster.authority) as other_proxy,
        component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as first,
    ):
        await until_ready(first)
        os.kill(first.popen.pid, signal.SIGSTOP)
        kubeconfig = stage.cluster.kubeconfig(server=other_proxy.url)
        async with component("scheduler", kubeconfig) as second:
            await stage.add_gang("train", 2)  # the sleeper will find it waiting
            await until_ready(second)
            await stage.until(lambda: bound(stage, 2), "the second leads and binds")
            await stage.add_pod("later")
            await stage.until(lambda: bound(stage, 3), "it goes on")
            by_second = len(other_proxy.writes)
            os.kill(first.popen.pid, signal.SIGCONT)

            async def first_has_ended() -> bool:
                return first.popen.poll() is not None

            await stage.until(first_has_ended, "the first ends, to begin anew")
            assert "is lost: ends, to begin anew" in first.log
            assert not proxy.writes, "what it decided in its sleep was not written"
            assert by_second == len(other_proxy.writes)
    await stage.assert_no_device_twice()


async def test_the_next_takes_over_at_once_from_one_that_ends_in_order(stage: Stage) -> None:
    await stage.add_node("ours")
    async with component("scheduler", stage.cluster.kubeconfig()) as first:
        await until_ready(first)
        async with component("scheduler", stage.cluster.kubeconfig()) as second:
            await stage.add_pod("one")
            await stage.until(lambda: bound(stage, 1), "the first leads")
            assert not second.is_ready.is_set()
            os.kill(first.popen.pid, signal.SIGTERM)
            await until_ready(second)
            await stage.add_pod("two")
            await stage.until(lambda: bound(stage, 2), "the second leads")
            lease = await stage.admin.get(LEASES, "mizzen-scheduler", SYSTEM_NAMESPACE)
            assert lease["spec"]["leaseTransitions"] == 1


async def test_one_that_is_told_to_end_finishes_what_it_is_writing(
    stage: Stage, proxy: Proxy
) -> None:
    """Told so at its first bind, it binds the whole gang before it lets the next one lead."""
    await stage.add_node("ours", 4)
    told: list[Write] = []
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as leader:
        await until_ready(leader)

        def before(write: Write) -> None:
            if write.path.endswith("/binding") and not told:
                told.append(write)
                os.kill(leader.popen.pid, signal.SIGTERM)

        proxy.before = before
        await stage.add_gang("train", 4)

        async def has_ended() -> bool:
            return leader.popen.poll() is not None

        await stage.until(has_ended, "it ends")
    assert len(await stage.bound()) == 4
    lease = await stage.admin.get(LEASES, "mizzen-scheduler", SYSTEM_NAMESPACE)
    assert not lease["spec"].get("holderIdentity"), "the next may lead at once"


async def test_a_leader_that_cannot_renew_stops_by_its_own_clock(
    stage: Stage, proxy: Proxy
) -> None:
    await stage.add_node("ours")
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as leader:
        await until_ready(leader)
        proxy.refuses_leases = True

        async def has_ended() -> bool:
            return leader.popen.poll() is not None

        await stage.until(has_ended, "it ends")
        assert not proxy.writes
    async with component("scheduler", stage.cluster.kubeconfig()) as successor:
        await until_ready(successor)
        await stage.add_pod("one")
        await stage.until(lambda: bound(stage, 1), "the next leads once the lease has lapsed")


async def bound(stage: Stage, members: int) -> bool:
    return len(await stage.bound()) == members
