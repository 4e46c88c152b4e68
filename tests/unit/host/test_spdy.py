"""Frames of SPDY/3.1: as the field's library writes them, and that any bytes are read or refused."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzen.host import spdy
from mizzen.host.spdy import Data, GoAway, Ping, RstStream, SpdyError, SpdyParser, SynStream

HEADERS = {"streamtype": "data", "port": "8080", "requestid": "0"}


def test_the_dictionary_is_the_published_one() -> None:
    """Its checksum is what every compressed block of headers names (RFC 1950, DICTID)."""
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


def test_what_is_written_is_read_whole_or_byte_by_byte() -> None:
    writer = spdy.SpdyWriter()
    sent = b"".join(
        (
            writer.syn_stream(1, HEADERS), writer.syn_stream(3, {**HEADERS, "streamtype": "error"}),
            writer.syn_reply(2), writer.syn_stream(5, {}, is_fin=True), spdy.data(1, b"hello"),
            spdy.data(1, b"", is_fin=True), spdy.rst_stream(3, spdy.CANCEL), spdy.ping(7),
            spdy.go_away(5),
        )
    )  # fmt: skip
    wanted = [
        SynStream(1, HEADERS), SynStream(3, {**HEADERS, "streamtype": "error"}),
        SynStream(5, {}, True), Data(1, b"hello"), Data(1, b"", True), RstStream(3, spdy.CANCEL),
        Ping(7), GoAway(5),
    ]  # fmt: skip
    assert SpdyParser().feed(sent) == wanted
    parser = SpdyParser()
    assert [frame for byte in sent for frame in parser.feed(bytes((byte,)))] == wanted


def control(kind: int, body: bytes, version: int = 3) -> bytes:
    return struct.pack("!II", 1 << 31 | version << 16 | kind, len(body)) + body


def test_what_it_does_not_need_is_passed_over() -> None:
    settings, window = control(4, bytes(12)), control(9, bytes(8))
    assert SpdyParser().feed(settings + window + spdy.ping(1)) == [Ping(1)]


def _block(headers: dict[str, str]) -> bytes:
    frame = spdy.SpdyWriter().syn_stream(1, headers)
    return frame[18:]


@pytest.mark.parametrize(
    "data",
    [
        control(1, b"", version=2),
        control(1, bytes(4)),
        control(1, bytes(10) + b"no zlib"),
        control(1, bytes(10) + _block({"big": "x" * 100_000})),
        control(3, bytes(4)),
        control(6, b""),
        struct.pack("!II", 1, (1 << 24) - 1),
    ],
)
def test_what_breaks_the_protocol_or_a_bound_is_refused(data: bytes) -> None:
    with pytest.raises(SpdyError):
        SpdyParser().feed(data)


@pytest.mark.parametrize("lengths", [(9,), (1, 1 << 31), (1, 4, 1 << 30), (1 << 31,)])
def test_a_header_that_is_longer_than_its_block_is_refused(lengths: tuple[int, ...]) -> None:
    compress = zlib.compressobj(zdict=spdy.DICTIONARY)
    plain = b"".join(struct.pack("!I", length) for length in lengths)
    block = compress.compress(plain) + compress.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(SpdyError):
        SpdyParser().feed(control(1, bytes(10) + block))


@given(st.binary(max_size=200), st.integers(0, 9))
def test_any_bytes_are_frames_or_refused(data: bytes, kind: int) -> None:
    for sent in (data, control(kind, data), spdy.data(1, data) + data):
        parser = SpdyParser()
        try:
            parser.feed(sent)
        except SpdyError:
            continue
