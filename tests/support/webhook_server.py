"""A webhook that listens on this machine, by HTTPS, and answers what the test says."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home

Obj = dict[str, Any]


class Webhook:
    """`requests` are those it was asked, `client_config` is what a configuration says of it."""

    def __init__(self, answer: Callable[[Obj], Obj | bytes], ca: bytes) -> None:
        self.answer = answer
        self.requests: list[Obj] = []
        self.connections = 0
        self.serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.port = 0
        self._ca = ca

    @property
    def client_config(self) -> Obj:
        ca = base64.b64encode(self._ca).decode()
        return {"url": f"https://127.0.0.1:{self.port}/review", "caBundle": ca}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving[task] = writer
        task.add_done_callback(lambda task: self.serving.pop(task, None))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split()[0])
                request = json.loads(await reader.readexactly(length))["request"]
                self.requests.append(request)
                said = self.answer(request)
                body = said if isinstance(said, bytes) else review(request, said)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        writer.close()


def review(request: Obj, response: Obj) -> bytes:
    answer = {"uid": request["uid"], **response}
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
    ).encode()


def conversion(request: Obj, objects: list[Obj]) -> bytes:
    """The answer to a ConversionReview."""
    response = {
        "uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": objects,
    }  # fmt: skip
    return json.dumps(
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response}
    ).encode()


def json_patch(*operations: Obj) -> Obj:
    """An answer that allows and changes."""
    encoded = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


@contextlib.contextmanager
def webhook_in_thread(folder: Path, answer: Callable[[Obj], Obj | bytes]) -> Iterator[Webhook]:
    """The same for tests that wait for their answers without a loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = webhook(folder, answer)
    made = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(30)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@contextlib.asynccontextmanager
async def webhook(folder: Path, answer: Callable[[Obj], Obj | bytes]) -> AsyncGenerator[Webhook]:
    home = Home.locate(str(folder), {})
    home.make()
    files = pki.ensure(home, RealClock(), listen="127.0.0.1", port=1)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert_file, files.key_file)
    made = Webhook(answer, files.ca_file.read_bytes())
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        serving = list(made.serving)
        for writer in made.serving.values():
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)
