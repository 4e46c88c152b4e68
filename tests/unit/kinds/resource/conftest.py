from __future__ import annotations

import pytest

from mizzen.kinds.resource.selectors import ALLOWANCE


@pytest.fixture(autouse=True)
def _as_of_a_new_request() -> None:  # pyright: ignore[reportUnusedFunction]
    ALLOWANCE.renew()
