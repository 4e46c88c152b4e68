import pytest

from mizzen.cli.output import age, cells, one_line, table


def test_a_traceback_becomes_its_beginning_and_its_end() -> None:
    text = 'pod a failed: Traceback (most recent call last):\n  File "x"\nRuntimeError: no data\n'
    assert one_line(text) == "pod a failed: RuntimeError: no data"
    assert one_line("plain") == "plain"


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(["A", "LONG"], [["wide cell", "x"]]) == "A           LONG\nwide cell   x"


def test_ages_read_like_kubectls() -> None:
    assert [age(s) for s in (5, 119, 120, 7200, 200_000)] == ["5s", "119s", "2m", "2h", "2d"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b[1;1Hforged", r"\x1b[2J\x1b[1;1Hforged"),
        ("bell\a and \x9b31m, \x7f", r"bell\x07 and \x9b31m, \x7f"),
        ("ab\u202ecd", r"ab\u202ecd"),
        ("\udcff", r"\udcff"),
        ("Häuser 家 🚀\u200d", "Häuser 家 🚀\u200d"),
        ("one\rtwo", "one: two"),
    ],
)
def test_what_others_wrote_does_not_steer_the_terminal(text: str, shown: str) -> None:
    assert table(["A"], cells([{"a": text}], [("A", "a")])) == f"A\n{shown}"
    assert one_line(text) == shown
    assert table(["A"], cells([{"a": [text, "x"]}], [("A", "a")])) == f"A\n{shown}, x"
