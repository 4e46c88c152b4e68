"""SPDY/3.1 frames, as kubectl carries many forwarded connections over one: bytes in, frames out.

There are no flow control windows, because the field's library (moby/spdystream) neither announces
nor heeds any: who reads slowly slows its connection down. SETTINGS, HEADERS, WINDOW_UPDATE and
CREDENTIAL are passed over. Source: draft-mbelshe-httpbis-spdy-00.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

VERSION = 3
FRAME_BYTES_MAX = 1 << 20
HEADER_BYTES_MAX = 16 << 10  # of one block, unpacked
STREAM_ID_MAX = (1 << 31) - 1
FIN = 0x01
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL, INTERNAL_ERROR = 1, 2, 3, 5, 6
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_HEAD = struct.Struct("!II")
_PAIR = struct.Struct("!II")
_WORD = struct.Struct("!I")

# The dictionary of header blocks (2.6.10.1): words behind their lengths, then plain text.
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base content-encoding "
    "content-language content-length content-location content-md5 content-range content-type date "
    "etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified location max-forwards pragma proxy-authenticate "
    "proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url "
    "public set-cookie keep-alive origin"
)
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, "
    "Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,"
    "sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(_WORD.pack(len(word)) + word.replace("_", " ").encode() for word in _WORDS.split(" "))
    + _TEXT.encode()
)


class SpdyError(Exception):
    """The peer broke the protocol or a bound: the connection is of no use any more."""


@dataclass(frozen=True, slots=True)
class SynStream:
    """The peer opens a stream; `headers` by lower-case names."""

    stream: int
    headers: Mapping[str, str]
    is_fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    is_fin: bool = False


@dataclass(frozen=True, slots=True)
class RstStream:
    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Ping:
    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int


Frame = SynStream | Data | RstStream | Ping | GoAway


class SpdyParser:
    """One direction of a connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> list[Frame]:
        """What is whole by now. Errors: SpdyError, after which it is not fed any more."""
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        while len(self._buffer) >= at + _HEAD.size:
            first, second = _HEAD.unpack_from(self._buffer, at)
            flags, length = second >> 24, second & 0xFFFFFF
            if length > FRAME_BYTES_MAX:
                raise SpdyError(f"a frame has {length} bytes, of at most {FRAME_BYTES_MAX}")
            end = at + _HEAD.size + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[at + _HEAD.size : end])
            at = end
            frame = self._frame(first, flags, body)
            if frame is not None:
                frames.append(frame)
        del self._buffer[:at]
        return frames

    def _frame(self, first: int, flags: int, body: bytes) -> Frame | None:
        if not first >> 31:
            return Data(first, body, bool(flags & FIN))
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != VERSION:
            raise SpdyError(f"a frame is of version {version}; {VERSION} is spoken here")
        try:
            if kind == _SYN_STREAM:
                headers = self._headers(body[10:])
                return SynStream(_id(body), headers, bool(flags & FIN))
            if kind == _SYN_REPLY:
                self._headers(body[4:])  # nobody asked, yet the dictionary goes on with it
            elif kind == _RST_STREAM:
                stream, status = _PAIR.unpack(body)
                return RstStream(stream & STREAM_ID_MAX, status)
            elif kind == _PING:
                return Ping(_WORD.unpack(body)[0])
            elif kind == _GOAWAY:
                return GoAway(_id(body))
            elif kind == 8:  # HEADERS
                self._headers(body[4:])
        except struct.error as error:
            raise SpdyError(f"a frame of type {kind} has {len(body)} bytes") from error
        return None

    def _headers(self, block: bytes) -> Mapping[str, str]:
        try:
            text = self._inflate.decompress(block, HEADER_BYTES_MAX)
        except zlib.error as error:
            raise SpdyError(f"a block of headers cannot be unpacked: {error}") from error
        if self._inflate.unconsumed_tail:
            raise SpdyError(f"a block of headers has more than {HEADER_BYTES_MAX} bytes")
        found: dict[str, str] = {}
        count = _WORD.unpack_from(text)[0]
        at = _WORD.size
        for _ in range(count):
            name, at = _text(text, at)
            value, at = _text(text, at)
            found[name.lower()] = value
        return found


def _id(body: bytes) -> int:
    return _WORD.unpack_from(body)[0] & STREAM_ID_MAX


def _text(block: bytes, at: int) -> tuple[str, int]:
    size = _WORD.unpack_from(block, at)[0]
    at += _WORD.size
    if size > len(block) - at:
        raise SpdyError("a header is longer than its block")
    return block[at : at + size].decode("latin-1"), at + size


class SpdyWriter:
    """The frames of the other direction."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def syn_stream(self, stream: int, headers: Mapping[str, str], *, is_fin: bool = False) -> bytes:
        body = _PAIR.pack(stream, 0) + b"\0\0" + self._block(headers)
        return _control(_SYN_STREAM, body, FIN if is_fin else 0)

    def syn_reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        return _control(_SYN_REPLY, _WORD.pack(stream) + self._block(headers or {}))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        texts = [text.encode("latin-1") for pair in headers.items() for text in pair]
        plain = b"".join([_WORD.pack(len(headers)), *(_WORD.pack(len(t)) + t for t in texts)])
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def data(stream: int, payload: bytes, *, is_fin: bool = False) -> bytes:
    return _HEAD.pack(stream, (FIN if is_fin else 0) << 24 | len(payload)) + payload


def rst_stream(stream: int, status: int) -> bytes:
    return _control(_RST_STREAM, _PAIR.pack(stream, status))


def ping(number: int) -> bytes:
    return _control(_PING, _WORD.pack(number))


def go_away(last_stream: int) -> bytes:
    return _control(_GOAWAY, _PAIR.pack(last_stream, 0))


def _control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return _HEAD.pack(1 << 31 | VERSION << 16 | kind, flags << 24 | len(body)) + body
