# pyright: basic
"""openvino-genai's continuous batching, behind the few typed calls the stepping thread needs.

The library is untyped, so this is the only file that touches it. Imported by the stepping
thread alone, once the port is open: the import takes longer than all the rest of the start.

All of its calls hold the GIL (measured, 2026.4.1: a 58 ms prefill step stalls other
threads for 58 ms), so prompts are read in chunks (`max_num_batched_tokens`) and the stepping
thread gives way between steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai

from mizzen.engine.core.requests import Message, Sampling
from mizzen.engine.core.text import looks_like_control, token_bytes
from mizzen.engine.model import KV_BLOCK_TOKENS, ModelError, ModelFile

Handle = Any
CHUNK_TOKENS = 256  # prompt tokens read in one step; bounds how long a step blocks the others
_FINISH = {
    genai.GenerationFinishReason.NONE: "",
    genai.GenerationFinishReason.STOP: "stop",
    genai.GenerationFinishReason.LENGTH: "length",
}
_RUNNING = genai.GenerationStatus.RUNNING


class Pipeline:
    """One loaded model. Not thread-safe, except `encode` and `chat_text`."""

    def __init__(
        self,
        model: ModelFile,
        *,
        batch_max: int,
        threads: int,
        kv_cache_bytes: int,
        properties: Mapping[str, str],
    ) -> None:
        self.model = model
        self.blocks = _block_count(model, batch_max, kv_cache_bytes)
        config = genai.SchedulerConfig()
        config.max_num_seqs = batch_max
        config.max_num_batched_tokens = max(CHUNK_TOKENS, batch_max)
        config.enable_prefix_caching = True
        config.num_kv_blocks = self.blocks
        # Pinning would move the threads off the CPUs that the claim gives us.
        host = {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        try:
            self._pipeline = genai.ContinuousBatchingPipeline(
                str(model.path), config, "CPU", {**host, **properties}, host
            )
        except (RuntimeError, TypeError, ValueError) as error:
            raise ModelError(model.path, _first_line(error)) from error
        self._tokenizer = self._pipeline.get_tokenizer()
        self._eos = self._pipeline.get_config().eos_token_id
        self._stop_ids = set(self._pipeline.get_config().stop_token_ids)
        self._template = bool(self._tokenizer.chat_template)
        self._bytes = self._vocabulary()

    @property
    def vocabulary_size(self) -> int:
        return len(self._bytes)

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text; without max_length the tokenizer cuts at 8192 silently."""
        encoded = self._tokenizer.encode(text, add_special_tokens=special, max_length=1 << 30)
        return encoded.input_ids.data[0].tolist()

    def chat_text(self, messages: Sequence[Message]) -> str:
        """The prompt that stands for a conversation.

        A model without a template of its own gets `role: text` lines. Errors: ValueError with
        the template's complaint.
        """
        if not self._template:
            lines = [f"{message.role}: {message.content}\n" for message in messages]
            return "".join(lines) + "assistant:"
        history = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return self._tokenizer.apply_chat_template(history, add_generation_prompt=True)
        except RuntimeError as error:
            raise ValueError(_first_line(error)) from error

    def add(
        self, number: int, tokens: Sequence[int], sampling: Sampling, max_tokens: int, seed: int
    ) -> Handle:
        """Puts a request into the batch; it takes part from the next step on."""
        config = genai.GenerationConfig()
        config.max_new_tokens = max_tokens
        config.ignore_eos = sampling.ignore_eos
        config.eos_token_id = self._eos
        config.stop_token_ids = set() if sampling.ignore_eos else self._stop_ids
        config.do_sample = sampling.temperature > 0
        if config.do_sample:
            config.temperature = sampling.temperature
            config.rng_seed = seed
            config.top_p = max(sampling.top_p, 1e-6)
            if sampling.top_k:
                config.top_k = sampling.top_k
        config.presence_penalty = sampling.presence_penalty
        config.frequency_penalty = sampling.frequency_penalty
        return self._pipeline.add_request(
            number, ov.Tensor(np.array([tokens], dtype=np.int64)), config
        )

    def step(self) -> None:
        self._pipeline.step()

    def is_busy(self) -> bool:
        return self._pipeline.has_non_finished_requests()

    def read(self, handle: Handle) -> tuple[list[int], str]:
        """New token ids and the finish reason, "" while it goes on, "error" if it broke off."""
        ids: list[int] = []
        reason = ""
        while handle.can_read():
            for output in handle.read().values():
                ids += output.generated_ids
                reason = _FINISH.get(output.finish_reason, "stop")
        if not reason and handle.get_status() != _RUNNING:
            reason = "error"
        return ids, reason

    def text_bytes(self, ids: Sequence[int]) -> bytes:
        """What these tokens say; control tokens say nothing."""
        return b"".join(self._bytes[token] for token in ids if token < len(self._bytes))

    def cache_usage(self) -> float:
        """Share of KV blocks in use, 0 to 1, as of the last step."""
        return self._pipeline.get_metrics().cache_usage / 100

    def _vocabulary(self) -> list[bytes]:
        tokenizer = self._tokenizer
        known: dict[bytes, int] = tokenizer.get_vocab()
        table = [b""] * (max(known.values()) + 1)
        for entry, token in known.items():
            table[token] = token_bytes(entry, sentencepiece=self.model.sentencepiece)
        special = {tokenizer.get_bos_token_id(), tokenizer.get_eos_token_id(),
                   tokenizer.get_pad_token_id(), *self._stop_ids}  # fmt: skip
        for token in range(len(table)):
            if token in special or (
                looks_like_control(table[token]) and not tokenizer.decode([token])
            ):
                table[token] = b""
        return table


def _block_count(model: ModelFile, batch_max: int, kv_cache_bytes: int) -> int:
    """KV blocks for a full batch of full contexts, within the budget; one context at least."""
    one = -(-model.context_length // KV_BLOCK_TOKENS) + 1
    if not model.kv_bytes:
        return one * batch_max
    affordable = kv_cache_bytes // (model.kv_bytes * KV_BLOCK_TOKENS)
    return max(one, min(one * batch_max, affordable))


def _first_line(error: Exception) -> str:
    """The library's reason without its build paths."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "/src/" not in line and "/home/" not in line]
    return (said or lines or [type(error).__name__])[0]
