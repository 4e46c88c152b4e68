"""/stats/summary: what the node and its pods use, over the half second that is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Iterable

import orjson

from mizzen.base.errors import NotFound
from mizzen.host.get_server import Get
from mizzen.node.core.usage_summary import Use, summary
from mizzen.node.kubelet.server import NodeView
from mizzen.node.slot import Slot

SPAN_S = 0.5
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal, of /proc/stat


async def stats(view: NodeView, names: list[str], request: Get) -> AsyncGenerator[bytes, None]:
    """Errors: NotFound for anything but the summary."""
    if names != ["summary"]:
        raise NotFound("of the node's stats there is /stats/summary alone")
    return _answer(view)


async def _answer(view: NodeView) -> AsyncGenerator[bytes, None]:
    began_ns = view.clock.monotonic_ns()
    node, pods = _node_use(), _pod_uses(view.slots.values())
    await asyncio.sleep(SPAN_S)
    slots = [slot for slot in view.slots.values() if slot.uid in pods]
    later = _pod_uses(slots)
    uses = [
        (slot.state.pod, pods[slot.uid], later[slot.uid]) for slot in slots if slot.uid in later
    ]
    span_ns = view.clock.monotonic_ns() - began_ns
    name = next((str(pod["spec"].get("nodeName")) for pod, _, _ in uses), "")
    made = summary(name, node, _node_use(), uses, span_ns, view.clock.now_ns())
    yield orjson.dumps(made)


def _pod_uses(slots: Iterable[Slot]) -> dict[str, Use]:
    """By uid, of the pods that have anything running."""
    found: dict[str, Use] = {}
    for slot in slots:
        if slot.has_sandbox:
            pids = slot.runtime.pids(slot.uid)
            memory = sum(_resident_bytes(pid) for pid in pids)
            found[slot.uid] = Use(slot.runtime.stats(slot.uid).cpu_ns, memory)
    return found


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * _PAGE
    return 0


def _node_use() -> Use:
    """Of the whole machine."""
    with open("/proc/stat") as file:
        ticks = [int(each) for each in file.readline().split()[1:]]
    with open("/proc/meminfo") as file:
        memory = {line.partition(":")[0]: int(line.split()[1]) << 10 for line in file}
    busy = sum(ticks[index] for index in _BUSY if index < len(ticks))
    return Use(busy * _TICK_NS, memory["MemTotal"] - memory.get("MemAvailable", 0))


HANDLERS = {"stats": stats}
