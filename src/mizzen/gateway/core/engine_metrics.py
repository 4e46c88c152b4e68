"""Reads an engine's metrics page for the pickers."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from mizzen.base.engine import MetricNames


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """Requests waiting and running in the engine, from all clients, and the share of its KV
    cache in use (0 to 1); read at `read_ns` (monotonic)."""

    queued: int
    running: int
    kv_cache_usage: float
    read_ns: int


def read_metrics(page: str, names: MetricNames, read_ns: int) -> EngineMetrics | None:
    """The values under these names on a Prometheus text page; None if one is missing."""
    wanted = (names.queued, names.running, names.kv_cache_usage)
    found: dict[str, float] = {}
    for line in page.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name in wanted and name not in found:
            value = _value(line[len(name) :])
            if value is None:
                return None
            found[name] = value
    if len(found) < len(wanted):
        return None
    queued, running, usage = (found[name] for name in wanted)
    return EngineMetrics(int(queued), int(running), usage, read_ns)


def _value(rest: str) -> float | None:
    """The number behind a sample's labels."""
    words = rest.rpartition("}")[2].split()
    try:
        value = float(words[0])
    except (IndexError, ValueError):
        return None
    return value if isfinite(value) else None
