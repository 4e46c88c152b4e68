"""Requests wait for their turn, are refused in time, and a greedy client starves nobody."""

from __future__ import annotations

import asyncio

import pytest

from mizzen.apiserver import flow_control
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.user import AUTHENTICATED, MASTERS, User
from mizzen.apiserver.flow_control import FLOW_SCHEMAS, FlowControl
from mizzen.apiserver.flow_defaults import default_objects, make_defaults
from mizzen.base.errors import TooManyRequests
from mizzen.store.memory import MemoryStore
from mizzen.store.store import Put
from support.api_handlers import Api, an_api


def access(name: str, *groups: str) -> Access:
    return Access(User(name, groups=(*groups, AUTHENTICATED)), "list", "", "pods", "", "a")


async def started(seats: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Api, FlowControl]:
    monkeypatch.setattr(flow_control, "SEATS", seats)
    api = await an_api(MemoryStore())
    await make_defaults(api.server)
    return api, FlowControl(api.store, asyncio.get_running_loop().time)


async def test_masters_need_no_place_and_others_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, flows = await started(100, monkeypatch)
    assert flows.enter(access("admin", MASTERS)) is None
    place = flows.enter(access("jane"))
    assert place is not None and place[1].level == "global-default"
    await flows.wait(place[0])
    assert flows.statistics()["global-default"]["executing"] == 1
    flows.leave(place[0])
    assert flows.statistics()["global-default"]["executing"] == 0


async def test_a_greedy_client_waits_behind_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    _, flows = await started(10, monkeypatch)
    order: list[str] = []

    async def ask(name: str) -> None:
        try:
            place = flows.enter(access(name))
        except TooManyRequests:
            order.append(f"{name} refused")
            return
        assert place is not None
        try:
            await flows.wait(place[0])
            await asyncio.sleep(0)
            order.append(name)
        finally:
            flows.leave(place[0])

    greedy = [asyncio.create_task(ask("greedy")) for _ in range(1000)]
    await asyncio.sleep(0)
    modest = asyncio.create_task(ask("modest"))
    await asyncio.gather(*greedy, modest)
    served = [name for name in order if not name.endswith("refused")]
    assert order.count("greedy refused") > 600, "six queues have room for 300"
    assert served.index("modest") < 60 and "modest refused" not in order
    assert flows.statistics()["global-default"]["executing"] == 0


async def test_who_waits_too_long_is_refused_and_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, flows = await started(1, monkeypatch)
    monkeypatch.setattr(flow_control, "WAIT_S_MAX", 0.01)
    first, second = flows.enter(access("jane")), flows.enter(access("jane"))
    assert first is not None and second is not None
    with pytest.raises(TooManyRequests, match="try again later") as refused:
        await flows.wait(second[0])
    assert refused.value.retry_after_s == 1
    flows.leave(second[0])
    flows.leave(first[0])
    assert flows.statistics()["global-default"] == {
        "executing": 0, "waiting": 0, "rejected": 0, "seats": 1,
    }  # fmt: skip


async def test_a_changed_schema_counts_from_the_next_request_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, flows = await started(100, monkeypatch)
    assert flows.enter(access("jane")) is not None
    key, obj = next((k, o) for k, o in default_objects() if k.name == "exempt" and k.resource == FLOW_SCHEMAS)  # fmt: skip
    obj["spec"]["rules"][0]["subjects"] = [{"kind": "User", "user": {"name": "jane"}}]
    await api.store.commit([Put(key, obj, "update")], identity="x", now_ns=0)
    assert flows.enter(access("jane")) is None


async def test_defaults_are_mended_at_the_next_start_and_others_choices_kept() -> None:
    api = await an_api(MemoryStore())
    await make_defaults(api.server)
    revision = api.store.revision
    await make_defaults(api.server)
    assert api.store.revision == revision
    wanted = dict(default_objects())
    changed = {k: o for k, o in default_objects() if k.name in ("exempt", "system", "probes")}
    for key, obj in changed.items():
        obj["spec"]["mine"] = True
        if key.name == "system":
            obj["metadata"]["annotations"] = {"apf.kubernetes.io/autoupdate-spec": "false"}
        await api.store.commit([Put(key, obj, "update")], identity="x", now_ns=0)
    await make_defaults(api.server)
    for key in changed:
        stored = api.store.get(key)
        assert stored is not None
        assert (stored.object()["spec"] == wanted[key]["spec"]) is (key.name != "system")
