"""Nothing is created in a namespace that is missing or goes; the permanent ones stay."""

from __future__ import annotations

from mizzen.apiserver.admission.permanent_namespaces import PERMANENT_NAMESPACES
from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api

NAMESPACES = "/api/v1/namespaces"
CONFIG = {"metadata": {"name": "c", "finalizers": ["example.com/wait"]}}


async def test_a_namespace_must_be_there_and_not_be_going() -> None:
    api = await an_api(MemoryStore())
    code, status = await api.call("POST", f"{NAMESPACES}/team/configmaps", CONFIG)
    assert (code, status["message"]) == (404, 'namespaces "team" not found')
    await api.call("POST", NAMESPACES, {"metadata": {"name": "team"}})
    assert (await api.call("POST", f"{NAMESPACES}/team/configmaps", CONFIG))[0] == 201
    await api.call("DELETE", f"{NAMESPACES}/team")
    other = {"metadata": {"name": "d"}}
    code, status = await api.call("POST", f"{NAMESPACES}/team/configmaps", other)
    assert code == 403
    assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"


async def test_what_is_wrong_with_an_object_is_not_told_where_it_cannot_be() -> None:
    api = await an_api(MemoryStore())
    invalid = {"metadata": {"name": "Not A Name"}}
    assert (await api.call("POST", f"{NAMESPACES}/team/configmaps", invalid))[0] == 404
    assert (await api.call("POST", f"{NAMESPACES}/default/configmaps", invalid))[0] == 422


async def test_the_permanent_namespaces_stay() -> None:
    api = await an_api(MemoryStore())
    for name in PERMANENT_NAMESPACES:
        assert (await api.call("DELETE", f"{NAMESPACES}/{name}"))[0] == 403
        assert (await api.call("GET", f"{NAMESPACES}/{name}"))[0] == 200
