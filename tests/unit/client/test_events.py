import asyncio
import gc
import tracemalloc
from types import SimpleNamespace

from mizzen.base.objects import name_of
from mizzen.base.resources import EVENTS, PODS
from mizzen.client import events
from mizzen.client.events import EventRecorder
from support.api_in_process import api_server

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default", "uid": "u"},
}


MANY = 1000


async def stored(client):
    found, _ = await client.list(EVENTS, "default")
    return sorted(found, key=name_of)


async def test_repeats_are_counted_in_one_event(tmp_path):
    async with api_server(tmp_path) as client:
        recorder = EventRecorder(client, "tester")
        recorder.event(POD, "Warning", "Broken", "it broke")
        await recorder.flush()
        for _ in range(4):
            recorder.event(POD, "Warning", "Broken", "it broke")
        await recorder.flush()
        (event,) = await stored(client)
        assert event["count"] == 5
        assert event["source"]["component"] == "tester"
        assert event["involvedObject"]["uid"] == "u"
        assert recorder.statistics()["writes"] == 2


async def test_an_event_names_the_part_and_the_node_it_is_of(tmp_path):
    async with api_server(tmp_path) as client:
        recorder = EventRecorder(client, "kubelet", host="n1")
        for container in ("a", "b", "b"):
            where = f"spec.containers{{{container}}}"
            recorder.event(POD, "Normal", "Started", "Container started", where)
        await recorder.flush()
        found = {e["involvedObject"]["fieldPath"]: e for e in await stored(client)}
        counts = {where: event["count"] for where, event in found.items()}
        assert counts == {"spec.containers{a}": 1, "spec.containers{b}": 2}
        for event in found.values():
            assert event["source"] == {"component": "kubelet", "host": "n1"}
            assert event["reportingComponent"] == "kubelet"
            assert event["reportingInstance"] == "n1"


async def test_what_repeats_for_ever_is_counted_and_seldom_written(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(
        events, "time", SimpleNamespace(monotonic=lambda: now[0], time_ns=lambda: 5)
    )
    async with api_server(tmp_path) as client:
        recorder = EventRecorder(client, "tester")
        for _ in range(events.REPEATS_MAX + 10):
            recorder.event(POD, "Warning", "Unhealthy", "it is not well")
            await recorder.flush()
            now[0] += 1
        (event,) = await stored(client)
        assert event["count"] == 1 + events.REPEATS_MAX
        now[0] += events.REPEAT_AGAIN_S
        recorder.event(POD, "Warning", "Unhealthy", "it is not well")
        await recorder.flush()
        (event,) = await stored(client)
        assert event["count"] == events.REPEATS_MAX + 11


async def test_a_flood_of_messages_is_summed_up_and_counted(tmp_path):
    async with api_server(tmp_path) as client:
        recorder = EventRecorder(client, "tester")
        for number in range(30):
            recorder.event(POD, "Normal", "Noise", f"message {number}")
        await recorder.flush()
        found = await stored(client)
        assert len(found) == events.MESSAGES_PER_REASON_MAX + 1
        assert sum(event["count"] for event in found) == 30
        assert sum("combined" in event["message"] for event in found) == 1


async def test_what_is_remembered_of_a_written_event_is_small(tmp_path):
    async with api_server(tmp_path) as client:
        recorder = EventRecorder(client, "tester")
        tracemalloc.start()
        try:
            for number in range(MANY):
                about = {"name": f"short-{number}", "namespace": "default", "uid": f"{number:036}"}
                recorder.event({**POD, "metadata": about}, "Normal", "Started", f"{number} started")
            await recorder.flush()
            gc.collect()
            ours = [tracemalloc.Filter(True, events.__file__)]
            held = tracemalloc.take_snapshot().filter_traces(ours).statistics("filename")
        finally:
            tracemalloc.stop()
        assert sum(found.size for found in held) < MANY * 1024
        assert len(await stored(client)) == MANY
        recorder.event({**POD, "metadata": about}, "Normal", "Started", f"{number} started")
        await recorder.flush()
        assert sum(event["count"] == 2 for event in await stored(client)) == 1


async def test_too_many_waiting_are_summed_up_by_reason(tmp_path):
    async with api_server(tmp_path) as client:
        recorder = EventRecorder(client, "tester")
        for number in range(events.WAITING_MAX + 10):
            pod = {**POD, "metadata": {**POD["metadata"], "uid": f"u{number}"}}
            recorder.event(pod, "Normal", "Noise", "hello")
        assert recorder.statistics()["summed_up"] == 10
        assert recorder.statistics()["waiting"] == events.WAITING_MAX + 1


async def test_what_waits_together_is_written_together(tmp_path):
    async with api_server(tmp_path) as client:
        recorder = EventRecorder(client, "tester")
        for number in range(20):
            recorder.event(_pod(number), "Normal", "Scheduled", "bound")
        await recorder.flush()
        plans = client.statistics()["plans"]
        for number in range(10, 30):
            recorder.event(_pod(number), "Normal", "Scheduled", "bound")
        await recorder.flush()
        counts = {e["involvedObject"]["uid"]: e["count"] for e in await stored(client)}
        assert counts == {f"u{n}": 1 + (10 <= n < 20) for n in range(30)}
        assert (plans, client.statistics()["plans"]) == (1, 2)


async def test_a_refusal_of_one_does_not_keep_the_others_away(tmp_path):
    async with api_server(tmp_path) as client:
        recorder = EventRecorder(client, "tester")
        for number in range(3):
            recorder.event(_pod(number), "Normal", "Scheduled", "bound")
        await recorder.flush()
        (gone, *_) = await stored(client)
        await client.delete(EVENTS, name_of(gone), "default")
        for number in range(4):
            recorder.event(_pod(number), "Normal", "Scheduled", "bound")
        recorder.event(_pod("elsewhere", namespace="missing"), "Normal", "Scheduled", "bound")
        await recorder.flush()
        counts = {e["involvedObject"]["uid"]: e["count"] for e in await stored(client)}
        assert counts == {"u0": 2, "u1": 2, "u2": 2, "u3": 1}
        assert recorder.statistics()["plans_refused"] == 1
        assert recorder.statistics()["refused"] == 1


async def test_what_the_server_refuses_is_counted_and_forgotten(server):
    recorder = EventRecorder(server.client, "tester")
    server.answers = [_refusal(403)]
    recorder.event(POD, "Normal", "Noise", "hello")
    await recorder.flush()
    assert recorder.statistics()["refused"] == 1


async def test_an_outage_is_waited_out(server):
    recorder = EventRecorder(server.client, "tester")
    server.answers = [_refusal(503), lambda seen: _created(seen)]
    recorder.event(POD, "Normal", "Noise", "hello")
    await asyncio.wait_for(recorder.flush(), 10)
    first, second = (seen.body["metadata"]["name"] for seen in server.seen)
    assert first == second  # a write without an answer is not written twice
    assert server.seen[0].path == EVENTS.path("default")
    assert PODS.kind == server.seen[0].body["involvedObject"]["kind"]


def _pod(number, **metadata):
    return {**POD, "metadata": {**POD["metadata"], "name": "p", "uid": f"u{number}", **metadata}}


def _refusal(code):
    return SimpleNamespace(
        status=code, body={"message": "no", "code": code}, lines=None, hold=None, headers={}
    )


def _created(seen):
    return SimpleNamespace(status=201, body=seen.body, lines=None, hold=None, headers={})


async def test_beyond_the_rate_what_waits_alike_becomes_few_events_that_name_all(server):
    server.answers = [_refusal(404)] + [lambda seen: _created(seen)] * 200
    recorder = EventRecorder(server.client, "tester")
    recorder._tokens = 1.0
    for number in range(60):
        about = _pod(number, name=f"p{number}")
        recorder.event(about, "Normal", "Scheduled", f"assigned default/p{number} to n{number}")
    recorder.event(_pod(60, name="odd"), "Warning", "Failed", "no room")
    await asyncio.wait_for(recorder.flush(), 30)
    bodies = [seen.body for seen in server.seen if seen.body]
    assert sum(body["count"] for body in bodies) == 61
    assert len(bodies) <= 5
    assert all(len(body["message"]) <= events.MESSAGE_CHARS_MAX for body in bodies)
    told = " ".join(body["message"] for body in bodies)
    assert all(f"default/p{number} to n{number}" in told for number in range(60))
    assert bodies[-1]["message"] == "no room"
    assert recorder.statistics()["waiting"] == 0


async def test_messages_without_a_name_are_given_it_when_they_are_combined(server):
    server.answers = [_refusal(404)] + [lambda seen: _created(seen)] * 9
    recorder = EventRecorder(server.client, "tester")
    recorder._tokens = 0.0
    for name in ("a", "b"):
        recorder.event(_pod(name, name=f"pod-{name}"), "Warning", "Failed", "no room")
    await asyncio.wait_for(recorder.flush(), 10)
    (body,) = (seen.body for seen in server.seen if seen.body)
    assert body["message"] == ("(combined from 2 similar events): pod-a: no room, pod-b: no room")
    assert body["count"] == 2
