"""Headers are read once for all requests that have the same, in bounded memory."""

from __future__ import annotations

from mizzen.apiserver.heads import HEAD_BYTES_MAX, HEADS_MAX, Heads


def test_the_same_headers_are_read_once() -> None:
    heads = Heads()
    first = heads.headers(((b"Accept", b"application/json"), (b"x", b"\xe9")))
    assert first == {"accept": "application/json", "x": "\xe9"}
    assert heads.headers(((b"Accept", b"application/json"), (b"x", b"\xe9"))) is first


def test_the_last_of_repeated_headers_counts() -> None:
    assert Heads().headers(((b"a", b"1"), (b"A", b"2"))) == {"a": "2"}


def test_only_so_many_are_kept_and_no_long_ones() -> None:
    heads = Heads()
    for number in range(2 * HEADS_MAX):
        heads.headers(((b"content-length", b"%d" % number),))
    heads.headers(((b"a", b"x" * HEAD_BYTES_MAX),))
    assert len(heads) == HEADS_MAX
