from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.api_process import ApiServer, running


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
def namespace(api: ApiServer, request: pytest.FixtureRequest) -> str:
    """A namespace for one test."""
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()[:63]
    name = name.rstrip("-")
    assert api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})[0] == 201
    return name
