from __future__ import annotations

import pytest

from mizzen.engine.backend import BACKEND_DEFAULT, UnknownBackend, find_backend, find_backends


def test_a_backend_is_found_by_its_name_else_those_that_there_are_are_named() -> None:
    assert find_backend(BACKEND_DEFAULT) is find_backends()[BACKEND_DEFAULT]
    with pytest.raises(UnknownBackend, match=f'no backend "llama"; there are .*{BACKEND_DEFAULT}'):
        find_backend("llama")
