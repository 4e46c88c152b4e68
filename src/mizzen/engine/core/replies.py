"""OpenAI response bodies, whole and in chunks."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.base.objects import Obj


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int

    def body(self) -> Obj:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """The fields that all bodies of one answer share; `created` in seconds since the epoch."""

    id: str
    model: str
    created: int
    chat: bool

    def whole(self, text: str, finish_reason: str, usage: Usage) -> Obj:
        """The answer to a request that does not stream."""
        choice: Obj = {"index": 0, "logprobs": None, "finish_reason": finish_reason}
        if self.chat:
            choice["message"] = {"role": "assistant", "content": text, "refusal": None}
        else:
            choice["text"] = text
        body = self._head("chat.completion" if self.chat else "text_completion")
        return {**body, "choices": [choice], "usage": usage.body()}

    def opening(self, include_usage: bool) -> Obj | None:
        """Chat streams begin with the role; completions with the first text."""
        if not self.chat:
            return None
        return self._chunk({"role": "assistant", "content": ""}, "", None, include_usage)

    def delta(self, text: str, include_usage: bool) -> Obj:
        """The chunk that adds some text."""
        return self._chunk({"content": text}, text, None, include_usage)

    def closing(self, finish_reason: str, include_usage: bool) -> Obj:
        """The chunk that gives the finish reason."""
        return self._chunk({}, "", finish_reason, include_usage)

    def usage_chunk(self, usage: Usage) -> Obj:
        """The last chunk when `stream_options.include_usage` was asked for."""
        return {**self._head(self._chunk_object()), "choices": [], "usage": usage.body()}

    def _chunk(self, delta: Obj, text: str, finish_reason: str | None, include_usage: bool) -> Obj:
        choice: Obj = {"index": 0, "logprobs": None, "finish_reason": finish_reason}
        if self.chat:
            choice["delta"] = delta
        else:
            choice["text"] = text
        body = {**self._head(self._chunk_object()), "choices": [choice]}
        if include_usage:
            body["usage"] = None
        return body

    def _chunk_object(self) -> str:
        return "chat.completion.chunk" if self.chat else "text_completion"

    def _head(self, kind: str) -> Obj:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}
