"""OpenAI's HTTP API over the worker."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import orjson
from aiohttp import web

from mizzen.base.exposition import CONTENT_TYPE, MetricsRegistry
from mizzen.base.openai import OpenAIError, read_json, refused_by_http, shown
from mizzen.engine.backend import BackendError, Tokenizer
from mizzen.engine.core.replies import Reply, Usage
from mizzen.engine.core.requests import Request, TooLong, parse_chat, parse_completion
from mizzen.engine.metrics import EngineMetrics, collect_doors
from mizzen.engine.model import ModelFile
from mizzen.engine.worker import Job, Piece, Worker
from mizzen.host.bodies import Bodies
from mizzen.host.door import Door
from mizzen.host.process_metrics import collect_process

BODY_BYTES_MAX = 8 << 20
STUCK_S = 120.0  # requests run and no step is completed: the process is to be begun anew
WAITING_MAX = 1024  # requests that may wait for a place in the batch
_SSE = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class _Call:
    """One request in flight: where its pieces arrive, and when it did (monotonic seconds)."""

    job: Job
    request: Request
    reply: Reply
    arrived: float
    pieces: asyncio.Queue[Piece] = field(default_factory=asyncio.Queue[Piece])


class EngineServer:
    """Routes, request checks and answers. `worker` is attached before it serves."""

    def __init__(self, name: str, model: ModelFile) -> None:
        self._name = name
        self._model = model
        self._metrics = EngineMetrics(name)
        self._bodies = Bodies(BODY_BYTES_MAX)
        self.doors: list[Door] = []  # the addresses it is served at
        self._registry = MetricsRegistry(
            lambda page: self._metrics.collect(self.worker, page),
            partial(collect_doors, self._bodies.statistics, self.doors),
            collect_process,
        )
        self._calls: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._seen_steps, self._seen_s = -1, 0.0
        self._next = 1  # 0 was the warm-up
        self._created = int(time.time())
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._encodes = asyncio.Lock()  # held while its thread has a text
        self._no_calls = asyncio.Event()
        self._no_calls.set()
        self.worker: Worker
        self.loaded = False
        self.draining = False

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[answer_errors])
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/readyz", self._health),
                web.get("/livez", self._livez),
                web.get("/metrics", self._show_metrics),
                web.get("/v1/models", self._models),
                web.get("/v1/models/{name:.+}", self._show_model),
                web.post("/v1/completions", self._completion),
                web.post("/v1/chat/completions", self._chat),
                web.delete("/v1/completions/{id}", self._cancel),
                web.delete("/v1/chat/completions/{id}", self._cancel),
            ]
        )
        return app

    def open_app(self) -> web.Application:
        """The routes open to any user of the machine: health and metrics."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[answer_errors])
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/readyz", self._health),
                web.get("/livez", self._livez),
                web.get("/metrics", self._show_metrics),
                web.route("*", "/{rest:.*}", _refuse_to_strangers),
            ]
        )
        return app

    def deliver(self, pieces: list[Piece], done: Callable[[], None]) -> None:
        """Hands pieces to their calls; `done` comes after those had their turn in the loop."""
        for piece in pieces:
            call = self._calls.get(piece.job)
            if call is not None:
                call.pieces.put_nowait(piece)
        asyncio.get_running_loop().call_soon(done)

    async def wait_until_quiet(self) -> None:
        """Returns once no request is in flight."""
        await self._no_calls.wait()

    def cancel_all(self) -> None:
        for call in list(self._calls.values()):
            self._stop(call)

    # -- small routes --------------------------------------------------------------------

    async def _health(self, _: web.Request) -> web.Response:
        if self.draining:
            raise _shutting_down()
        if not self.loaded:
            raise OpenAIError(503, "the model is still loading", code="loading", retry_after_s=1)
        return web.Response(text="ok\n")

    async def _livez(self, _: web.Request) -> web.Response:
        """200 unless no step completes while requests run; a model that still loads is alive."""
        stuck_s = self.stuck_s(time.monotonic())
        if stuck_s > STUCK_S:
            raise OpenAIError(503, f"the engine has completed no step for {stuck_s:.0f} s")
        return web.Response(text="ok\n")

    def stuck_s(self, now_s: float) -> float:
        """For how long requests run without a step, as far as the calls of this show."""
        steps = self.worker.steps
        if not self.worker.running or steps != self._seen_steps:
            self._seen_steps, self._seen_s = steps, now_s
        return now_s - self._seen_s

    async def _show_metrics(self, _: web.Request) -> web.Response:
        body = self._registry.render().encode()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def _models(self, _: web.Request) -> web.Response:
        return _json({"object": "list", "data": [self._card()]})

    async def _show_model(self, request: web.Request) -> web.Response:
        self._check_model(request.match_info["name"])
        return _json(self._card())

    def _card(self) -> dict[str, object]:
        return {
            "id": self._name,
            "object": "model",
            "created": self._created,
            "owned_by": "mizzen",
            "root": self._model.path.name,
            "max_model_len": self._model.context_length,
        }

    async def _cancel(self, request: web.Request) -> web.Response:
        call = self._by_id.get(request.match_info["id"])
        if call is None:
            raise OpenAIError(404, f'no request "{request.match_info["id"]}" is in flight')
        self._stop(call)
        return _json({"id": call.reply.id, "object": "response", "cancelled": True})

    def _stop(self, call: _Call) -> None:
        self.worker.cancel(call.job.number)
        call.pieces.put_nowait(Piece(call.job.number, "", 0, "cancelled"))

    # -- generation ------------------------------------------------------------------------

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=True)

    async def _completion(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=False)

    async def _generate(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        arrived = time.monotonic()
        async with self._bodies.of(request) as raw:
            parse = parse_chat if chat else parse_completion
            return await self._answer(request, parse(read_json(raw)), arrived)

    async def _answer(
        self, request: web.Request, parsed: Request, arrived: float
    ) -> web.StreamResponse:
        if self.draining:
            raise _shutting_down()
        if not self.loaded:
            raise OpenAIError(503, "the model is still loading", code="loading", retry_after_s=1)
        self._check_model(parsed.model)
        tokens = await self._tokens(parsed)
        call = self._admit(parsed, tokens, arrived, request.headers.get("X-Request-Id", ""))
        try:
            if parsed.stream:
                return await self._stream(request, call)
            return await self._whole(call)
        finally:
            self._forget(call)

    async def _tokens(self, parsed: Request) -> list[int]:
        """The prompt's token ids; errors: OpenAIError 400 when it does not fit."""
        assert self.worker.loaded is not None, "it says so"
        tokenizer = self.worker.loaded.tokenizer
        where = "messages" if parsed.chat else "prompt"
        if parsed.tokens:
            tokens = list(parsed.tokens)
            if not all(0 <= token < tokenizer.vocabulary_size for token in tokens):
                limit = tokenizer.vocabulary_size - 1
                raise OpenAIError(400, f"prompt: a token id is outside 0 to {limit}", param=where)
        else:
            try:
                tokens = await self._encode(tokenizer, parsed)
            except TooLong as error:
                raise self._too_long(where, f"at least {error.at_least}") from error
            except BackendError as error:
                raise OpenAIError(400, f"{where}: {error}", param=where) from error
        if not tokens:
            raise OpenAIError(400, f"{where}: has no tokens", param=where)
        if len(tokens) >= self._model.context_length:
            raise self._too_long(where, str(len(tokens)))
        return tokens

    async def _encode(self, tokenizer: Tokenizer, parsed: Request) -> list[int]:
        """Texts wait here for their turn, not in the thread's queue, which would keep those of
        clients that have left."""
        await self._encodes.acquire()
        work = asyncio.get_running_loop().run_in_executor(self._encoder, _encode, tokenizer, parsed)
        work.add_done_callback(lambda _: self._encodes.release())
        return await asyncio.shield(work)

    def _too_long(self, where: str, count: str) -> OpenAIError:
        """OpenAI's first words: clients look for them to choose a model with more context."""
        return OpenAIError(
            400,
            f"This model's maximum context length is {self._model.context_length} tokens, answer "
            f"included, but {where} has {count}; shorten it",
            param=where,
            code="context_length_exceeded",
        )

    def _admit(self, parsed: Request, tokens: list[int], arrived: float, request_id: str) -> _Call:
        if self.worker.waiting >= WAITING_MAX:
            raise OpenAIError(
                429, f"{self.worker.waiting} requests wait already", code="queue_full",
                retry_after_s=1,
            )  # fmt: skip
        room = self._model.context_length - len(tokens)
        wanted = parsed.sampling.max_tokens
        job = Job(
            self._next, tokens, parsed.sampling, room if wanted is None else min(wanted, room)
        )
        self._next += 1
        prefix = "chatcmpl-" if parsed.chat else "cmpl-"
        reply = Reply(prefix + uuid.uuid4().hex, self._name, int(time.time()), parsed.chat)
        call = _Call(job, parsed, reply, arrived)
        self._calls[job.number] = call
        self._by_id[reply.id] = call
        if request_id:
            self._by_id[request_id] = call
        self._no_calls.clear()
        self.worker.submit(job)
        return call

    def _forget(self, call: _Call) -> None:
        """Ends the bookkeeping; frees the slot when the client left before the end."""
        self.worker.cancel(call.job.number)
        del self._calls[call.job.number]
        for key in [key for key, value in self._by_id.items() if value is call]:
            del self._by_id[key]
        if not self._calls:
            self._no_calls.set()

    async def _pieces(self, call: _Call) -> AsyncIterator[Piece]:
        """The answer piece by piece, counted; raises OpenAIError when it broke off."""
        first = True
        while True:
            piece = await call.pieces.get()
            if first and piece.tokens:
                first = False
                waited = time.monotonic() - call.arrived
                self._metrics.first_token(waited, len(call.job.tokens))
            self._metrics.tokens(piece.tokens)
            if piece.finish_reason in ("error", "cancelled"):
                self._metrics.finished("abort", time.monotonic() - call.arrived)
                if piece.finish_reason == "cancelled" and self.draining:
                    raise _shutting_down()  # of which the gateway spares the client
                if piece.finish_reason == "cancelled":
                    raise OpenAIError(499, "the request was cancelled", code="cancelled")
                raise OpenAIError(500, "the engine could not go on with this request")
            if piece.finish_reason:
                self._metrics.finished(piece.finish_reason, time.monotonic() - call.arrived)
            yield piece
            if piece.finish_reason:
                return

    async def _whole(self, call: _Call) -> web.Response:
        texts: list[str] = []
        count, reason = 0, ""
        async for piece in self._pieces(call):
            texts.append(piece.text)
            count += piece.tokens
            reason = piece.finish_reason
        usage = Usage(len(call.job.tokens), count)
        return _json(call.reply.whole("".join(texts), reason, usage))

    async def _stream(self, request: web.Request, call: _Call) -> web.StreamResponse:
        """Server-sent events; the status line waits for the first token, so that a request
        that fails at once gets a true status code."""
        reply, with_usage = call.reply, call.request.include_usage
        response = web.StreamResponse(headers=_SSE)
        count = 0
        try:
            async for piece in self._pieces(call):
                chunks: list[object] = []
                if not response.prepared:
                    await response.prepare(request)
                    opening = reply.opening(with_usage)
                    chunks += [opening] if opening else []
                count += piece.tokens
                if piece.text:
                    chunks.append(reply.delta(piece.text, with_usage))
                if piece.finish_reason:
                    chunks.append(reply.closing(piece.finish_reason, with_usage))
                    if with_usage:
                        usage = Usage(len(call.job.tokens), count)
                        chunks.append(reply.usage_chunk(usage))
                if chunks:
                    await response.write(b"".join(_event(chunk) for chunk in chunks))
        except OpenAIError as error:
            if not response.prepared:
                raise
            await response.write(_event(error.body()))
            return response
        await response.write(b"data: [DONE]\n\n")
        return response

    def _check_model(self, name: str) -> None:
        if name != self._name:
            raise OpenAIError(
                404,
                f'the model "{shown(name)}" does not exist; this engine serves "{self._name}"',
                param="model",
                code="model_not_found",
            )


def _shutting_down() -> OpenAIError:
    return OpenAIError(503, "the engine is shutting down", code="shutting_down")


async def _refuse_to_strangers(_: web.Request) -> web.StreamResponse:
    raise OpenAIError(
        403, "a replica answers to its gateway only; ask the gateway, with an API key"
    )


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal in OpenAI's form, those of aiohttp included."""
    try:
        return await handler(request)
    except OpenAIError as error:
        return _json(error.body(), error.status, error.headers())
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refused = refused_by_http(
            error.status, request.method, request.path, error.reason, BODY_BYTES_MAX
        )
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return _json(refused.body(), refused.status, headers)


def _encode(tokenizer: Tokenizer, parsed: Request) -> list[int]:
    if parsed.chat:
        return tokenizer.encode_chat(parsed.messages)
    return tokenizer.encode(parsed.text, special=True)


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", headers=headers
    )


def _event(body: object) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"
