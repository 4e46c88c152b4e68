from __future__ import annotations

import pytest

from mizzen.gateway.core.keys import Unauthenticated, check_key


def test_a_known_key_passes() -> None:
    check_key("Bearer two", {"one", "two"})
    check_key("bearer  one ", {"one", "two"})


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer on", "Basic one", "Bearer ö\udcff"]
)
def test_others_do_not(given: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        check_key(given, {"one", "two"})
    assert caught.value.code == ("invalid_api_key" if given else "missing_api_key")


def test_without_keys_nobody_passes() -> None:
    with pytest.raises(Unauthenticated):
        check_key("Bearer ", set())
