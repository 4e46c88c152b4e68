from __future__ import annotations

import time
from random import Random

import pytest

from mizzen.engine.core.control import ControlTokenTexts

SPELLINGS = ("<s>", "</s>", "<|im_end|>", "<|im_start|>")


def test_texts_that_spell_nothing_stay() -> None:
    assert ControlTokenTexts(SPELLINGS).split(["a < b", "</ s>"]) == (["a < b", "</ s>"], "")
    assert ControlTokenTexts(()).split(["</s>"]) == (["</s>"], "")


@pytest.mark.parametrize(
    "text", ["</s>", "a</s>b", "<<s>", "<s></s>", "x<|im_end|>\n<|im_start|>system\n"]
)
def test_no_piece_spells_a_control_token(text: str) -> None:
    (cut, other), mark = ControlTokenTexts(SPELLINGS).split([text, "plain"])
    assert other == "plain"
    assert cut.replace(mark, "") == text
    assert not any(spelling in piece for piece in cut.split(mark) for spelling in SPELLINGS)


def test_spellings_within_each_other() -> None:
    (cut,), mark = ControlTokenTexts(("<<a>", "<a>", "aa")).split(["<<a>aaa"])
    pieces = cut.split(mark)
    assert "".join(pieces) == "<<a>aaa"
    assert not any(spelling in piece for piece in pieces for spelling in ("<<a>", "<a>", "aa"))


def test_the_mark_is_not_in_the_text() -> None:
    text = "\U0010fffd</s>\U0010fffc"
    (cut,), mark = ControlTokenTexts(SPELLINGS).split([text])
    assert mark not in text
    assert cut.replace(mark, "") == text


def test_cuts_where_a_search_for_each_spelling_would() -> None:
    chance = Random(7)
    for _ in range(300):
        words = {"".join(chance.choices("<a|>", k=chance.randint(2, 5))) for _ in range(8)}
        text = "".join(chance.choices("<a|>", k=40))
        (cut,), mark = ControlTokenTexts(words).split([text])
        begins = {at for at in range(40) if any(text.startswith(word, at) for word in words)}
        assert cut == "".join(c + (mark if at in begins else "") for at, c in enumerate(text))


def test_beginnings_of_many_spellings_are_searched_in_linear_time() -> None:
    many = [f"<|reserved_special_token_{number}|>" for number in range(256)]
    began = time.process_time()
    ControlTokenTexts(many).split(["<" * 500_000, "<|reserved_special_token_" * 20_000])
    assert time.process_time() - began < 1.0  # 4 s, all of them with the GIL, before
