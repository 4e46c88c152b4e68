from __future__ import annotations

import pytest

from mizzen.base.termination import MESSAGE_BYTES_MAX, read_termination, termination_message


def test_what_is_written_is_read() -> None:
    message = termination_message("InvalidModel", 'model "/ä" cannot be loaded: it is cut short')
    assert read_termination(message) == (
        "InvalidModel",
        'model "/ä" cannot be loaded: it is cut short',
    )


@pytest.mark.parametrize("character", ["x", "ä", "\x00", '"'])
def test_of_a_text_that_is_too_long_both_ends_stay(character: str) -> None:
    message = termination_message("InvalidModel", f"begin {character * 5000} end")
    assert len(message.encode()) <= MESSAGE_BYTES_MAX
    found = read_termination(message)
    assert found is not None
    assert found[1].startswith("begin ")
    assert found[1].endswith(" end")


@pytest.mark.parametrize(
    "message",
    [
        "terminate called", "", "7", "[]", "{}", '{"reason": "A"}', '{"reason": 1, "message": "x"}',
        '{"reason": "two words", "message": "x"}', '{"reason": "A", "message": ""}', "[" * 100_000,
    ],
)  # fmt: skip
def test_any_other_form_is_none(message: str) -> None:
    assert read_termination(message) is None
