from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.engine.core.generation import Generation
from mizzen.engine.core.requests import Sampling
from mizzen.engine.core.text import Detokeniser, StopMatcher, looks_like_control, token_bytes


@settings(max_examples=80)
@given(st.binary(max_size=60))
def test_byte_by_byte_equals_all_at_once(data: bytes) -> None:
    detokeniser = Detokeniser()
    parts = [detokeniser.feed(bytes([byte])) for byte in data] + [detokeniser.finish()]
    assert "".join(parts) == data.decode("utf-8", "replace")


def test_half_a_character_is_held_back() -> None:
    detokeniser = Detokeniser()
    euro = "€".encode()
    assert [detokeniser.feed(euro[:1]), detokeniser.feed(euro[1:2])] == ["", ""]
    assert detokeniser.feed(euro[2:]) == "€"


@settings(max_examples=80)
@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_stop_ends_where_the_first_sequence_begins(text: str, stop: list[str]) -> None:
    matcher = StopMatcher(stop)
    shown = "".join(matcher.feed(letter) for letter in text) + matcher.finish()
    # The oracle knows only what a reader of a stream can know: the first sequence complete.
    ends = [(text.find(s) + len(s), text.find(s)) for s in stop if s in text]
    if not ends:
        assert shown == text
        assert not matcher.matched
    else:
        complete = min(ends)[0]
        assert shown == text[: min(at for end, at in ends if end == complete)]
        assert matcher.matched in stop


def test_generation_ends_by_stop_before_the_engine_does() -> None:
    generation = Generation(Sampling(stop=("END",)))
    assert generation.feed(b"abE", 3, "") == "ab"
    assert generation.feed(b"ND more", 7, "") == ""
    assert (generation.finish_reason, generation.tokens) == ("stop", 10)


def test_generation_shows_what_it_held_when_the_engine_ends() -> None:
    generation = Generation(Sampling(stop=("END",)))
    assert generation.feed(b"abEN\xe2", 5, "length") == "abEN\ufffd"
    assert generation.finish_reason == "length"


def test_token_bytes() -> None:
    assert token_bytes(b"\xc3", sentencepiece=False) == b"\xc3"
    assert token_bytes("▁the".encode(), sentencepiece=True) == b" the"
    assert token_bytes(b"<0x0A>", sentencepiece=True) == b"\n"
    assert looks_like_control(b"<|im_end|>")
    assert not looks_like_control(b"<a b>")
