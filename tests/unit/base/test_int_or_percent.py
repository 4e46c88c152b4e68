import pytest

from mizzen.base.int_or_percent import scaled


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [(3, 10, 3, 3), ("25%", 10, 3, 2), ("39%", 10, 4, 3), ("0%", 7, 0, 0), ("100%", 7, 7, 7)],
)
def test_scaled(value, total, up, down):
    assert scaled(value, total, round_up=True) == up
    assert scaled(value, total, round_up=False) == down


def test_a_value_that_is_not_there():
    assert scaled(None, 10, round_up=True) == 0
    assert scaled(None, 10, round_up=True, otherwise=1) == 1


@pytest.mark.parametrize("value", ["oops", "5", "-1%", "5 %", "%"])
def test_no_percentage(value):
    with pytest.raises(ValueError, match="no percentage"):
        scaled(value, 10, round_up=True)
