"""What clients send and do to an engine: odd limits, odd texts, streams that they leave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson
import pytest

from support.engine_process import EngineProcess, engine_process
from support.tiny_gguf import write_tiny_gguf
from support.waiting import until

CONTEXT = 256
BATCH = 4
Asked = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_gguf(path, width=128, layers=4, context=CONTEXT)
    with engine_process(path, "--max-batch-size", str(BATCH)) as process:
        process.wait_until_healthy()
        yield process


@pytest.fixture
async def http(engine: EngineProcess) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(engine.url) as session:
        yield session


async def ask(http: aiohttp.ClientSession, path: str = "completions", **fields: Any) -> Asked:
    body = {"model": "tiny", **fields}
    async with http.post(f"/v1/{path}", json=body) as answer:
        return answer.status, await answer.json()


async def stream(
    http: aiohttp.ClientSession, path: str = "completions", **fields: Any
) -> list[dict[str, Any]]:
    """The chunks of a stream, each of them JSON in UTF-8, up to [DONE]."""
    body = {"model": "tiny", "stream": True, **fields}
    async with http.post(f"/v1/{path}", json=body) as answer:
        assert answer.status == 200, await answer.text()
        events = (await answer.read()).split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    return [orjson.loads(event.removeprefix(b"data: ")) for event in events[:-2]]


async def stays_well(http: aiohttp.ClientSession) -> None:
    status, answer = await ask(http, prompt="hi", max_tokens=2, ignore_eos=True)
    assert (status, answer["usage"]["completion_tokens"]) == (200, 2)


async def test_streams_say_what_whole_answers_say(http: aiohttp.ClientSession) -> None:
    for seed in range(24):
        fields: dict[str, Any] = {
            "prompt": f"\U0001f469 number {seed}", "max_tokens": 1 + seed % 12, "seed": seed,
            "temperature": 1.5,
        }  # fmt: skip
        _, whole = await ask(http, **fields)
        chunks = await stream(http, **fields)
        said = "".join(chunk["choices"][0]["text"] for chunk in chunks)
        assert said == whole["choices"][0]["text"], seed


@pytest.mark.parametrize("path", ["completions", "chat/completions"])
@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_usage": True}])
@pytest.mark.parametrize("ends", ["at the first token", "by a stop sequence", "later"])
async def test_the_shape_of_a_stream(
    http: aiohttp.ClientSession, path: str, options: dict[str, bool] | None, ends: str
) -> None:
    prompt: dict[str, Any] = {"prompt": "ab"}
    if path.startswith("chat"):
        prompt = {"messages": [{"role": "user", "content": "ab"}]}
    fields: dict[str, Any] = {**prompt, "temperature": 0, "ignore_eos": True, "max_tokens": 6}
    if ends == "at the first token":
        fields["max_tokens"] = 1
    _, whole = await ask(http, path, **fields)
    text = whole["choices"][0].get("text") or whole["choices"][0].get("message", {}).get("content")
    if ends == "by a stop sequence":
        if not text:
            return
        fields["stop"] = text[0]
        _, whole = await ask(http, path, **fields)
    chunks = await stream(http, path, **fields, stream_options=options)
    asked = bool(options and options.get("include_usage"))
    if asked:
        last = chunks.pop()
        assert (last["choices"], last["usage"]) == ([], whole["usage"])
        assert all(chunk["usage"] is None for chunk in chunks)
    else:
        assert not any("usage" in chunk for chunk in chunks)
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    finished = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert finished[:-1] == [None] * (len(finished) - 1)
    assert finished[-1] == whole["choices"][0]["finish_reason"]
    if path.startswith("chat"):
        assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("length", [CONTEXT - 1, CONTEXT, CONTEXT + 1])
@pytest.mark.parametrize("max_tokens", [None, 1, CONTEXT, 2**31, 2**63 - 1])
async def test_prompts_at_the_limit(
    http: aiohttp.ClientSession, length: int, max_tokens: int | None
) -> None:
    fields = {"prompt": "a" * length, "max_tokens": max_tokens, "ignore_eos": True}
    status, answer = await ask(http, **fields)
    if length < CONTEXT:
        assert (status, answer["usage"]["total_tokens"]) == (200, CONTEXT)
    else:
        assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")
        assert answer["error"]["message"].startswith("This model's maximum context length is")
    await stays_well(http)


@pytest.mark.parametrize(
    "fields",
    [
        *({"max_tokens": value} for value in (0, -1, 1.5, "5", True)),
        *({"prompt": value} for value in ("", [], [""], [[]], [-1], [259 + 10**6], [2**40],
                                          [True, False], ["a", "b"], [[1], [2]], {"a": 1})),
        {"logprobs": 0}, {"n": 0}, {"temperature": "0"}, {"seed": 2**63},
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(
    http: aiohttp.ClientSession, fields: dict[str, Any]
) -> None:
    status, answer = await ask(http, **{"prompt": "a", **fields})
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"
    await stays_well(http)


@pytest.mark.parametrize("text", ["\0", "\U0001f469\u200d" * 20, "\ufeff", "a\u0300" * 50])
async def test_odd_characters_are_characters(http: aiohttp.ClientSession, text: str) -> None:
    status, answer = await ask(http, prompt=text, max_tokens=1)
    assert (status, answer["usage"]["prompt_tokens"]) == (200, len(text.encode()))


async def test_clients_that_leave_free_their_places(
    engine: EngineProcess, http: aiohttp.ClientSession
) -> None:
    def running() -> float:
        return engine.metric("vllm:num_requests_running") + engine.metric(
            "vllm:num_requests_waiting"
        )

    async def leave(number: int) -> None:
        fields = {"prompt": "a", "ignore_eos": True, "stream": number % 2 == 0}
        task = asyncio.create_task(ask(http, **fields, max_tokens=CONTEXT - 2))
        await asyncio.sleep(0.002 * (number % 8))  # some leave before, some amid their answer
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(3):
        await asyncio.gather(*(leave(number) for number in range(4 * BATCH)))
    await until(lambda: running() == 0, "nothing runs or waits", 5)
    await stays_well(http)


@pytest.mark.parametrize("streams", [True, False])
async def test_a_client_that_ends_its_half_gets_its_answer(
    engine: EngineProcess, streams: bool
) -> None:
    body = orjson.dumps(
        {"model": "tiny", "prompt": "a", "max_tokens": 99, "ignore_eos": True, "stream": streams}
    )
    host, port = engine.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    assert b" 200 OK" in answer
    assert b'"finish_reason":"length"' in answer


async def test_a_slow_reader_delays_nobody(
    engine: EngineProcess, http: aiohttp.ClientSession
) -> None:
    host, port = engine.url.removeprefix("http://").split(":")
    body = b'{"model":"tiny","prompt":"a","max_tokens":250,"ignore_eos":true,"stream":true}'
    head = f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        slow.connect((host, int(port)))
        slow.sendall(head.encode() + body)
        slow.recv(1)
        for _ in range(3):
            async with asyncio.timeout(10):
                await stays_well(http)
