from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from mizzen.apiserver import intake
from mizzen.apiserver.intake import BODY_BYTES_MAX, Intake
from mizzen.base.errors import BadRequest, TooLarge, TooManyRequests, UnsupportedMediaType

Receive = Callable[[], Awaitable[dict[str, Any]]]


def sent(*parts: bytes, end: str = "http.request") -> Receive:
    """What a server's `receive` tells of a body in these parts."""
    left = list(parts)

    async def receive() -> dict[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": True}
        return {"type": end, "body": b"", "more_body": False}

    return receive


def read(
    parts: Sequence[bytes], headers: Mapping[str, str] = {}, end: str = "http.request"
) -> bytes:
    return asyncio.run(Intake().body(sent(*parts, end=end), headers, "admin"))


def test_a_body_in_any_parts_is_whole() -> None:
    assert read([]) == b""
    assert read([b"abc"]) == b"abc"
    assert read([b"a", b"", b"bc"], {"transfer-encoding": "chunked"}) == b"abc"
    assert read([b"a", b"bc"], {"content-length": "3"}) == b"abc"


def test_the_declared_length_is_enough() -> None:
    async def endless() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"abc", "more_body": True}

    asked = 0
    assert asyncio.run(Intake().body(endless, {"content-length": "3"}, "admin")) == b"abc"
    assert asked == 1


def test_too_large_is_refused_before_and_while_it_comes() -> None:
    with pytest.raises(TooLarge):
        read([], {"content-length": str(BODY_BYTES_MAX + 1)})
    assert len(read([b"x" * BODY_BYTES_MAX])) == BODY_BYTES_MAX
    with pytest.raises(TooLarge):
        read([b"x" * (1 << 20)] * 4)


def test_a_body_that_breaks_off_is_a_400() -> None:
    with pytest.raises(BadRequest, match="ended early"):
        read([b"abc"], end="http.disconnect")


def test_packed_bodies_are_not_taken_for_plain_ones() -> None:
    with pytest.raises(UnsupportedMediaType, match="gzip"):
        read([b"abc"], {"content-encoding": "gzip"})


def test_small_parts_weigh_no_more_than_they_are() -> None:
    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": bytes((left & 127, 1)), "more_body": left > 0}

    left = 20_000
    tracemalloc.start()
    try:
        assert len(asyncio.run(Intake().body(receive, {}, "admin"))) == 40_000
        assert tracemalloc.get_traced_memory()[1] < 300_000
    finally:
        tracemalloc.stop()


def test_a_slow_body_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "BODY_S_MAX", 0.01)

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(BadRequest, match="not complete after"):
        asyncio.run(Intake().body(never, {}, "admin"))


def test_half_read_bodies_are_bounded_by_who_sends_them_and_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size, of_one, in_all = 1000, 20_000, 70_000
    monkeypatch.setattr(intake, "HALF_READ_BYTES_OF_ONE_MAX", of_one)
    monkeypatch.setattr(intake, "HALF_READ_BYTES_MAX", in_all)

    async def run() -> None:
        reader = Intake()
        goes_on = asyncio.Event()

        def half() -> Receive:
            told = False

            async def receive() -> dict[str, Any]:
                nonlocal told
                if told:
                    await goes_on.wait()
                    return {"type": "http.request", "body": b"", "more_body": False}
                told = True
                return {"type": "http.request", "body": b"x" * size, "more_body": True}

            return receive

        async def fill(identity: str) -> tuple[list[asyncio.Task[bytes]], int]:
            """Bodies of one identity until it is refused, and how many were."""
            tasks = [asyncio.create_task(reader.body(half(), {}, identity)) for _ in range(30)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            done = [task for task in tasks if task.done()]
            for task in done:
                with pytest.raises(TooManyRequests):
                    task.result()
            return [task for task in tasks if not task.done()], len(done)

        tasks, refused = await fill("gateway")
        assert len(tasks) == of_one // size
        for name in ("node", "scheduler", "controllers", "admin"):
            more, refused = await fill(name)
            tasks += more
        assert refused > 30 - of_one // size
        assert len(tasks) == in_all // size
        goes_on.set()
        bodies = await asyncio.gather(*tasks)
        assert all(len(body) == size for body in bodies)
        assert len(await reader.body(half(), {}, "gateway")) == size

    asyncio.run(run())
