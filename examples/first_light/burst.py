"""Real requests by the unmodified `openai` client, timed on this side of the wire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import openai

PROMPTS = (
    "def read(self, size=-1):\n    ",
    "import os\nimport sys\n\n",
    "class Error(Exception):\n    ",
    "    for name in sorted(self.",
    "    if not isinstance(",
    "try:\n    import ",
    "    return self._",
    '    """Return a ',
)


@dataclass(slots=True)
class Outcome:
    """One request as its client saw it; times are integer ns since the epoch, 0 = never."""

    index: int
    api: str
    stream: bool
    sent: int
    first_token: int = 0
    ended: int = 0
    replica: str = ""
    request_id: str = ""
    finish_reason: str = ""
    text: str = ""
    error: str = ""
    pieces: int = 0
    phase: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Anything but 200 with a finish_reason and an unbroken stream."""
        return bool(self.error) or not self.finish_reason or not self.ended

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value not in ("", {}, None)}


class Burst:
    """Sends requests to one endpoint and keeps every outcome."""

    def __init__(self, base_url: str, api_key: str, model: str, max_tokens: int) -> None:
        # No retries: a request that fails must be seen to have failed.
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key, max_retries=0, timeout=120
        )
        self._model = model
        self._max_tokens = max_tokens
        self.outcomes: list[Outcome] = []

    async def close(self) -> None:
        await self._client.close()

    async def send(
        self,
        phase: str,
        concurrency: int,
        *,
        is_over: Callable[[], bool],
        at_least: int,
    ) -> None:
        """Keeps `concurrency` requests in flight until `is_over` and `at_least` were sent."""
        sent = 0

        async def worker() -> None:
            nonlocal sent
            while sent < at_least or not is_over():
                sent += 1
                await self._one(phase, len(self.outcomes))

        await asyncio.gather(*(worker() for _ in range(concurrency)))

    async def _one(self, phase: str, index: int) -> None:
        api = "chat" if index % 2 else "completions"
        outcome = Outcome(index, api, stream=index % 4 != 3, sent=time.time_ns(), phase=phase)
        self.outcomes.append(outcome)
        try:
            await self._request(outcome, PROMPTS[index % len(PROMPTS)])
        except openai.APIStatusError as error:
            outcome.error = f"{error.status_code}: {error.message}"
        except (openai.APIError, OSError) as error:
            outcome.error = f"{type(error).__name__}: {error}"

    async def _request(self, outcome: Outcome, prompt: str) -> None:
        arguments: dict[str, Any] = {
            "model": self._model,
            "max_tokens": self._max_tokens,
            "temperature": 0.7,
            "seed": outcome.index,
            "stream": outcome.stream,
        }
        if outcome.api == "chat":
            arguments["messages"] = [{"role": "user", "content": prompt}]
            call = self._client.chat.completions.with_raw_response.create
        else:
            arguments["prompt"] = prompt
            call = self._client.completions.with_raw_response.create
        raw = await call(**arguments)
        outcome.replica = raw.headers.get("x-mizzen-replica", "")
        outcome.request_id = raw.headers.get("x-request-id", "")
        answer: Any = raw.parse()
        if not outcome.stream:
            outcome.first_token = outcome.ended = time.time_ns()
            choice = answer.choices[0]
            outcome.text = choice.message.content if outcome.api == "chat" else choice.text
            outcome.finish_reason = choice.finish_reason or ""
            return
        async for event in answer:
            self._take(outcome, event)
        outcome.ended = time.time_ns()

    @staticmethod
    def _take(outcome: Outcome, event: Any) -> None:
        if not event.choices:
            return
        choice = event.choices[0]
        piece = choice.delta.content if outcome.api == "chat" else choice.text
        if piece:
            outcome.pieces += 1
            outcome.text += piece
            if not outcome.first_token:
                outcome.first_token = time.time_ns()
        if choice.finish_reason:
            outcome.finish_reason = choice.finish_reason
