"""Request bodies, bounded in bytes and time: for each, and for all that are held at once."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from mizzen.base.openai import OpenAIError

ALL_BYTES_MAX = 256 << 20  # of the bodies of all requests that are read, wait or run
BODY_S = 60.0  # for one whole body
GZIP_MEMBERS_MAX = 1000  # of one body; each costs more than its twenty bytes


class Bodies:
    """Reads whole bodies for one server."""

    def __init__(self, bytes_max: int, all_bytes_max: int = ALL_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._all_bytes_max = all_bytes_max
        self._held = 0

    def statistics(self) -> Mapping[str, int]:
        return {"body_bytes": self._held}

    @asynccontextmanager
    async def of(self, request: web.Request, body_s: float = BODY_S) -> AsyncGenerator[bytes, None]:
        """The whole body, decoded; it counts until the request is dealt with.

        Errors: OpenAIError 400, 408, 413, 503.
        """
        raw = await self._read(request, body_s)
        try:
            yield raw
        finally:
            self._held -= len(raw)

    async def _read(self, request: web.Request, body_s: float) -> bytes:
        if (request.content_length or 0) > self._bytes_max:
            raise self._too_large()
        coding = request.headers.get("Content-Encoding", "").strip().lower()
        plain = _Inflater(coding) if coding not in ("", "identity") else None
        sent, size, whole = 0, 0, False
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(body_s):
                while chunk := await request.content.readany():
                    sent += len(chunk)
                    if plain:
                        chunk = plain.feed(chunk, self._bytes_max + 1 - size)
                    size += len(chunk)
                    self._held += len(chunk)
                    chunks.append(chunk)
                    self._check(max(sent, size))
            if plain:
                plain.finish()
            whole = True
        except TimeoutError as error:
            raise OpenAIError(
                408, f"the request's body did not arrive whole within {body_s:g} s"
            ) from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise OpenAIError(400, "the request's body is cut short") from error
        finally:
            if not whole:
                self._held -= size
        return b"".join(chunks)

    def _check(self, size: int) -> None:
        if size > self._bytes_max:
            raise self._too_large()
        if self._held > self._all_bytes_max:
            raise OpenAIError(
                503, "too many large requests are under way; try again",
                code="overloaded", retry_after_s=1,
            )  # fmt: skip

    def _too_large(self) -> OpenAIError:
        return OpenAIError(413, f"the request body is above {self._bytes_max} bytes")


class _Inflater:
    """Undoes a body's Content-Encoding piece by piece. Errors: OpenAIError 400, 415."""

    def __init__(self, coding: str) -> None:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise OpenAIError(
                415, f"Content-Encoding {coding[:20]!r} is not read here, only gzip and deflate"
            )
        self._coding = coding
        self._members = 0
        self._begin()

    def feed(self, data: bytes, bytes_max: int) -> bytes:
        """The decompressed data, at most `bytes_max` bytes of it."""
        out = b""
        try:
            while data and len(out) < bytes_max:
                if self._stream.eof:  # a gzip file may be several, one after another
                    self._begin()
                out += self._stream.decompress(data, bytes_max - len(out))
                data = self._stream.unused_data
        except zlib.error as error:
            raise self._unlike() from error
        return out

    def finish(self) -> None:
        """The body has ended. Errors: OpenAIError 400 where what it says has not."""
        if not self._stream.eof:
            raise self._unlike()

    def _begin(self) -> None:
        self._members += 1
        if self._members > GZIP_MEMBERS_MAX:
            raise OpenAIError(
                400, f"the request's body is more than {GZIP_MEMBERS_MAX} gzip files; send one"
            )
        self._stream = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # gzip or zlib, by its head

    def _unlike(self) -> OpenAIError:
        return OpenAIError(
            400, f"the request's body is not in its Content-Encoding {self._coding!r}"
        )
