"""Headers are read once for all requests that have the same, in bounded memory."""

from __future__ import annotations

from mizzen.apiserver.heads import HEAD_BYTES_MAX, HEADS_MAX, Head, Heads


def test_the_same_headers_are_read_once() -> None:
    heads = Heads()
    first = heads.head(((b"Accept", b"application/json"), (b"x", b"\xe9")))
    assert first == {"accept": "application/json", "x": "\xe9"}
    assert heads.head(((b"Accept", b"application/json"), (b"x", b"\xe9"))) is first


def test_the_last_of_repeated_headers_counts() -> None:
    assert Heads().head(((b"a", b"1"), (b"A", b"2"))) == {"a": "2"}


def test_only_so_many_are_kept_and_no_long_ones() -> None:
    heads = Heads()
    for number in range(2 * HEADS_MAX):
        heads.head(((b"content-length", b"%d" % number),))
    heads.head(((b"a", b"x" * HEAD_BYTES_MAX),))
    assert len(heads) == HEADS_MAX


def test_what_each_request_asks_is_known() -> None:
    head = Heads().head(
        (
            (b"authorization", b"bEarer  abc "), (b"content-type", b"Application/JSON; charset=x"),
            (b"accept", b"application/yaml"), (b"impersonate-user", b"u"), (b"audit-id", b"1"),
        )
    )  # fmt: skip
    assert (head.bearer_token, head.content_type) == ("abc", "application/json")
    assert head.takes_yaml and not head.takes_protobuf_alone
    assert head.impersonates and head.has_id
    plain = Head({"authorization": "Basic abc"})
    assert plain.bearer_token is None and plain.accept == plain.content_type == ""
    assert not (plain.impersonates or plain.has_id or plain.takes_yaml)
