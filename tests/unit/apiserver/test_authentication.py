"""Who asks is what the first authenticator says that knows the credential."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.apiserver.authentication import authentication
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.context import ApiServerConfig, Context
from mizzen.apiserver.core.user import AUTHENTICATED, MASTERS
from mizzen.apiserver.http import Request
from mizzen.base.errors import Unauthorized
from mizzen.store.memory import MemoryStore
from support.api_handlers import NO_NODES, Clock

TOKENS = {"t-admin": "admin", "t-node": "system:mizzen:node"}
HEADERS = """
from mizzen.apiserver.core.user import User

def from_header(context):
    def authenticate(request):
        name = request.headers.get("x-remote-user")
        return User(name, "u-1", ("team",), {"scopes": ("a",)}) if name else None
    return authenticate

AUTHENTICATOR = from_header
"""


def context() -> Context:
    config = ApiServerConfig("", 0, Path(), Path(), TOKENS, NO_NODES)
    return Context(config, MemoryStore(), Catalog({}, {}), Clock())


def request(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", "/api", {}, named, b"")


def test_a_token_is_its_user_and_the_admins_is_a_master() -> None:
    authenticate = authentication(context())
    admin = authenticate(request(authorization="Bearer t-admin"))
    assert (admin.name, admin.groups) == ("admin", (MASTERS, AUTHENTICATED))
    node = authenticate(request(authorization="bearer  t-node "))
    assert (node.name, node.groups) == ("system:mizzen:node", (AUTHENTICATED,))


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer t-nobody", "Basic t-admin", "t-admin"])
def test_whoever_no_authenticator_knows_is_refused(value: str) -> None:
    with pytest.raises(Unauthorized, match="bearer token"):
        authentication(context())(request(authorization=value))


def test_a_file_in_the_folder_is_an_authenticator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "authenticators_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "headers.py").write_text(HEADERS)
    monkeypatch.syspath_prepend(tmp_path)
    authenticate = authentication(context(), folder.name)
    user = authenticate(request(x_remote_user="jane"))
    assert (user.name, user.uid, user.groups) == ("jane", "u-1", ("team", AUTHENTICATED))
    assert user.extra == {"scopes": ("a",)}
    with pytest.raises(Unauthorized):
        authenticate(request(authorization="Bearer t-admin"))
