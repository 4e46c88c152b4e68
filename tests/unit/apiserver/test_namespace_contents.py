"""What is in every namespace: made, made again, put back, and not made where a namespace ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from mizzen.apiserver.namespace_contents import NamespaceContents
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api

AUTHORITY = "-----BEGIN CERTIFICATE-----"
NAMESPACES = "/api/v1/namespaces"


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    (tmp_path / "ca.crt").write_text(AUTHORITY)
    made = await an_api(MemoryStore(), ca_file=tmp_path / "ca.crt")
    task = asyncio.create_task(NamespaceContents(made.server).run())
    yield made
    task.cancel()
    await asyncio.wait([task])


async def found(api: Api, path: str) -> Any:
    """The object at the path, once it is there."""
    async with asyncio.timeout(10):
        while True:
            status, answer = await api.call("GET", path)
            if status == 200:
                return answer
            await asyncio.sleep(0)


async def test_old_and_new_namespaces_have_them(api: Api) -> None:
    await found(api, f"{NAMESPACES}/kube-system/serviceaccounts/default")
    await api.call("POST", NAMESPACES, {"metadata": {"name": "new"}})
    await found(api, f"{NAMESPACES}/new/serviceaccounts/default")
    authority = await found(api, f"{NAMESPACES}/new/configmaps/kube-root-ca.crt")
    assert authority["data"] == {"ca.crt": AUTHORITY}


async def test_a_namespace_has_them_in_its_own_commit(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(AUTHORITY)
    api = await an_api(MemoryStore(), ca_file=tmp_path / "ca.crt")  # and nobody who fills it
    for dry, expected in (("?dryRun=All", 404), ("", 200)):
        await api.call("POST", NAMESPACES + dry, {"metadata": {"name": "new"}})
        for path in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
            status, made = await api.call("GET", f"{NAMESPACES}/new/{path}")
            assert status == expected
    assert made["data"] == {"ca.crt": AUTHORITY}
    assert made["metadata"]["uid"] and made["metadata"]["creationTimestamp"]
    (entry,) = made["metadata"]["managedFields"]
    assert entry["manager"] == "mizzen" and "f:data" in entry["fieldsV1"]


async def test_what_is_deleted_comes_back(api: Api) -> None:
    for path in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
        first = await found(api, f"{NAMESPACES}/default/{path}")
        await api.call("DELETE", f"{NAMESPACES}/default/{path}")
        again = await found(api, f"{NAMESPACES}/default/{path}")
        assert again["metadata"]["uid"] != first["metadata"]["uid"]


async def test_a_changed_authority_is_put_back(api: Api) -> None:
    path = f"{NAMESPACES}/default/configmaps/kube-root-ca.crt"
    await found(api, path)
    patch = b'{"data": {"ca.crt": "mine"}}'
    changed = await api.call("PATCH", path, patch, content_type="application/merge-patch+json")
    assert changed[1]["data"] == {"ca.crt": "mine"}
    async with asyncio.timeout(10):
        while (await found(api, path))["data"] != {"ca.crt": AUTHORITY}:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_namespace_that_ends_gets_nothing(api: Api) -> None:
    body = {"metadata": {"name": "ending"}}
    await api.call("POST", NAMESPACES, body)
    path = f"{NAMESPACES}/ending/serviceaccounts/default"
    await found(api, path)
    await api.call("DELETE", f"{NAMESPACES}/ending")
    await api.call("DELETE", path)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (await api.call("GET", path))[0] == 404
