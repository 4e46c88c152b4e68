"""What one authorizer allows is allowed; each sees the user, the namespace and the name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.apiserver.authorization import authorization
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.user import User
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api

BY_NAMESPACE = """
from mizzen.apiserver.core.authorizer import Authorizer

def by_namespace(context):
    def authorize(access):
        return "team" in access.user.groups and access.namespace == "team"
    return Authorizer(authorize)

AUTHORIZER = by_namespace
"""
BY_NAME = BY_NAMESPACE.replace('access.namespace == "team"', 'access.name == "shared"')


def write(folder: Path, **files: str) -> None:
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


async def teams_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    """An API that the group `team` may use, by namespace or by name alone."""
    folder = tmp_path / "authorizers_of_a_test"
    write(folder, by_namespace=BY_NAMESPACE, by_name=BY_NAME)
    monkeypatch.syspath_prepend(tmp_path)
    api = await an_api(MemoryStore())
    for name in ("team", "other"):
        await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    api.server.authorizer = authorization(api.server, folder.name)
    api.server.authorize = api.server.authorizer.allows
    monkeypatch.setattr(api.app, "_user_of", lambda _: User("jane", groups=("team",)))
    return api


async def test_requests_are_judged_by_namespace_and_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await teams_api(tmp_path, monkeypatch)
    maps = "/api/v1/namespaces/{}/configmaps"
    body = {"metadata": {"name": "shared"}}
    assert (await api.call("POST", maps.format("team"), body))[0] == 201
    code, status = await api.call("POST", maps.format("other"), body)
    assert code == 403
    assert status["message"] == (
        'configmaps is forbidden: User "jane" cannot create resource "configmaps" in API '
        'group "" in the namespace "other"'
    )
    assert (await api.call("GET", maps.format("other") + "/shared"))[0] == 404
    assert (await api.call("GET", maps.format("other") + "/mine"))[0] == 403
    code, status = await api.call("GET", "/metrics")
    assert (code, status["message"]) == (403, 'forbidden: User "jane" cannot get path "/metrics"')


async def test_each_operation_of_a_plan_is_judged_and_a_namespace_reaches_no_cluster_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await teams_api(tmp_path, monkeypatch)

    def both(access: Access) -> bool:
        return access.resource == "plans" or authorize(access)

    authorize, api.server.authorize = api.server.authorize, both
    in_team = {"op": "create", "resource": "configmaps",
               "object": {"apiVersion": "v1", "metadata": {"name": "a", "namespace": "team"}}}  # fmt: skip
    assert (await api.plan(in_team))[0] == 201
    elsewhere = {"op": "delete", "resource": "configmaps", "apiVersion": "v1",
                 "namespace": "other", "name": "a"}  # fmt: skip
    assert (await api.plan(elsewhere))[0] == 403
    pretends = {"op": "create", "resource": "namespaces",
                "object": {"apiVersion": "v1", "metadata": {"name": "b", "namespace": "team"}}}  # fmt: skip
    code, status = await api.plan(pretends)
    assert code == 403 and 'cannot create resource "namespaces" in a plan' in status["message"]
