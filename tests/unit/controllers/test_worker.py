"""What becomes of a reconciler's answers, against the real API server."""

import asyncio
import contextlib
import time
from itertools import pairwise

from mizzen.base.errors import ApiError, Retry
from mizzen.base.exposition import MetricsRegistry
from mizzen.base.objects import Key, key_of, name_of
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.resources import CONFIG_MAPS, DEPLOYMENTS, EVENTS, PODS
from mizzen.controllers.core.actions import Ask, Controller, EmitEvent, RequeueAfter, Watch
from mizzen.controllers.run import run_controllers
from mizzen.controllers.worker import RESTS_TIMES
from mizzen.host.clock import RealClock
from support.api_in_process import api_server
from support.waiting import until


def config_map(name, **data):
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


@contextlib.asynccontextmanager
async def controlled(client, reconcile, **more):
    controller = Controller("test", CONFIG_MAPS, reconcile, reads=(PODS,), **more)
    ready = asyncio.Event()
    task = asyncio.create_task(
        run_controllers(client, RealClock(), ready.set, [controller], MetricsRegistry())
    )
    await asyncio.wait_for(ready.wait(), 10)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_reconciler_sees_its_own_writes_at_once(tmp_path):
    calls = []

    def reconcile(view, key, now_ns):
        if not key.name.startswith("mine"):
            return []
        calls.append(key.name)
        copy = config_map(f"copy-of-{key.name}")
        found = any(k.name == copy["metadata"]["name"] for k in view.all(CONFIG_MAPS))
        return [] if found else [Create(CONFIG_MAPS, copy), RequeueAfter(0.0)]

    async with api_server(tmp_path) as client, controlled(client, reconcile):
        await client.create(CONFIG_MAPS, config_map("mine"))
        await until(lambda: len(calls) >= 2, "a second look")
        names = {name_of(obj) for obj in (await client.list(CONFIG_MAPS, "default"))[0]}
        assert {"mine", "copy-of-mine"} <= names


async def test_who_needs_facts_asks_for_them_and_may_scale_by_a_plan(tmp_path):
    path, seen = "/apis/apps/v1/namespaces/default/deployments/web/scale", []

    def decide(view, key, now_ns, answers):
        if key.name != "mine":
            return []
        for wanted in ("/apis/nothing/v1", path):
            if wanted not in answers:
                raise Ask(wanted)
        assert isinstance(answers["/apis/nothing/v1"], ApiError)
        replicas = answers[path]["spec"]["replicas"]
        seen.append(replicas)
        return (
            [
                Patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": replicas + 1}}, "scale"),
                Patch(CONFIG_MAPS, "default", "mine", {"data": {"was": str(replicas)}}),
            ]
            if replicas == 1
            else []
        )

    labels = {"app": "web"}
    template = {"metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "i"}]}}  # fmt: skip
    spec = {"selector": {"matchLabels": labels}, "template": template}
    body = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    async with api_server(tmp_path) as client, controlled(client, lambda *_: [], decide=decide):
        await client.create(DEPLOYMENTS, body)
        await client.create(CONFIG_MAPS, config_map("mine"))

        await until(lambda: 2 in seen, "the plan")
        found = await client.get(CONFIG_MAPS, "mine", "default")
        assert found["data"] == {"was": "1"}


async def test_a_refused_write_is_told_on_the_object(tmp_path):
    def reconcile(view, key, now_ns):
        if key.name != "bad":
            return []
        return [Create(PODS, {"metadata": {"name": "Not A Name", "namespace": "default"}})]

    async with api_server(tmp_path) as client, controlled(client, reconcile):
        await client.create(CONFIG_MAPS, config_map("bad"))
        event = await first_event(client)
        assert event["reason"] == "FailedInvalid"
        assert event["involvedObject"]["name"] == "bad"


async def test_a_bug_stops_one_key_and_no_other(tmp_path):
    good = []

    def reconcile(view, key, now_ns):
        assert key.name != "bad", "a bug"
        if key.name == "good":
            good.append(key)
        return []

    async with api_server(tmp_path) as client, controlled(client, reconcile):
        await client.create(CONFIG_MAPS, config_map("bad"))
        await client.create(CONFIG_MAPS, config_map("good"))
        await until(lambda: good, "the other key")


async def test_why_nothing_comes_of_an_object_is_written_on_it(tmp_path):
    """By the controller's own hook: for a refused plan as for a fault of ours."""
    written = []

    def reconcile(view, key, now_ns):
        if key.name == "odd":
            raise TypeError("unhashable type: 'dict'")
        if key.name == "bad":
            return [Create(PODS, {"metadata": {"name": "Not A Name", "namespace": "default"}})]
        return []

    def report_stuck(obj, reason, message, now_ns):
        if name_of(obj) == "odd" and not written:
            written.append(obj)
            raise ValueError("odd here, too")  # it must not stop anything
        change = {"data": {"reason": reason, "message": message}}
        return [Patch(CONFIG_MAPS, "default", name_of(obj), change)]

    async def reason_of(client, name):
        found = (await client.get(CONFIG_MAPS, name, "default")).get("data") or {}
        return found.get("reason")

    async with (
        api_server(tmp_path) as client,
        controlled(client, reconcile, report_stuck=report_stuck),
    ):
        for name in ("odd", "bad"):
            await client.create(CONFIG_MAPS, config_map(name))
        for name, reason in (("odd", "InternalError"), ("bad", "FailedInvalid")):
            for _ in range(1000):
                if await reason_of(client, name) == reason:
                    break
                await asyncio.sleep(0.01)
            assert await reason_of(client, name) == reason


async def test_a_name_that_somebody_else_has_is_told_and_not_only_tried_again(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("mizzen.controllers.worker.OVERTAKEN_TOLD_S", 0.01)

    def reconcile(view, key, now_ns):
        return [Create(CONFIG_MAPS, config_map("taken"))] if key.name == "wants" else []

    async with api_server(tmp_path) as client:
        await client.create(CONFIG_MAPS, config_map("taken"))
        async with controlled(client, reconcile):
            await client.create(CONFIG_MAPS, config_map("wants"))
            event = await first_event(client)
            assert event["reason"] == "FailedAlreadyExists"
            assert event["involvedObject"]["name"] == "wants"
            assert '"taken" already exists' in event["message"]


async def test_an_object_that_nobody_can_make_sense_of_ends_no_controller(tmp_path):
    good = []

    def reconcile(view, key, now_ns):
        if key.name == "good":
            good.append(key)
        return []

    def keys(view, obj):
        raise KeyError("spec")

    watches = (Watch(CONFIG_MAPS, keys),)
    async with api_server(tmp_path) as client, controlled(client, reconcile, watches=watches):
        await client.create(CONFIG_MAPS, config_map("bad"))
        await client.create(CONFIG_MAPS, config_map("good"))
        await until(lambda: good, "the other key")


async def test_what_the_predicate_leaves_out_is_not_reconciled(tmp_path):
    seen = []

    def reconcile(view, key, now_ns):
        seen.append(key.name)
        return []

    def predicate(view, obj):
        if obj["metadata"]["name"] == "kube-root-ca.crt":  # in every namespace
            return False
        return obj["data"]["due"] == "yes"  # KeyError of the one that has none: reconciled

    async with api_server(tmp_path) as client, controlled(client, reconcile, predicate=predicate):
        await client.create(CONFIG_MAPS, config_map("not", due="no"))
        await client.create(CONFIG_MAPS, config_map("odd", other="x"))
        await client.create(CONFIG_MAPS, config_map("due", due="yes"))
        await until(lambda: "due" in seen, "the one that is due")
        await client.patch(CONFIG_MAPS, "not", {"data": {"due": "yes"}}, "default")
        await until(lambda: "not" in seen, "the one that has become due")
    assert seen == ["odd", "due", "not"]


async def test_overtaken_and_retried_answers_come_again(tmp_path):
    calls = []

    def reconcile(view, key, now_ns):
        if key.name != "x":
            return []
        calls.append(key)
        if len(calls) == 1:
            stale = {"data": {"a": "b"}}
            return [Patch(CONFIG_MAPS, "default", "x", stale, resource_version="1")]
        if len(calls) == 2:
            raise Retry("later", 0.01)
        obj = view.get(CONFIG_MAPS, key)
        return [EmitEvent(obj, "Normal", "Done", f"call {len(calls)}")]

    async with api_server(tmp_path) as client, controlled(client, reconcile):
        created = await client.create(CONFIG_MAPS, config_map("x"))
        event = await first_event(client)
        assert event["message"] == "call 3"
        assert key_of(created) == calls[0]


async def test_an_event_of_the_hook_is_told_in_place_of_the_usual_one(tmp_path):
    def reconcile(view, key, now_ns):
        if key.name != "bad":
            return []
        return [Create(PODS, {"metadata": {"name": "Not A Name", "namespace": "default"}})]

    def report_stuck(obj, reason, message, now_ns):
        return [EmitEvent(obj, "Warning", "FailedCreate", f"Error creating: {message}")]

    async with (
        api_server(tmp_path) as client,
        controlled(client, reconcile, report_stuck=report_stuck),
    ):
        await client.create(CONFIG_MAPS, config_map("bad"))
        event = await first_event(client)
        assert event["reason"] == "FailedCreate"
        assert event["message"].startswith("Error creating: ")


async def test_nothing_is_decided_anew_before_its_own_deletions_are_seen(tmp_path):
    """Or another would be deleted in the place of one whose deletion has not come yet."""
    deleted = []

    def reconcile(view, key, now_ns):
        if key.name != "one":
            return []
        spare = [k.name for k in view.all(CONFIG_MAPS) if k.name.startswith("spare")]
        chosen = sorted(spare, reverse=len(deleted) % 2 == 1)[: max(0, len(spare) - 2)][:1]
        found = [view.get(CONFIG_MAPS, Key("default", name)) for name in chosen]
        deleted.extend(chosen)
        again = [RequeueAfter(0.0)] if chosen else []
        return [
            *(Delete(CONFIG_MAPS, "default", name_of(o), uid=o["metadata"]["uid"]) for o in found),
            *again,
        ]

    async with api_server(tmp_path) as client:
        for number in range(4):
            await client.create(CONFIG_MAPS, config_map(f"spare-{number}"))
        async with controlled(client, reconcile):
            await client.create(CONFIG_MAPS, config_map("one"))
            await until(lambda: len(deleted) >= 2, "two deletions")
            await asyncio.sleep(0.1)
        left = {name_of(obj) for obj in (await client.list(CONFIG_MAPS, "default"))[0]}
        assert {"spare-1", "spare-2"} <= left and len(deleted) == 2


async def first_event(client):
    found = []
    for _ in range(500):
        found, _ = await client.list(EVENTS, "default")
        if found:
            break
        await asyncio.sleep(0.01)
    return found[0]


async def test_a_key_whose_decision_takes_long_rests_and_is_decided_all_the_same(tmp_path):
    """A change brings no decision of its own while the key rests, and none is missed."""
    seen = []

    def reconcile(view, key, now_ns):
        if key.name.startswith("large"):
            seen.append((time.monotonic(), view.get(CONFIG_MAPS, key)["data"]["n"]))
            time.sleep(0.02)
        return []

    async with api_server(tmp_path) as client, controlled(client, reconcile):
        await client.create(CONFIG_MAPS, config_map("large", n="0"))
        for number in range(1, 60):
            change = {"data": {"n": str(number)}}
            await client.patch(CONFIG_MAPS, "large", change, "default")
        await until(lambda: seen[-1][1] == "59", "the last change is decided")
        begun = [at for at, _ in seen]
        assert all(later - at >= 0.02 * RESTS_TIMES for at, later in pairwise(begun))
