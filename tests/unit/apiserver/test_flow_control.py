"""Requests wait for their turn, are refused in time, and a greedy client starves nobody."""

from __future__ import annotations

import asyncio

import pytest

from mizzen.apiserver import flow_control
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.user import AUTHENTICATED, MASTERS, User
from mizzen.apiserver.core.watch_counts import Watched
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
    return api, FlowControl(api.store, api.server.catalog, asyncio.get_running_loop().time)


async def test_masters_need_no_place_and_others_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, flows = await started(100, monkeypatch)
    assert flows.enter(access("admin", MASTERS), {}) is None
    place = flows.enter(access("jane"), {})
    assert place is not None and place.classification.level == "global-default"
    await flows.wait(place)
    assert flows.statistics()["global-default"]["executing"] == 1
    flows.leave(place)
    flows.leave(place)
    assert flows.statistics()["global-default"]["executing"] == 0


async def test_a_greedy_client_waits_behind_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    _, flows = await started(10, monkeypatch)
    order: list[str] = []

    async def ask(name: str) -> None:
        place = flows.enter(access(name), {})
        assert place is not None
        try:
            await flows.wait(place)
            await asyncio.sleep(0)
            order.append(name)
        except TooManyRequests:
            order.append(f"{name} refused")
        finally:
            flows.leave(place)

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
    first, second = flows.enter(access("jane"), {}), flows.enter(access("jane"), {})
    assert first is not None and second is not None
    with pytest.raises(TooManyRequests, match="try again later") as refused:
        await flows.wait(second)
    assert refused.value.retry_after_s == 1
    flows.leave(second)
    flows.leave(first)
    assert flows.statistics()["global-default"] == {
        "executing": 0, "waiting": 0, "rejected": 0, "seats": 1,
    }  # fmt: skip


async def test_a_place_is_not_kept_for_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _, flows = await started(1, monkeypatch)
    monkeypatch.setattr(flow_control, "HELD_S_MAX", 0.01)
    slow, other = flows.enter(access("slow"), {}), flows.enter(access("jane"), {})
    assert slow is not None and other is not None
    end = flows.leave_late(slow)
    await flows.wait(other)
    end()
    flows.leave(other)
    assert flows.statistics()["global-default"]["executing"] == 0


async def test_lists_take_seats_by_their_size_and_writes_by_their_watches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, flows = await started(2000, monkeypatch)
    for name in ("b", "c"):
        await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for number in range(4):
        body = {"metadata": {"name": f"m{number}"}, "data": {"x": "y" * 100_000}}
        await api.call("POST", "/api/v1/namespaces/b/configmaps", body)

    def seats(verb: str, namespace: str = "", name: str = "", **params: str) -> int:
        user = User("jane", groups=(AUTHENTICATED,))
        subresource = params.pop("subresource", "")
        made = Access(user, verb, "", "configmaps", subresource, namespace, name)
        place = flows.enter(made, params)
        if place is None:
            return 0
        ticket = place.ticket
        assert ticket is not None and ticket.started_s is not None
        flows.leave(place)
        return ticket.seats

    assert seats("list") == seats("list", "b") == 5
    assert seats("list", "c") == seats("get", "b", "m0") == seats("list", "b", "m0") - 1 == 1
    assert seats("list", limit="1") == 2
    assert seats("watch", resourceVersion="7") == 1 and seats("watch") == 5
    assert seats("update", "b", "m0") == 1
    for _ in range(35):
        flows.watches.begin(Watched("configmaps", "b", ""))
    assert seats("update", "b", "m0") == 4 and seats("update", "c", "m0") == 1
    assert seats("get", "b", "m0", subresource="log") == 0, "it would hold its place for long"


async def test_a_changed_schema_counts_from_the_next_request_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, flows = await started(100, monkeypatch)
    assert flows.enter(access("jane"), {}) is not None
    key, obj = next((k, o) for k, o in default_objects() if k.name == "exempt" and k.resource == FLOW_SCHEMAS)  # fmt: skip
    obj["spec"]["rules"][0]["subjects"] = [{"kind": "User", "user": {"name": "jane"}}]
    await api.store.commit([Put(key, obj, "update")], identity="x", now_ns=0)
    assert flows.enter(access("jane"), {}) is None


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


async def test_events_weigh_the_same_in_both_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    api, flows = await started(2000, monkeypatch)
    for number in range(4):
        about = {"kind": "Pod", "namespace": "default", "name": "p"}
        body = {"metadata": {"name": f"e{number}"}, "involvedObject": about, "message": "y" * 1000,
                "source": {"component": "z" * 90_000}}  # fmt: skip
        status, made = await api.call("POST", "/api/v1/namespaces/default/events", body)
        assert status == 201, made
    flows.watches.begin(Watched("events", "", ""))
    for _ in range(34):
        flows.watches.begin(Watched("events", "default", ""))

    def seats(verb: str, group: str) -> int:
        user = User("jane", groups=(AUTHENTICATED,))
        place = flows.enter(Access(user, verb, group, "events", "", "default", ""), {})
        assert place is not None and place.ticket is not None
        ticket = place.ticket
        flows.leave(place)
        return ticket.seats

    for verb in ("list", "create"):
        assert seats(verb, "events.k8s.io") == seats(verb, "") > 1, verb


async def test_each_node_has_a_flow_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    _, flows = await started(100, monkeypatch)
    found: set[str] = set()
    for node in ("a", "b"):
        for resource, schema in (("pods", "system-nodes"), ("nodes", "system-node-high")):
            user = User(f"system:node:{node}", groups=("system:nodes", AUTHENTICATED))
            asked = Access(user, "get", "", resource, "", "", node)
            place = flows.enter(asked, {})
            assert place is not None and place.classification.schema == schema
            found.add(place.classification.flow_of(asked))
            flows.leave(place)
    assert len(found) == 4
