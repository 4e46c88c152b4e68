import asyncio
import sys

from mizzen.client.queue import FIRST_RETRY_S, WorkQueue


async def test_a_key_is_queued_once_and_in_order():
    queue = WorkQueue()
    for key in "abab":
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_added_while_taken_comes_again_after_done():
    queue = WorkQueue()
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done(key)
    assert await queue.get() == "a"


async def test_get_waits_for_an_addition():
    queue = WorkQueue()
    taken = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await asyncio.wait_for(taken, 5) == "a"


async def test_the_earliest_of_several_delays_counts():
    queue = WorkQueue()
    queue.add_after("a", 0.01)
    queue.add_after("a", 100)
    assert await asyncio.wait_for(queue.get(), 5) == "a"
    assert queue.statistics()["delayed"] == 0


async def test_an_addition_now_overtakes_a_delayed_one():
    queue = WorkQueue()
    queue.add_after("a", 100)
    queue.add("a")
    assert await asyncio.wait_for(queue.get(), 5) == "a"
    assert queue.statistics()["delayed"] == 0


async def test_retries_wait_twice_as_long_until_forgotten():
    queue = WorkQueue()
    assert [queue.retry("a"), queue.retry("a")] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S]
    queue.forget("a")
    assert queue.retry("a") == FIRST_RETRY_S


async def test_an_empty_queue_has_no_room_left_of_a_long_one():
    queue = WorkQueue()
    empty = sys.getsizeof(queue._queued)
    for number in range(10_000):
        queue.add(number)
    for _ in range(10_000):
        queue.done(await queue.get())
    assert sys.getsizeof(queue._queued) == empty


async def test_what_is_to_come_later_is_brought_forward():
    queue = WorkQueue()
    queue.add_after("soon", 60)
    queue.add_after("late", 7200)
    queue.bring_forward(3600)
    assert await asyncio.wait_for(queue.get(), 1) == "soon"
    assert queue.statistics()["delayed"] == 1
    queue.bring_forward(3600)
    assert await asyncio.wait_for(queue.get(), 1) == "late"
