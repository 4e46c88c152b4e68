from __future__ import annotations

import os
import time

from mizzen.base.exposition import Page
from mizzen.host.process import resident_bytes
from mizzen.host.process_metrics import collect_process


def _samples() -> dict[str, float]:
    page = Page()
    collect_process(page)
    lines = [line for line in page.render().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.split(" ") for line in lines)}


def test_they_are_those_of_this_process() -> None:
    samples = _samples()
    resident = resident_bytes(os.getpid())
    assert abs(samples["process_resident_memory_bytes"] - resident) < resident / 4
    assert samples["process_virtual_memory_bytes"] > samples["process_resident_memory_bytes"]
    times = os.times()
    used_s = times.user + times.system
    assert abs(samples["process_cpu_seconds_total"] - used_s) < 0.1 + used_s / 10
    started_s = samples["process_start_time_seconds"]
    assert time.time() - 24 * 3600 < started_s < time.time()
    assert abs(started_s - _samples()["process_start_time_seconds"]) < 0.1


def test_descriptors_are_counted() -> None:
    before = _samples()
    handle = os.open("/dev/null", os.O_RDONLY)
    try:
        after = _samples()
    finally:
        os.close(handle)
    assert after["process_open_fds"] == before["process_open_fds"] + 1
    assert after["process_open_fds"] < after["process_max_fds"]
