# pyright: basic
"""openvino-genai's continuous batching as a `LoadedModel`.

The library is untyped, so only this file and `tokenizer.py` touch it.

All of its calls hold the GIL (measured, 2026.4.1: a 58 ms prefill step stalls other
threads for 58 ms), so prompts are read in chunks (`max_num_batched_tokens`) and the stepping
thread gives way between steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai

from mizzen.base.engines.openvino_genai import PROFILE
from mizzen.engine.backend import Handle, Settings
from mizzen.engine.core.requests import Sampling
from mizzen.engine.model import ModelError, ModelFile
from mizzen.engine.openvino.errors import LIBRARY_ERRORS, first_line, translated
from mizzen.engine.openvino.tokenizer import Tokenizer

KV_BLOCK_TOKENS = PROFILE.block_tokens  # openvino's block size on CPU
CHUNK_TOKENS = 256  # prompt tokens read in one step; bounds how long a step blocks the others
_FINISH = {
    genai.GenerationFinishReason.NONE: "",
    genai.GenerationFinishReason.STOP: "stop",
    genai.GenerationFinishReason.LENGTH: "length",
}
_RUNNING = genai.GenerationStatus.RUNNING


class Pipeline:
    """One loaded model, stepped by one thread; another may use its tokenizer."""

    def __init__(
        self,
        model: ModelFile,
        settings: Settings,
    ) -> None:
        batch_max = settings.batch_max
        self.blocks = _block_count(model, batch_max, settings.kv_cache_bytes)
        config = genai.SchedulerConfig()
        config.max_num_seqs = batch_max
        config.max_num_batched_tokens = max(CHUNK_TOKENS, batch_max)
        config.enable_prefix_caching = True
        config.num_kv_blocks = self.blocks
        # Pinning would move the threads off the CPUs that the claim gives us.
        host = {"INFERENCE_NUM_THREADS": settings.threads, "ENABLE_CPU_PINNING": False}
        try:
            self._pipeline = genai.ContinuousBatchingPipeline(
                str(model.path), config, "CPU", {**host, **settings.properties}, host
            )
            self._eos = self._pipeline.get_config().eos_token_id
            self._stop_ids = set(self._pipeline.get_config().stop_token_ids)
            self.tokenizer = Tokenizer(model, self._pipeline.get_tokenizer(), self._stop_ids)
        except LIBRARY_ERRORS as error:
            said = first_line(error)
            if isinstance(error, LookupError):
                said = f"it lacks what the engine looks for in it ({said})"
            raise ModelError(model.path, said) from error

    @translated
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

    @translated
    def step(self) -> None:
        self._pipeline.step()

    @translated
    def is_busy(self) -> bool:
        return self._pipeline.has_non_finished_requests()

    @translated
    def read(self, handle: Any) -> tuple[list[int], str]:
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

    @translated
    def cache_usage(self) -> float:
        """Share of KV blocks in use, 0 to 1, as of the last step."""
        return self._pipeline.get_metrics().cache_usage / 100


def _block_count(model: ModelFile, batch_max: int, kv_cache_bytes: int) -> int:
    """KV blocks for a full batch of full contexts, within the budget; one context at least."""
    one = -(-model.context_length // KV_BLOCK_TOKENS) + 1
    if not model.kv_bytes:
        return one * batch_max
    affordable = kv_cache_bytes // (model.kv_bytes * KV_BLOCK_TOKENS)
    return max(one, min(one * batch_max, affordable))
