"""A certificate counts from its first second to its last."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.apiserver.authentication import authentication
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.context import ApiServerConfig, Context
from mizzen.apiserver.core.client_certificate import ClientCertificate
from mizzen.apiserver.core.user import User
from mizzen.apiserver.http import Request
from mizzen.base.errors import Unauthorized
from mizzen.store.memory import MemoryStore
from support.api_handlers import NO_NODES, Clock

CLOCK = Clock()
NOW_NS = CLOCK.now_ns()


def name_of(certificate: ClientCertificate | None, token: str = "") -> str:
    config = ApiServerConfig("", 0, Path(), Path(), {"t-admin": "admin"}, NO_NODES)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = Request("GET", "/api", {}, headers, b"", certificate=certificate)
    return authentication(Context(config, MemoryStore(), Catalog({}, {}), CLOCK))(request).name


def test_it_comes_before_a_token() -> None:
    valid = ClientCertificate(User("jane"), NOW_NS - 1, NOW_NS + 10**9)
    assert name_of(valid) == "jane"
    assert name_of(valid, "t-admin") == "jane"


@pytest.mark.parametrize(
    "useless",
    [
        ClientCertificate(User("jane"), 0, NOW_NS - 10**9),
        ClientCertificate(User("jane"), NOW_NS + 10**12, NOW_NS + 10**13),
        ClientCertificate(None, 0, NOW_NS + 10**12),
    ],
)
def test_one_that_is_of_no_use_leaves_the_token(useless: ClientCertificate) -> None:
    assert name_of(useless, "t-admin") == "admin"
    with pytest.raises(Unauthorized):
        name_of(useless)
