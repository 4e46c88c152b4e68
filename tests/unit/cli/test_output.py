from mizzen.cli.output import age, one_line, table


def test_a_traceback_becomes_its_beginning_and_its_end() -> None:
    text = 'pod a failed: Traceback (most recent call last):\n  File "x"\nRuntimeError: no data\n'
    assert one_line(text) == "pod a failed: RuntimeError: no data"
    assert one_line("plain") == "plain"


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(["A", "LONG"], [["wide cell", "x"]]) == "A           LONG\nwide cell   x"


def test_ages_read_like_kubectls() -> None:
    assert [age(s) for s in (5, 119, 120, 7200, 200_000)] == ["5s", "119s", "2m", "2h", "2d"]
