"""The engine's numbers under vLLM's names, which routers and dashboards already know.

Source: gateway-api-inference-extension, proposal 003 "model server protocol"; vLLM metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from mizzen.base.exposition import Histogram, Page
from mizzen.engine.worker import Worker
from mizzen.host.door import Door

# Seconds; vLLM's own bounds for time_to_first_token_seconds and e2e_request_latency_seconds.
_FIRST_TOKEN = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1,
    2.5,
    5,
    7.5,
    10,
)
_LATENCY = (0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120)

_DOORS = (
    ("connections", "mizzen_engine_connections", "Connections of clients."),
    ("busy", "mizzen_engine_connections_busy", "Of these, with a request under way."),
    ("evicted", "mizzen_engine_connections_evicted_total", "Idle ones ended to make room."),
    ("body_bytes", "mizzen_engine_request_body_bytes", "Bodies of requests, held in memory."),
)


class EngineMetrics:
    """Counters that only grow, and a page that shows them beside the worker's gauges."""

    def __init__(self, model: str) -> None:
        self._labels = {"model_name": model}
        self._finished: Counter[str] = Counter()
        self._prompt_tokens = 0
        self._generation_tokens = 0
        self._first_token = Histogram(_FIRST_TOKEN)
        self._latency = Histogram(_LATENCY)

    def first_token(self, seconds: float, prompt_tokens: int) -> None:
        self._first_token.observe(seconds)
        self._prompt_tokens += prompt_tokens

    def tokens(self, count: int) -> None:
        self._generation_tokens += count

    def finished(self, reason: str, seconds: float) -> None:
        self._finished[reason] += 1
        self._latency.observe(seconds)

    def collect(self, worker: Worker, page: Page) -> None:
        labels = self._labels

        def gauge(name: str, text: str, value: float) -> None:
            page.add(f"vllm:{name}", "gauge", text, value, labels)

        gauge("num_requests_running", "Requests in the batch.", worker.running)
        gauge("num_requests_waiting", "Requests waiting for a place.", worker.waiting)
        gauge("kv_cache_usage_perc", "KV blocks in use, 0 to 1.", worker.cache_usage)
        blocks = worker.loaded.blocks if worker.loaded else 0
        cache = {"block_size": str(worker.backend.block_tokens), "num_gpu_blocks": str(blocks)}
        page.add("vllm:cache_config_info", "gauge", "KV cache.", 1, {**labels, **cache})
        for name, text, value in (
            ("prompt_tokens_total", "Prompt tokens read.", self._prompt_tokens),
            ("generation_tokens_total", "Tokens generated.", self._generation_tokens),
        ):
            page.add(f"vllm:{name}", "counter", text, value, labels)
        for reason in ("stop", "length", "abort"):
            page.add(
                "vllm:request_success_total",
                "counter",
                "Requests ended, by reason.",
                self._finished[reason],
                {**labels, "finished_reason": reason},
            )
        page.add_histogram(
            "vllm:time_to_first_token_seconds", "Arrival to first token.", self._first_token, labels
        )
        page.add_histogram(
            "vllm:e2e_request_latency_seconds", "Arrival to last token.", self._latency, labels
        )
        steps = "Steps of the batch."
        page.add("mizzen_engine_steps_total", "counter", steps, worker.steps, labels)


def collect_doors(
    bodies: Callable[[], Mapping[str, int]], doors: Sequence[Door], page: Page
) -> None:
    """Clients of all of the engine's addresses together, and the bodies they have sent."""
    connections: Counter[str] = Counter(bodies())
    for door in doors:
        connections.update(door.statistics())
    page.add_all(_DOORS, connections)
