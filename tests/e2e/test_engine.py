"""The engine as a client meets it: a real process, a real model, the unmodified openai client."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from mizzen.base.ring import Interval, Ring
from mizzen.base.segment import Line
from support.engine_process import EngineProcess, engine_process
from support.tiny_gguf import write_tiny_gguf
from support.waiting import until

BATCH = 4
LONG: dict[str, Any] = {"ignore_eos": True}  # random weights may say the end token at any time
F32 = ("--property", "INFERENCE_PRECISION_HINT=f32", "--property", "KV_CACHE_PRECISION=f32")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    return write_tiny_gguf(path, width=128, layers=4, context=2048)


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[EngineProcess]:
    with engine_process(model, "--max-batch-size", str(BATCH), *F32) as process:
        process.wait_until_healthy()
        yield process


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder whose sockets' paths are short enough."""
    with tempfile.TemporaryDirectory(prefix="mizzen-") as folder:
        yield Path(folder)


@pytest.fixture
def client(engine: EngineProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{engine.url}/v1", api_key="none", max_retries=0, timeout=60
    ) as client:
        yield client


@pytest.fixture
async def aclient(engine: EngineProcess) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{engine.url}/v1", api_key="none", max_retries=0, timeout=60
    ) as client:
        yield client


def complete(client: openai.OpenAI, **fields: Any) -> Any:
    body: dict[str, Any] = {"model": "tiny", "prompt": "Hello", "max_tokens": 12, "temperature": 0}
    return client.completions.create(**{**body, **fields})


def test_completion_chat_and_models(client: openai.OpenAI) -> None:
    answer = complete(client, extra_body=LONG)
    assert answer.choices[0].finish_reason == "length"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 12)
    chat = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "hi"}],
        max_completion_tokens=7,
        extra_body=LONG,
    )
    assert chat.choices[0].message.role == "assistant"
    assert chat.usage is not None
    assert chat.usage.completion_tokens == 7
    assert [card.id for card in client.models.list()] == ["tiny"]


def test_a_stream_says_the_same_as_the_whole(client: openai.OpenAI) -> None:
    whole = complete(client, max_tokens=40, extra_body=LONG)
    chunks = list(
        complete(
            client,
            max_tokens=40,
            stream=True,
            stream_options={"include_usage": True},
            extra_body=LONG,
        )
    )
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == 40


def test_chat_stream_begins_with_the_role(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "hi"}],
        max_tokens=5,
        stream=True,
        extra_body=LONG,
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "length"


def test_seed_repeats_and_temperature_varies(client: openai.OpenAI) -> None:
    def say(seed: int | None) -> str:
        answer = complete(client, temperature=1.0, seed=seed, max_tokens=24, extra_body=LONG)
        return answer.choices[0].text

    assert say(7) == say(7)
    assert say(None) != say(None)


def test_stop_ends_before_the_sequence(client: openai.OpenAI) -> None:
    text = complete(client, max_tokens=40, extra_body=LONG).choices[0].text
    stop = text[10:12]
    answer = complete(client, max_tokens=40, stop=[stop], extra_body=LONG)
    assert answer.choices[0].text == text[: text.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


async def test_a_request_joins_the_batch_mid_flight(
    engine: EngineProcess, aclient: openai.AsyncOpenAI
) -> None:
    first = await aclient.completions.create(
        model="tiny", prompt="first", max_tokens=1500, stream=True, extra_body=LONG
    )
    seen = 0
    events = aiter(first)
    await anext(events)
    second = await aclient.completions.create(
        model="tiny", prompt="second", max_tokens=3, stream=True, extra_body=LONG
    )
    joined = [chunk async for chunk in second]
    assert joined[-1].choices[0].finish_reason == "length"
    assert await asyncio.to_thread(engine.metric, "vllm:num_requests_running") == 1
    async for chunk in events:
        seen += 1
        if chunk.choices[0].finish_reason:
            break
    assert seen > 10


@pytest.mark.parametrize("way", ["disconnect", "delete"])
async def test_a_cancelled_stream_frees_its_slot(
    engine: EngineProcess, aclient: openai.AsyncOpenAI, way: str
) -> None:
    generated = "vllm:generation_tokens_total"
    before = await asyncio.to_thread(engine.metric, generated)
    stream = await aclient.completions.create(
        model="tiny", prompt="endless", max_tokens=2000, stream=True, extra_body=LONG
    )
    chunk = await anext(aiter(stream))
    assert await asyncio.to_thread(engine.metric, "vllm:num_requests_running") == 1
    if way == "disconnect":
        await stream.close()
    else:
        async with aiohttp.ClientSession() as http:
            answer = await http.delete(f"{engine.url}/v1/completions/{chunk.id}")
        assert answer.status == 200
    await until(lambda: engine.metric("vllm:num_requests_running") == 0, "the slot is free")
    assert await asyncio.to_thread(engine.metric, generated) - before < 2000
    await stream.close()


async def test_more_than_the_batch_wait(engine: EngineProcess, aclient: openai.AsyncOpenAI) -> None:
    async def say(number: int) -> Any:
        return await aclient.completions.create(
            model="tiny", prompt=f"number {number}", max_tokens=60, extra_body=LONG
        )

    tasks = [asyncio.create_task(say(number)) for number in range(2 * BATCH)]
    answers = await asyncio.gather(*tasks)
    assert {answer.usage.completion_tokens for answer in answers} == {60}
    assert engine.metric("vllm:num_requests_waiting") == 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"prompt": "x" * 3000}, "maximum context length is 2048 tokens"),
        ({"stop": ["x"] * 10_000}, "10000 sequences, at most 4"),
        ({"n": 2}, "the only value this engine supports"),
        ({"logprobs": 1}, "logprobs"),
        ({"prompt": [9999]}, "a token id is outside 0 to"),
    ],
)
def test_bad_requests(client: openai.OpenAI, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, **fields)
    assert says in str(caught.value)
    assert complete(client, max_tokens=1).choices


async def test_bad_bodies_and_paths(engine: EngineProcess) -> None:
    path = f"{engine.url}/v1/completions"
    other = {"model": "other", "prompt": "x"}
    async with aiohttp.ClientSession() as http:
        broken = await (await http.post(path, data=b'{"model":')).json()
        large = await http.post(path, data=io.BytesIO(b" " * (9 << 20)))
        assert "above" in (await large.json())["error"]["message"]
        missing = await (await http.get(f"{engine.url}/nothing")).json()
        unknown = await (await http.post(path, json=other)).json()
    assert broken["error"]["code"] == "invalid_json"
    assert large.status == 413
    assert missing["error"]["type"] == "not_found_error"
    assert unknown["error"]["code"] == "model_not_found"


def test_idle_costs_nothing(engine: EngineProcess) -> None:
    def cpu_ticks() -> int:
        fields = Path(f"/proc/{engine.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before, began = cpu_ticks(), time.monotonic()
    while time.monotonic() - began < 1.0:
        time.sleep(0.2)
    assert cpu_ticks() - before <= 2  # of 100 a second


def test_sigterm_finishes_what_runs_and_the_ledger_touches(model: Path, tmp_path: Path) -> None:
    rank_file = tmp_path / "rank"
    with (
        engine_process(model, "--max-batch-size", "2", rank_file=rank_file) as process,
        openai.OpenAI(base_url=f"{process.url}/v1", api_key="none", max_retries=0) as client,
    ):
        process.wait_until_healthy()
        stream = complete(client, max_tokens=600, stream=True, extra_body=LONG)
        next(iter(stream))
        process.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 60
        while process.is_healthy():
            assert time.monotonic() < deadline
        assert list(stream)[-1].choices[0].finish_reason == "length"
        assert process.process.wait(60) == 0
    found = intervals(rank_file)
    lines = [interval.line for interval in found]
    assert lines[0] == Line.STARTING
    assert {Line.SERVING_BUSY, Line.SERVING_IDLE} <= set(lines)
    assert all(one.end == two.start for one, two in pairwise(found))


def intervals(rank_file: Path) -> list[Interval]:
    found, _, lost = Ring(memoryview(bytearray(rank_file.read_bytes()))).read(0)
    assert lost == 0
    return found


def test_busy_is_no_longer_than_the_request(model: Path, tmp_path: Path) -> None:
    rank_file = tmp_path / "rank"
    with (
        engine_process(model, rank_file=rank_file) as process,
        openai.OpenAI(base_url=f"{process.url}/v1", api_key="none", max_retries=0) as client,
    ):
        process.wait_until_healthy()
        began = time.monotonic_ns()
        complete(client, max_tokens=50, extra_body=LONG)
        deadline = time.monotonic() + 60
        while Line.SERVING_BUSY not in [i.line for i in intervals(rank_file)]:
            assert time.monotonic() < deadline
        took = time.monotonic_ns() - began  # the engine may note the end after its client has it
    busy = [i.end - i.start for i in intervals(rank_file) if i.line == Line.SERVING_BUSY]
    assert 0 < sum(busy) <= took


def test_wrong_settings_are_one_line(model: Path) -> None:
    for arguments, says in (
        (("--property", "INFERENCE_PRECISION_HINT=f7"), "cannot be loaded: "),
        (("--property", "nonsense"), "write KEY=VALUE"),
        (("--context-length", "99999"), "above the model's 2048"),
    ):
        command = [sys.executable, "-m", "mizzen.engine", "--model", str(model), "--port", "0"]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (1, 2)
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_taken_port_is_one_line(engine: EngineProcess, model: Path) -> None:
    port = engine.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "mizzen.engine", "--model", str(model), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == f"127.0.0.1:{port} cannot be listened on: Address already in use\n"


@pytest.mark.parametrize("damage", ["absent", "cut", "noise"])
def test_a_model_that_cannot_be_loaded(model: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.gguf"
    if damage == "cut":
        path.write_bytes(model.read_bytes()[:200_000])
    elif damage == "noise":
        path.write_bytes(b"\x00" * 4096)
    command = [sys.executable, "-m", "mizzen.engine", "--model", str(path), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f'model "{path}" cannot be loaded: ')
    assert len(done.stderr.splitlines()) == 1


async def test_with_a_socket_prompts_come_that_way_only(model: Path, short_dir: Path) -> None:
    socket = short_dir / "tiny.sock"
    prompt = {"model": "tiny", "prompt": "a", "max_tokens": 2, **LONG}
    with engine_process(model, socket=socket) as engine:
        engine.wait_until_healthy()
        assert "vllm:num_requests_running" in engine.get("/metrics")
        async with aiohttp.ClientSession() as session:
            for path in ("/v1/completions", "/v1/chat/completions", "/v1/models"):
                async with session.post(engine.url + path, json=prompt) as answer:
                    assert answer.status == 403, path
                    assert "its gateway only" in (await answer.json())["error"]["message"]
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.post("http://replica/v1/completions", json=prompt) as answer,
        ):
            assert answer.status == 200
            assert (await answer.json())["usage"]["completion_tokens"] == 2


async def test_with_a_socket_a_stranger_on_its_address_is_no_hindrance(
    engine: EngineProcess, model: Path, short_dir: Path
) -> None:
    socket = short_dir / "tiny.sock"
    port = int(engine.url.rpartition(":")[2])
    with engine_process(model, port=port, socket=socket) as second:
        assert second.process.stderr is not None
        assert "metrics are not to be had there" in second.process.stderr.readline()
        assert second.process.stderr.readline() == "ready\n"
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.get("http://replica/health") as answer,
        ):
            assert answer.status == 200


def test_one_core_is_enough(model: Path) -> None:
    """As in a replica that holds one core: a library that cannot run on it must not be let try."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        with engine_process(model) as process:
            process.wait_until_healthy()
    finally:
        os.sched_setaffinity(0, before)
