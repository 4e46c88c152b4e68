"""The checker of the history finds what is wrong, and nothing in what a store writes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from checkers.history import faults
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

RESOURCES = ("configmaps", "namespaces")


async def written(api: Api) -> tuple[list[Any], list[Any]]:
    for name in ("a", "b", "c"):
        created = await api.call("POST", f"{DEFAULT}/configmaps", {"metadata": {"name": name}})
        assert created[0] == 201
    change = {"data": {"k": "v"}}
    kind = "application/merge-patch+json"
    for name in ("a", "b", "a"):
        await api.call("PATCH", f"{DEFAULT}/configmaps/{name}", change, content_type=kind)
        change = {"data": {"k": name}}
    await api.call("DELETE", f"{DEFAULT}/configmaps/c")
    operations = [
        {"op": "create", "resource": "configmaps", "object": {
            "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}}}
        for name in ("p", "q")
    ]  # fmt: skip
    assert (await api.plan(*operations))[0] == 201
    records = await api.lines("/mizzen/v1/history")
    listed = [(r, s.object()) for r in RESOURCES for s in api.store.list(r).items]
    return records, listed


async def test_nothing_is_wrong_with_what_a_store_writes() -> None:
    records, listed = await written(await an_api(MemoryStore()))
    ours = [record for record in records if record["name"] in set("abcpq")]
    assert len(ours) == 9 and faults(records, listed) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r, o: r.insert(0, r.pop()), "follows"),
        (lambda r, o: r.pop(-5), "b is not what the history says"),
        (lambda r, o: r[-7].update(time=1), "older than"),
        (lambda r, o: r.append({**r[-9], "revision": 99}), "was added and was there|says it is"),
        (lambda r, o: o.pop(0), "is not listed"),
        (lambda r, o: o[0][1].update(data={"x": "y"}), "is not what the history says"),
        (lambda r, o: r[-2].update(plan=""), None),
        (lambda r, o: (r[-3].update(plan=r[-1]["plan"]), r[-2].update(plan="other")), "torn"),
    ],
)
async def test_each_fault_is_found(spoil: Any, message: str | None) -> None:
    records, listed = copy.deepcopy(await written(await an_api(MemoryStore())))
    spoil(records, listed)
    found = faults(records, listed)
    if message is None:
        assert found == []
    else:
        assert any(part in fault for fault in found for part in message.split("|")), found
