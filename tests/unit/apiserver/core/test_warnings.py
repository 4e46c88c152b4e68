from __future__ import annotations

from mizzen.apiserver.core.warnings import WARNING_LENGTH_MAX, WARNINGS_LENGTH_MAX, headers


def test_a_warning_is_a_quoted_string() -> None:
    assert headers(['unknown field "spec.\\x"']) == [
        ("warning", '299 - "unknown field \\"spec.\\\\x\\""')
    ]


def test_nothing_gets_out_of_the_header() -> None:
    ((_, text),) = headers(["x\r\nX-Evil: yes\0\x1b[2J\x7f\x85é"])
    assert text == '299 - "x??X-Evil: yes??[2J???"'
    assert text.isprintable() and text.isascii()


def test_equal_ones_are_told_once_and_are_cut_when_all_are_too_long() -> None:
    assert len(headers(["a", "b", "a"])) == 2
    whole = "x" * (WARNINGS_LENGTH_MAX - 1)
    assert headers([whole, "y"])[0][1] == f'299 - "{whole}"'
    made = headers(f"unknown field {n}" + "x" * 300 for n in range(2000))
    assert sum(len(text) for _, text in made) < WARNINGS_LENGTH_MAX + 500
    assert len(made) == WARNINGS_LENGTH_MAX // WARNING_LENGTH_MAX
    assert len(headers(["x" * 20_000])[0][1]) < 300
