"""Plug-ins of a folder take part where they say: before validation they may change, after it not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mizzen.apiserver.admission_chain import CREATE, UPDATE, Plugin, admission
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

AT_MOST_THREE = """
from mizzen.apiserver.admission_chain import CREATE, Plugin
from mizzen.apiserver.core.refusals import forbidden

def check(request):
    used = len(request.draft.list("configmaps", request.key.namespace))
    if used >= 3:
        raise forbidden(request.served.resource, request.key.name, "exceeded quota: 3")

def at_most_three(context):
    return Plugin(frozenset((CREATE,)), lambda s: s.key == "configmaps", admit=check)

PLUGIN = at_most_three
"""
LABELS = """
from mizzen.apiserver.admission_chain import CREATE, UPDATE, Plugin

seen = []

def label(request):
    value = request.draft.user.name if request.operation == CREATE else "not a label!"
    request.object["metadata"]["labels"] = {"by": value}

def note(request):
    seen.append((request.operation, request.key.name, request.object["metadata"]["labels"]))

def labels(context):
    operations = frozenset((CREATE, UPDATE))
    return Plugin(operations, lambda s: s.key == "configmaps", mutate=label, admit=note)

PLUGIN = labels
"""


TAINTS = """
from mizzen.apiserver.admission_chain import CREATE, UPDATE, Plugin

def taint(request):
    request.object["spec"]["taints"] = [{"key": "k", "effect": "NoExecute"}]

def taints(context):
    return Plugin(frozenset((CREATE, UPDATE)), lambda s: s.key == "nodes", mutate=taint)

PLUGIN = taints
"""


async def api_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, plugin: str
) -> Api:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / folder / "plugin.py").write_text(plugin)
    monkeypatch.syspath_prepend(str(tmp_path))
    api = await an_api(MemoryStore())
    api.server.admission = admission(api.server, folder)
    return api


def config(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}}


def creation(name: str) -> dict[str, Any]:
    return {"op": "create", "resource": "configmaps", "object": config(name)}


async def test_a_plugin_sees_what_the_same_plan_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await api_with(tmp_path, monkeypatch, "quota_of_a_test", AT_MOST_THREE)
    code, status = await api.plan(*(creation(f"c{n}") for n in range(4)))
    assert code == 403 and status["details"]["causes"][0]["field"] == "spec.operations[3]"
    assert not api.store.list("configmaps", "default").items
    assert (await api.plan(*(creation(f"c{n}") for n in range(3))))[0] == 201
    assert (await api.call("POST", f"{DEFAULT}/configmaps", config("d")))[0] == 403
    freed = {"op": "delete", "apiVersion": "v1", "resource": "configmaps",
             "namespace": "default", "name": "c0"}  # fmt: skip
    assert (await api.plan(freed, creation("d")))[0] == 201


async def test_a_plugin_sees_what_others_are_just_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await api_with(tmp_path, monkeypatch, "quota_of_another_test", AT_MOST_THREE)
    posts = (api.call("POST", f"{DEFAULT}/configmaps", config(f"c{n}")) for n in range(5))
    codes = [code for code, _ in await asyncio.gather(*posts)]
    assert sorted(codes) == [201, 201, 201, 403, 403]


async def test_what_a_plugin_changes_is_validated_and_what_is_invalid_is_not_admitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await api_with(tmp_path, monkeypatch, "labels_of_a_test", LABELS)
    code, made = await api.call("POST", f"{DEFAULT}/configmaps", config("c"))
    assert (code, made["metadata"]["labels"]) == (201, {"by": "admin"})
    made["data"] = {"k": "v"}
    code, status = await api.call("PUT", f"{DEFAULT}/configmaps/c", made)
    assert code == 422 and "metadata.labels" in status["message"]
    import labels_of_a_test.plugin as plugin  # type: ignore[import-not-found]

    assert plugin.seen == [("create", "c", {"by": "admin"})]
    assert (await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}}))[0] == 201


async def test_what_a_plugin_adds_gets_its_moment_by_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await api_with(tmp_path, monkeypatch, "taints_of_a_test", TAINTS)
    taint = {"key": "k", "effect": "NoExecute"}
    node = {"apiVersion": "v1", "metadata": {"name": "n"}}
    _, made = await api.call("POST", "/api/v1/nodes", node)
    assert made["spec"]["taints"] == [taint | {"timeAdded": made["spec"]["taints"][0]["timeAdded"]}]
    made["spec"]["taints"] = []
    _, made = await api.call("PUT", "/api/v1/nodes/n", made)
    assert made["spec"]["taints"][0].keys() == {"key", "effect", "timeAdded"}


def test_an_operation_that_there_is_not_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="update/other"):
        Plugin(frozenset((CREATE, UPDATE, "update/other")), lambda _: True)
