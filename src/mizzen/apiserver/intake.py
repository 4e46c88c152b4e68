"""Bodies on their way in: bounded each, in all and by who sends them, in bytes and in time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mizzen.apiserver.deadlines import Deadlines
from mizzen.base.errors import BadRequest, TooLarge, TooManyRequests, UnsupportedMediaType

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BODY_BYTES_MAX = 3 << 20  # as upstream
BODY_S_MAX = 30.0
# Of bodies that have begun and not ended. One identity cannot take what the others need.
HALF_READ_BYTES_MAX = 256 << 20
HALF_READ_BYTES_OF_ONE_MAX = 64 << 20
# Read although refused: a client that still sends would not see the answer.
_DISCARDED_BYTES_MAX = 64 << 20
_DISCARD_S_MAX = 5.0
_SILENT_S_MAX = 0.5
# The same for whoever has not said who it is.
_STRANGERS_BYTES_MAX = 256 << 10
_STRANGERS_S_MAX = 1.0


class Intake:
    """Reads the bodies of one server's requests."""

    def __init__(self) -> None:
        self._bytes = 0
        self._bytes_of: Counter[str] = Counter()
        self._deadlines = Deadlines()

    async def body(self, receive: Receive, headers: Mapping[str, str], identity: str) -> bytes:
        """The whole body of a request whose head says `headers`.

        Errors: TooLarge, TooManyRequests, UnsupportedMediaType, BadRequest.
        """
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding != "identity":
            raise UnsupportedMediaType(
                f"content-encoding {encoding} is not understood: send the body as it is"
            )
        size = _declared(headers)
        if size is not None and size > BODY_BYTES_MAX:
            raise _too_large()
        task = asyncio.current_task()
        assert task is not None, "requests are answered in tasks"
        cancelling = task.cancelling()
        self._deadlines.begin(task, BODY_S_MAX)
        try:
            return await self._collect(receive, size, identity)
        except asyncio.CancelledError as error:
            if not self._deadlines.is_over(task) or task.uncancel() > cancelling:
                raise
            message = f"the body of the request was not complete after {BODY_S_MAX:g} s"
            raise BadRequest(message) from error
        finally:
            self._deadlines.end(task)

    async def _collect(self, receive: Receive, size: int | None, identity: str) -> bytes:
        buffer = (
            bytearray()
        )  # what came in several parts; small ones must not cost more than they are
        held = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BadRequest(
                        "the body of the request is broken: it ended early, or a chunk of it is "
                        "malformed"
                    )
                part: bytes = message.get("body", b"")
                count = held + len(part)
                if count > BODY_BYTES_MAX:
                    raise _too_large()
                # The declared length spares the message that only says that this was all.
                if count == size or not message.get("more_body"):
                    return part if not held else bytes(buffer + part)
                buffer += part
                held = count
                self._hold(len(part), identity)
        finally:
            self._bytes -= held
            self._bytes_of[identity] -= held

    def _hold(self, count: int, identity: str) -> None:
        self._bytes += count
        self._bytes_of[identity] += count
        for held, allowed, whose in (
            (self._bytes_of[identity], HALF_READ_BYTES_OF_ONE_MAX, f'of "{identity}"'),
            (self._bytes, HALF_READ_BYTES_MAX, "of all clients"),
        ):
            if held > allowed:
                raise TooManyRequests(
                    f"request bodies {whose} that are under way have {held} bytes, of at most "
                    f"{allowed}: send fewer at a time",
                    retry_after_s=1,
                )


async def discard(receive: Receive, *, is_stranger: bool) -> None:
    """Reads on for a moment after a refusal, so that the client sees the answer; keeps nothing."""
    left = _STRANGERS_BYTES_MAX if is_stranger else _DISCARDED_BYTES_MAX
    try:
        async with asyncio.timeout(_STRANGERS_S_MAX if is_stranger else _DISCARD_S_MAX):
            while left > 0:
                async with asyncio.timeout(_SILENT_S_MAX):
                    message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        pass


def _declared(headers: Mapping[str, str]) -> int | None:
    """The body's length in bytes by its headers; None if they do not state it."""
    text = headers.get("content-length", "")
    if "transfer-encoding" in headers or not text.isascii() or not text.isdigit():
        return None
    return int(text[:20])


def _too_large() -> TooLarge:
    return TooLarge(f"Request entity too large: limit is {BODY_BYTES_MAX} bytes")
