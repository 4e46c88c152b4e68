import pytest

from mizzen.controllers.core.job_indexes import parse, render


@pytest.mark.parametrize("text", ["", "3", "0-2", "0-2,5", "1,3,5-9"])
def test_round_trip(text):
    assert render(parse(text)) == text
