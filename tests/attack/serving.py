"""Prompts, clients and neighbours that wish a served model ill."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from attack.neighbours import as_stranger
from attack.stage import NAMESPACE, Answer, Attack, Stage
from mizzen.compose import settings
from mizzen.host import pki

ENDPOINTS = "/apis/mizzen.dev/v1alpha1/namespaces/default/modelendpoints"
MODEL = "attacked"
LEAVERS = 64
FIELDS = (
    "prompt", "max_tokens", "temperature", "top_p", "top_k", "n", "best_of", "seed", "stop",
    "stream", "stream_options", "logprobs", "logit_bias", "echo", "suffix", "user", "metadata",
    "presence_penalty", "response_format", "tools", "messages", "ignore_eos", "modalities",
    "reasoning_effort", "top_logprobs", "max_completion_tokens", "chat_template", "audio", "min_p",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 10**30, 0.5, -1e308, 1e-320, "", "0",
    "x" * 10_000, "\0", "\U0001f469\u200d\U0001f692", "</s>", [], [[]], [0], [258], [-1], [2**40],
    [True], ["a", "b"], {}, {"type": "json_object"}, {"include_usage": True}, [{}],
    [{"role": "user", "content": "a</s>"}], [{"role": "system"}], [{"role": "user", "content": []}],
)  # fmt: skip
NEIGHBOUR = """
place, path = sys.argv[1:]
body = b'{"model": "attacked", "prompt": "a"}'
line = socket.socket()
line.connect((place, 8000))
line.sendall(b"POST /v1/completions HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body))
line.sendall(body)
print(line.recv(100).split()[1].decode())
try:
    socket.socket(socket.AF_UNIX).connect(path)
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


def attacks(stage: Stage) -> Iterator[Attack]:
    if importlib.util.find_spec("gguf") is None or importlib.util.find_spec("openvino") is None:
        print("no engine here: nothing is served")
        return
    yield Attack("a model is served", lambda: _serve(stage))
    for name, value in (
        ("messages", [{"role": "user", "content": "a</s><s>"}]),
        ("prompt", "</s>"),
    ):
        yield Attack(f"control tokens in {name}", lambda n=name, v=value: _ask(stage, {n: v}))
    deep = b'{"model":"attacked","prompt":' + b"[" * 900 + b"]" * 900 + b"}"
    yield Attack("a prompt 900 lists deep", lambda: _judge(stage, stage.ask(_path(), deep)))
    yield Attack("a prompt of 7 MB", lambda: _ask(stage, {"prompt": "a" * 7_000_000}))
    yield Attack("5,000 messages", lambda: _ask(stage, {"messages": [_message()] * 5000}))
    begun = [{"role": "user", "content": "<" * 4_000_000}]
    yield Attack("4 MB of what control tokens begin with", lambda: _ask(stage, {"messages": begun}))
    yield Attack("clients that leave", lambda: _leave(stage))
    yield Attack("a pod with a replica's label", lambda: _impostor(stage))
    yield Attack("a model of arrays within arrays", lambda: _hostile_model(stage))
    if os.geteuid() == 0:
        yield Attack("a neighbour asks the replica", lambda: _neighbour(stage))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    number = 0
    while True:
        number += 1
        names = chance.sample(FIELDS, chance.randint(1, 4))
        fields = {name: chance.choice(VALUES) for name in names}
        yield Attack(f"generated {number}", lambda fields=fields: _ask(stage, fields))


def _path(fields: dict[str, Any] | None = None) -> str:
    return "/v1/chat/completions" if fields and "messages" in fields else "/v1/completions"


def _message() -> dict[str, str]:
    return {"role": "user", "content": "a"}


def _serve(stage: Stage) -> None:
    from support.tiny_gguf import write_tiny_gguf

    path = Path(stage.home.root) / "attacked.gguf"
    write_tiny_gguf(path, context=512)
    spec = {"model": {"path": str(path)}, "replicas": {"min": 1, "max": 1}}
    made = stage.request("POST", ENDPOINTS, {"metadata": {"name": MODEL}, "spec": spec})
    assert made.status in (201, 409), made.said
    stage.until(lambda: _normal(stage).status == 200, "the model to be served", 90)


def _normal(stage: Stage) -> Answer:
    return stage.ask(_path(), {"model": MODEL, "prompt": "a", "max_tokens": 1})


def _ask(stage: Stage, fields: dict[str, Any]) -> None:
    body = {"model": MODEL, "max_tokens": 4, **fields}
    if "messages" not in body and "prompt" not in body:
        body["prompt"] = "a"
    _judge(stage, stage.ask(_path(body), json.dumps(body).encode()))


def _judge(stage: Stage, answer: Answer) -> None:
    """A refusal is OpenAI's, and nobody else suffers."""
    if answer.status == 404:
        return  # this family's model is not served in this run
    assert answer.status in (200, 400, 413), answer.said
    if answer.status != 200:
        assert answer.json["error"]["message"], answer.said
    after = _normal(stage)
    assert after.status == 200, f"then an ordinary request: {after.said}"
    restarts = stage.pod(f"{MODEL}-0")["status"]["containerStatuses"][0]["restartCount"]
    assert restarts == 0, f"the replica was restarted {restarts} times"


def _leave(stage: Stage) -> None:
    """Clients that ask for long answers and hang up, at once or half-way."""
    key = pki.load_api_keys(stage.home)[0]
    address = ("127.0.0.1", settings.load(stage.home).gateway_port)
    for number in range(LEAVERS):
        fields = {"model": MODEL, "prompt": "a", "max_tokens": 400, "ignore_eos": True}
        body = json.dumps({**fields, "stream": number % 2 == 0}).encode()
        head = f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
        with socket.create_connection(address, 10) as client:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            if number % 4 == 0:
                client.recv(1)

    def quiet() -> bool:
        page = stage.ask("/metrics", key=None).body.decode()
        counts = [line for line in page.splitlines() if "requests_in_flight{" in line]
        return all(line.endswith(" 0") for line in counts)

    stage.until(quiet, "no request to be in flight", 10)
    _judge(stage, _normal(stage))


def _impostor(stage: Stage) -> None:
    """What carries a replica's label, without being one, gets no request."""
    name = "impostor"
    pod = {
        "metadata": {"name": name, "labels": {"mizzen.dev/endpoint": MODEL}},
        "spec": {
            "containers": [
                {"name": "c", "image": "mizzen.dev/python", "command": ["/bin/sleep", "100"]}
            ]
        },
    }
    made = stage.request("POST", f"{NAMESPACE}/pods", pod)
    assert made.status == 201, made.said
    stage.until(lambda: stage.pod(name)["status"].get("phase") == "Running", "the impostor")
    for _ in range(10):
        answer = _normal(stage)
        assert answer.status in (200, 404), answer.said
        assert ("x-mizzen-replica", name) not in answer.headers
    stage.delete(f"{NAMESPACE}/pods/{name}")


def _hostile_model(stage: Stage) -> None:
    """A file that would break who reads it is named as the reason."""
    path = Path(stage.home.root) / "hostile.gguf"
    nested = struct.pack("<Q", 1) + b"a" + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 100_000
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + nested)
    body = {"metadata": {"name": "hostile"}, "spec": {"model": {"path": str(path)}}}
    made = stage.request("POST", ENDPOINTS, body)
    assert made.status == 201, made.said

    def told() -> bool:
        status = stage.request("GET", f"{ENDPOINTS}/hostile").json.get("status") or {}
        return any(c["reason"] == "InvalidModel" for c in status.get("conditions") or ())

    stage.until(told, "InvalidModel", 60)
    stage.delete(f"{ENDPOINTS}/hostile")


def _neighbour(stage: Stage) -> None:
    pod = stage.request("GET", f"{NAMESPACE}/pods/{MODEL}-0").json
    path = str(stage.home.serving / f"{pod['metadata']['uid']}.sock")
    said = as_stranger(NEIGHBOUR, pod["status"]["podIP"], path)
    assert said.split() == ["403", "PermissionError"], said
