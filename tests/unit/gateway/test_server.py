from __future__ import annotations

import asyncio
import io

import orjson
import pytest

from mizzen.base.errors import Conflict, NotFound, Unavailable
from mizzen.gateway.core.endpoints import Address
from support.fake_engine import FakeEngine
from support.waiting import until

from .conftest import KEY, Gateway, endpoint_object


async def test_answers_and_names_the_replica(gateway: Gateway) -> None:
    gateway.endpoint()
    await gateway.replica("tiny-0")
    status, body, headers = await gateway.post(max_tokens=2)
    assert status == 200
    assert body["choices"][0]["text"] == "tiny-0tiny-0"
    assert headers["x-mizzen-replica"] == "tiny-0"
    assert headers["x-request-id"]


async def test_keeps_a_request_id(gateway: Gateway) -> None:
    gateway.endpoint()
    await gateway.replica("tiny-0")
    async with gateway.session.post(
        gateway.url + "/v1/completions",
        json={"model": "tiny", "prompt": "x"},
        headers={"x-request-id": "mine-1"},
    ) as response:
        assert response.headers["x-request-id"] == "mine-1"


async def test_a_refusal_has_the_requests_id(gateway: Gateway) -> None:
    for path in ("/v1/models/none", "/nowhere", "/services/default/none/"):
        for given in ("mine-1", ""):
            headers = {"X-Request-Id": given}
            async with gateway.session.get(gateway.url + path, headers=headers) as response:
                assert response.status == 404
                assert len(response.headers["X-Request-Id"]) == (6 if given else 32)


async def test_an_engine_that_is_a_server_of_its_own_is_asked_by_tcp(gateway: Gateway) -> None:
    gateway.endpoint()
    async with FakeEngine("own") as engine:
        pool = gateway.directory.find("tiny")
        pool.set_replica("tiny-0", Address("tiny-0", "uid-0", engine.url))
        status, body, _ = await gateway.post(max_tokens=1)
    assert (status, body["choices"][0]["text"]) == (200, "own")


async def test_streams_each_chunk_at_once(gateway: Gateway) -> None:
    gateway.endpoint()
    engine = await gateway.replica("tiny-0")
    async with gateway.session.post(
        gateway.url + "/v1/completions",
        json={"model": "tiny", "prompt": "x", "stream": True, "max_tokens": 3},
    ) as response:
        first = await response.content.readuntil(b"\n\n")
        assert orjson.loads(first[6:])["choices"][0]["text"] == "tiny-0"
        assert response.headers["x-mizzen-replica"] == "tiny-0"
        rest = await response.read()
    assert rest.endswith(b"data: [DONE]\n\n")
    assert engine.in_flight == 0


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "missing_api_key"),
        ("Bearer wrong", "invalid_api_key"),
        ("Basic x", "invalid_api_key"),
        (f"{KEY[:-1]}x", "invalid_api_key"),
    ],
)
async def test_refuses_without_a_key(gateway: Gateway, header: str | None, code: str) -> None:
    headers = {"Authorization": header} if header else {}
    gateway.session.headers.popall("Authorization")
    async with gateway.session.get(gateway.url + "/v1/models", headers=headers) as response:
        assert response.status == 401
        error = (await response.json())["error"]
    assert error["code"] == code
    assert error["type"] == "authentication_error"
    assert KEY[:6] not in error["message"]


async def test_health_and_metrics_need_no_key(gateway: Gateway) -> None:
    gateway.endpoint()
    await gateway.replica("tiny-0")
    await gateway.post()
    gateway.session.headers.popall("Authorization")
    for path in ("/health", "/livez", "/readyz"):
        async with gateway.session.get(gateway.url + path) as response:
            assert response.status == 200
    async with gateway.session.get(gateway.url + "/metrics") as response:
        text = await response.text()
    assert 'mizzen_gateway_requests_total{endpoint="default/tiny",code="200"} 1' in text
    assert 'mizzen_gateway_replicas_ready{endpoint="default/tiny"} 1' in text


async def test_numbers_are_of_endpoints_that_there_are(gateway: Gateway) -> None:
    gateway.endpoint()
    await gateway.replica("tiny-0")
    await gateway.post()
    for number in range(3):
        assert (await gateway.post(model=f"made-up-{number}"))[0] == 404
    gateway.directory.on_endpoint("DELETED", None, endpoint_object())
    async with gateway.session.get(gateway.url + "/metrics") as response:
        text = await response.text()
    assert "tiny" not in text
    assert "made-up" not in text


async def test_an_error_repeats_little_of_what_was_sent(gateway: Gateway) -> None:
    gateway.endpoint()
    status, body, _ = await gateway.post(model="m" * 1_000_000)
    assert status == 404
    assert len(body["error"]["message"]) < 400


async def test_models_in_both_forms(gateway: Gateway) -> None:
    gateway.endpoint("tiny")
    gateway.endpoint("tiny", "other")
    gateway.endpoint("big")
    async with gateway.session.get(gateway.url + "/v1/models") as response:
        names = [card["id"] for card in (await response.json())["data"]]
    assert names == ["big", "default/big", "default/tiny", "other/tiny"]
    status, body, _ = await gateway.post(model="tiny")
    assert (status, body["error"]["code"]) == (400, "ambiguous_model")
    status, body, _ = await gateway.post(model="nothing")
    assert (status, body["error"]["code"]) == (404, "model_not_found")


async def test_the_engine_hears_its_own_name(gateway: Gateway) -> None:
    gateway.endpoint(model={"path": "/m", "name": "served"})
    engine = await gateway.replica("tiny-0", "served")
    for name in ("served", "default/tiny"):
        status, _, _ = await gateway.post(model=name)
        assert status == 200
    assert [body["model"] for body in engine.bodies] == ["served", "served"]


DEEP = b'{"model": "tiny", "prompt": %s1%s}' % (b"[" * 300, b"]" * 300)
CUT = rb'{"model": "tiny", "%s": "cut \ud83d"}'


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[]", b"\xff", DEEP, b"[" * 2000, b'{"a":' * 900 + b"1" + b"}" * 900,
     b'{"model": "tiny", "metadata": ' + b'{"a":' * 260 + b"1" + b"}" * 261,
     b"\xef\xbb\xbf{}", *(CUT % name for name in (b"prompt", b"stop", b"user", b"more"))],
)  # fmt: skip
async def test_broken_json(gateway: Gateway, raw: bytes) -> None:
    gateway.endpoint()
    await gateway.replica("tiny-0")
    async with gateway.session.post(gateway.url + "/v1/completions", data=raw) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_a_client_that_leaves_frees_its_place(gateway: Gateway) -> None:
    gateway.endpoint()
    engine = await gateway.replica("tiny-0")
    engine.gate.clear()
    task = asyncio.create_task(gateway.post(stream=True, max_tokens=50))
    await until(lambda: engine.in_flight == 1, "the engine got the request")
    task.cancel()
    await until(lambda: engine.abandoned == 1, "the engine saw the client leave")
    await until(lambda: gateway.directory.find("tiny").load.total == 0, "the place is free")


async def test_a_client_that_leaves_the_queue(gateway: Gateway) -> None:
    gateway.endpoint()
    task = asyncio.create_task(gateway.post())
    pool = gateway.directory.find("tiny")
    await until(lambda: pool.load.queued == 1, "the request waits")
    task.cancel()
    await until(lambda: pool.load.queued == 0, "the queue is empty")


@pytest.mark.parametrize("clients", [1, 2, 4])
async def test_replicas_share_the_work_of_few_clients(gateway: Gateway, clients: int) -> None:
    """Each client keeps its connection and asks again when it has its answer."""
    gateway.endpoint()
    engines = [await gateway.replica(f"tiny-{number}") for number in range(3)]

    async def client() -> None:
        for _ in range(12):
            assert (await gateway.post())[0] == 200

    await asyncio.gather(*(client() for _ in range(clients)))
    work = [len(engine.bodies) for engine in engines]
    assert sum(work) == 12 * clients
    assert max(work) <= 2 * min(work)


async def test_a_dead_replica_costs_nothing_before_the_first_byte(gateway: Gateway) -> None:
    gateway.endpoint()
    broken = await gateway.replica("tiny-0")
    broken.break_after = 0
    await gateway.replica("tiny-1")
    for stream in (False, True):
        status, _, headers = await gateway.post(stream=stream)
        assert (status, headers["x-mizzen-replica"]) == (200, "tiny-1")


async def test_a_replica_that_shuts_down_passes_its_requests_on(gateway: Gateway) -> None:
    gateway.endpoint()
    leaving = await gateway.replica("tiny-0")
    leaving.status = 503
    await gateway.replica("tiny-1")
    status, _, headers = await gateway.post()
    assert (status, headers["x-mizzen-replica"]) == (200, "tiny-1")


async def test_a_stream_that_breaks_says_so(gateway: Gateway) -> None:
    gateway.endpoint()
    engine = await gateway.replica("tiny-0")
    engine.break_after = 2
    status, raw, _ = await gateway.post(stream=True, max_tokens=5)
    assert status == 200
    events = [line for line in raw.split(b"\n\n") if line]
    assert orjson.loads(events[-1][6:])["error"]["code"] == "replica_failed"
    assert b"[DONE]" not in raw


async def test_a_stream_that_breaks_within_an_event_says_so_in_a_whole_one(
    gateway: Gateway,
) -> None:
    gateway.endpoint()
    engine = await gateway.replica("tiny-0")
    engine.break_after, engine.last_words = 2, b'data: {"id": "cmpl-1", "cho'
    status, raw, _ = await gateway.post(stream=True, max_tokens=5)
    assert status == 200
    events = [orjson.loads(line.removeprefix(b"data: ")) for line in raw.split(b"\n\n") if line]
    assert len(events) == 3
    assert events[-1]["error"]["code"] == "replica_failed"


async def test_what_broke_two_replicas_is_not_shown_to_a_third(gateway: Gateway) -> None:
    gateway.endpoint()
    engines = [await gateway.replica(f"tiny-{number}") for number in range(4)]
    for engine in engines:
        engine.break_after = 0
    for stream in (False, True):
        before = sum(len(engine.bodies) for engine in engines)
        status, body, _ = await gateway.post(stream=stream)
        assert (status, body["error"]["code"]) == (502, "replica_failed")
        assert sum(len(engine.bodies) for engine in engines) == before + 2


async def test_all_replicas_fail(gateway: Gateway) -> None:
    gateway.endpoint(queue={"maxLength": 4, "timeoutSeconds": 5})
    engine = await gateway.replica("tiny-0")
    engine.status = 503
    status, body, _ = await gateway.post()
    assert (status, body["error"]["code"]) == (502, "replica_failed")
    assert len(engine.bodies) == 4


async def test_an_engines_refusal_comes_through(gateway: Gateway) -> None:
    gateway.endpoint()
    engine = await gateway.replica("tiny-0")
    engine.status = 400
    status, body, _ = await gateway.post(stream=True)
    assert (status, body) == (400, {"error": {"message": "no"}})


async def test_holds_requests_until_a_replica_is_ready(gateway: Gateway) -> None:
    gateway.endpoint(replicas={"min": 0, "max": 2})
    task = asyncio.create_task(gateway.post())
    await until(lambda: gateway.client.demands, "the demand is written")
    assert gateway.client.demands[0]["replicas"] == 1
    await gateway.replica("tiny-0")
    assert (await task)[0] == 200


async def test_gives_up_waiting(gateway: Gateway) -> None:
    gateway.endpoint(queue={"maxLength": 4, "timeoutSeconds": 0})
    status, body, headers = await gateway.post()
    assert (status, body["error"]["code"]) == (429, "no_replica_ready")
    assert int(headers["Retry-After"]) >= 1


async def test_a_full_queue_is_refused(gateway: Gateway) -> None:
    gateway.endpoint(queue={"maxLength": 1, "timeoutSeconds": 30})
    waiting = asyncio.create_task(gateway.post())
    await until(lambda: gateway.directory.find("tiny").load.queued == 1, "one waits")
    status, body, headers = await gateway.post()
    assert (status, body["error"]["code"]) == (429, "queue_full")
    assert int(headers["Retry-After"]) >= 1
    await gateway.replica("tiny-0")
    assert (await waiting)[0] == 200


async def test_a_burst_tips_once_and_spreads_when_a_replica_comes(gateway: Gateway) -> None:
    gateway.endpoint(engine={"maxBatchSize": 4}, scaling={"targetConcurrency": 4})
    first = await gateway.replica("tiny-0")
    first.gate.clear()
    tasks = [asyncio.create_task(gateway.post()) for _ in range(8)]
    pool = gateway.directory.find("tiny")
    await until(lambda: pool.load.total == 8, "all requests arrived")
    await until(lambda: len(gateway.client.demands) == 1, "one write")
    demand = gateway.client.demands[0]
    assert demand["replicas"] == 2
    assert demand["cause"].startswith("5 requests in flight against 4 per replica; tipped by")
    await until(lambda: first.in_flight == 4, "the replica is full")
    second = await gateway.replica("tiny-1")
    answers = asyncio.as_completed(tasks)  # whichever arrived later
    assert [(await next(answers))[0] for _ in range(4)] == [200] * 4
    assert len(second.bodies) == 4
    assert first.in_flight_max == 4
    first.gate.set()
    assert [(await answer)[0] for answer in answers] == [200] * 4
    assert len(gateway.client.demands) == 1


async def test_demand_falls_after_its_delay(gateway: Gateway) -> None:
    gateway.endpoint(
        replicas={"min": 0, "max": 3},
        scaling={
            "targetConcurrency": 1,
            "scaleDownDelaySeconds": 0,
            "scaleToZeroDelaySeconds": 0,
        },
    )
    await gateway.replica("tiny-0")
    await gateway.post()
    await until(lambda: [d["replicas"] for d in gateway.client.demands][-1:] == [0], "falls to 0")


async def test_writes_are_retried_with_the_newest(gateway: Gateway) -> None:
    gateway.client.errors = [Conflict("stale"), Unavailable("down")]
    gateway.endpoint(replicas={"min": 0, "max": 3}, scaling={"targetConcurrency": 1})
    tasks = [asyncio.create_task(gateway.post()) for _ in range(3)]
    await until(lambda: gateway.client.demands, "written at last")
    assert gateway.client.demands[-1]["replicas"] == 3
    async with gateway.session.get(gateway.url + "/debug/decisions") as response:
        decision = (await response.json())["decisions"][-1]
    assert decision["attempts"] >= 2
    assert decision["arrived"] <= decision["decided"] <= decision["acknowledged"]
    for task in tasks:
        task.cancel()


async def test_a_deleted_endpoint_ends_the_wait(gateway: Gateway) -> None:
    gateway.client.errors = [NotFound("gone")]
    gateway.endpoint(replicas={"min": 0, "max": 1})
    task = asyncio.create_task(gateway.post())
    await until(lambda: not gateway.client.errors, "the write was tried")
    gateway.directory.on_endpoint("DELETED", None, endpoint_object())
    status, body, _ = await task
    assert (status, body["error"]["code"]) == (404, "model_not_found")


async def test_says_once_where_an_endpoint_is_served(gateway: Gateway) -> None:
    gateway.endpoint()
    await until(lambda: gateway.client.patches, "the url is written")
    assert gateway.client.patches[0].patch == {"status": {"url": "http://127.0.0.1:8080/v1"}}
    known = endpoint_object()
    known["status"] = {"url": "http://127.0.0.1:8080/v1"}
    gateway.directory.on_endpoint("MODIFIED", None, known)
    assert len(gateway.client.patches) == 1
    assert not gateway.client.demands


async def test_an_old_demand_falls_after_a_restart(gateway: Gateway) -> None:
    known = endpoint_object(scaling={"scaleDownDelaySeconds": 0})
    known["status"] = {"url": "http://127.0.0.1:8080/v1", "demand": {"replicas": 3}}
    gateway.directory.on_endpoint("ADDED", None, known)
    await until(lambda: gateway.client.demands, "the demand falls")
    assert [demand["replicas"] for demand in gateway.client.demands] == [1]


async def test_an_old_demand_stays_for_its_delay(gateway: Gateway) -> None:
    known = endpoint_object(scaling={"scaleDownDelaySeconds": 30})
    known["status"] = {"url": "http://127.0.0.1:8080/v1", "demand": {"replicas": 3}}
    gateway.directory.on_endpoint("ADDED", None, known)
    await gateway.replica("tiny-0")
    assert (await gateway.post())[0] == 200
    assert gateway.client.patches == []


async def test_a_deleted_endpoint_lets_running_requests_finish(gateway: Gateway) -> None:
    gateway.endpoint(scaling={"targetConcurrency": 1, "scaleDownDelaySeconds": 0})
    engine = await gateway.replica("tiny-0")
    engine.gate.clear()
    task = asyncio.create_task(gateway.post())
    await until(lambda: engine.in_flight == 1, "the engine got the request")
    gateway.directory.on_endpoint("DELETED", None, endpoint_object())
    engine.gate.set()
    assert (await task)[0] == 200
    assert gateway.client.demands == []
    assert (await gateway.post())[0] == 404


async def test_a_body_above_the_limit(gateway: Gateway) -> None:
    path = gateway.url + "/v1/completions"
    async with gateway.session.post(path, data=io.BytesIO(b" " * (9 << 20))) as response:
        assert response.status == 413
        assert "above 8388608 bytes" in (await response.json())["error"]["message"]
