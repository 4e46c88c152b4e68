"""Websockets: answers that go both ways, bounded each, in all and by who holds them.

A handler gets a `Channel` and talks until it returns. Nobody is waited for without end: neither a
client that reads nothing, nor one that says nothing while nothing is said to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mizzen.apiserver.http import Channel, Upgrade
from mizzen.apiserver.intake import Receive, Send
from mizzen.base.errors import ApiError, BadRequest, TooManyRequests
from mizzen.host.logs import about

CHANNELS_MAX = 512
CHANNELS_OF_ONE_MAX = 128  # one user cannot take what the others need
MESSAGE_BYTES_MAX = 1 << 20
MESSAGES_MAX = 16  # that have come and that the handler has not taken yet
IDLE_S_MAX = 4 * 3600.0  # as the kubelet's for its streams
UNREAD_S_MAX = 120.0  # a client that reads nothing for this long is gone
_DONE, _GOING_AWAY, _TOO_BIG, _BROKEN = 1000, 1001, 1009, 1011  # RFC 6455, 7.4.1
_log = logging.getLogger(__name__)


class Channels:
    """All websockets of one server."""

    def __init__(self, closing: asyncio.Event, idle_s_max: float = IDLE_S_MAX) -> None:
        self._closing = closing
        self._idle_s_max = idle_s_max
        self._count_of: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return {"open": self._count_of.total()}

    async def serve(
        self,
        upgrade: Upgrade,
        protocol: str,
        user: str,
        audit_id: str,
        receive: Receive,
        send: Send,
    ) -> None:
        """Accepts what was admitted, and carries messages until one of both sides has ended or the
        server stops; then the place is free again."""
        try:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept", "subprotocol": protocol or None})
            channel = _Channel(protocol, send)
            code, reason = await self._carry(upgrade, channel, audit_id, receive)
            if code:
                await send({"type": "websocket.close", "code": code, "reason": reason})
        finally:
            if upgrade.end is not None:
                upgrade.end()
            self._release(user)

    async def admit(self, upgrade: Upgrade, offered: Sequence[str], user: str) -> str:
        """The subprotocol to speak: the first of those offered that the handler knows. The place
        counts from now on: whoever is admitted must be served.

        Errors: BadRequest, TooManyRequests; those of `upgrade.begin`.
        """
        for held, most, whose in (
            (self._count_of[user], CHANNELS_OF_ONE_MAX, f'of "{user}"'),
            (self._count_of.total(), CHANNELS_MAX, "of all clients"),
        ):
            if held >= most:
                raise TooManyRequests(
                    f"{held} websockets {whose} are open, of at most {most}: close some",
                    retry_after_s=1,
                )
        known = [each for each in offered or ("",) if each in upgrade.protocols]
        if not known:
            raise BadRequest(
                f"none of the subprotocols {', '.join(offered) or '(none)'} is spoken here: "
                f"offer {', '.join(each or '(none)' for each in upgrade.protocols)}"
            )
        self._count_of[user] += 1
        if upgrade.begin is not None:
            try:
                await upgrade.begin(known[0])
            except BaseException:
                self._release(user)
                raise
        return known[0]

    def _release(self, user: str) -> None:
        self._count_of[user] -= 1
        if not self._count_of[user]:
            del self._count_of[user]

    async def _carry(
        self, upgrade: Upgrade, channel: _Channel, audit_id: str, receive: Receive
    ) -> tuple[int, str]:
        """The code and reason to close with; 0: the client has left."""
        talk = asyncio.ensure_future(upgrade.serve(channel))
        feed = asyncio.ensure_future(channel.feed(receive))
        closing = asyncio.ensure_future(self._closing.wait())
        tasks: tuple[asyncio.Future[Any], ...] = (talk, feed, closing)
        ended: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._idle_s_max) as silence:
                channel.watch_silence(silence, self._idle_s_max)
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                ended = [task for task in tasks if task.done()]
        except TimeoutError:
            pass  # told below
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if talk in ended:
            return _end_of(talk, audit_id)
        if feed in ended:
            problem = feed.exception()
            return (_TOO_BIG, str(problem)) if problem else (0, "")
        if closing in ended:
            return _GOING_AWAY, "the API server is stopping"
        return _DONE, f"nothing was said for {self._idle_s_max:g} s"


class _Channel(Channel):
    """One websocket."""

    def __init__(self, protocol: str, send: Send) -> None:
        self.protocol = protocol
        self._send = send
        self._incoming: asyncio.Queue[bytes | str] = asyncio.Queue(MESSAGES_MAX)
        self._silence: asyncio.Timeout | None = None
        self._idle_s_max = 0.0

    def watch_silence(self, silence: asyncio.Timeout, idle_s_max: float) -> None:
        """Puts this timeout off with each message, either way."""
        self._silence, self._idle_s_max = silence, idle_s_max

    async def receive(self) -> bytes | str:
        return await self._incoming.get()

    async def send(self, message: bytes | str) -> None:
        self._spoke()
        kind = "text" if isinstance(message, str) else "bytes"
        async with asyncio.timeout(UNREAD_S_MAX):
            await self._send({"type": "websocket.send", kind: message})
            await asyncio.sleep(0)  # to a client that has left it is done at once

    async def feed(self, receive: Receive) -> None:
        """Returns when the client has left. Errors: ValueError for what is too big."""
        while (event := await receive())["type"] == "websocket.receive":
            text: str | None = event.get("text")
            message: bytes | str = text if text is not None else event["bytes"]
            size = len(message if isinstance(message, bytes) else message.encode())
            if size > MESSAGE_BYTES_MAX:
                raise ValueError(f"a message has {size} bytes, of {MESSAGE_BYTES_MAX}")
            self._spoke()
            await self._incoming.put(message)

    def _spoke(self) -> None:
        if self._silence is not None and not self._silence.expired():
            self._silence.reschedule(asyncio.get_running_loop().time() + self._idle_s_max)


def _end_of(talk: asyncio.Future[None], audit_id: str) -> tuple[int, str]:
    error = talk.exception()
    if error is None:
        return _DONE, ""
    if isinstance(error, ApiError):
        return _BROKEN, error.message[:120]  # a frame of control has 125 bytes at most
    if isinstance(error, TimeoutError):
        return _BROKEN, f"nothing was read for {UNREAD_S_MAX:g} s"
    _log.error("a websocket broke", exc_info=error, extra=about(request=audit_id))
    return _BROKEN, f"Internal error occurred: {type(error).__name__}"
