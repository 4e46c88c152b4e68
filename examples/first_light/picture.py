"""Draws the run: who held each device when, the training loss, and the requests in flight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Patch

COLOURS = {
    "usefulStep": "#2b7bba",
    "redoneStep": "#d62728",
    "checkpointStall": "#9ecae1",
    "reforming": "#f4a02c",
    "starting": "#c9b8e8",
    "finishing": "#8da0cb",
    "running": "#74c476",
    "servingBusy": "#31a354",
    "servingIdle": "#c7e9c0",
    "stopping": "#bdbdbd",
    "free": "#f2f2f2",
    "down": "#ffffff",
    "unknown": "#000000",
}


def draw(report: dict[str, Any], losses: dict[int, float], path: Path) -> None:
    """Writes the picture (PNG) of a finished run's report."""
    zero = report["started"]
    figure, axes = plt.subplots(
        3, 1, figsize=(13, 8), sharex=True, height_ratios=[3, 2, 2], layout="constrained"
    )
    lines = _devices(axes[0], report, zero)
    _loss(axes[1], report, losses, zero)
    _requests(axes[2], report, zero)
    for moment in report["timeline"]:
        for axis in axes:
            axis.axvline((moment["time"] - zero) / 1e9, color="#00000022", linewidth=0.8)
    axes[0].legend(
        handles=[Patch(facecolor=COLOURS[n], edgecolor="#999", label=n) for n in COLOURS if n in lines],
        loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=8, frameon=False, fontsize=8,
    )  # fmt: skip
    axes[2].set_xlabel("seconds since start")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _devices(axis: Any, report: dict[str, Any], zero: int) -> set[str]:
    """One bar per device, cut where its use changes; pods are named above their stretch."""
    names = sorted({record["device"] for record in report["intervals"]})
    rows = {name: index for index, name in enumerate(names)}
    seen: set[str] = set()
    spans: dict[tuple[str, str], list[float]] = {}  # a pod that comes back is another pod
    pods: dict[str, str] = {}
    for record in report["intervals"]:
        row = rows[record["device"]]
        bars: dict[str, list[tuple[float, float]]] = {}
        for interval in record["intervals"]:
            start, end = ((interval[k] - zero) / 1e9 for k in ("start", "end"))
            if end > 0:
                bars.setdefault(interval["line"], []).append((max(start, 0), end - max(start, 0)))
        for line, pieces in bars.items():
            seen.add(line)
            axis.broken_barh(
                pieces, (row - 0.4, 0.8), color=COLOURS.get(line, "#000000"), linewidth=0
            )
        if record.get("pod"):
            start, end = ((record[k] - zero) / 1e9 for k in ("start", "end"))
            span = spans.setdefault((record["device"], record["podUID"]), [start, end])
            pods[record["podUID"]] = record["pod"]
            span[0], span[1] = min(span[0], start), max(span[1], end)
    for (device, uid), (start, end) in spans.items():
        axis.text(
            (max(start, 0) + end) / 2,
            rows[device],
            pods[uid],
            ha="center",
            va="center",
            fontsize=8,
        )
    axis.set_yticks(range(len(names)), names)
    axis.set_title("one pool of devices", loc="left", fontsize=10, pad=26)
    return seen


def _loss(axis: Any, report: dict[str, Any], losses: dict[int, float], zero: int) -> None:
    """Loss over the time at which rank 0 finished each step."""
    finished: dict[int, float] = {}
    for record in report["intervals"]:
        for interval in record["intervals"]:
            if interval["line"] == "usefulStep" and interval.get("step") is not None:
                moment = (interval["end"] - zero) / 1e9
                step = int(interval["step"])
                finished[step] = min(finished.get(step, moment), moment)
    steps = sorted(set(finished) & set(losses))
    axis.plot(
        [finished[s] for s in steps], [losses[s] for s in steps], color="#2b7bba", linewidth=1.2
    )
    axis.set_ylabel("training loss")
    for formation in report["formations"]:
        axis.annotate(
            f"{formation['size']} workers",
            ((formation["time"] - zero) / 1e9, 0.97),
            xycoords=("data", "axes fraction"), fontsize=8, va="top",
        )  # fmt: skip
    axis.grid(alpha=0.3)


def _requests(axis: Any, report: dict[str, Any], zero: int) -> None:
    """How many requests each replica was answering."""
    by_replica: dict[str, list[tuple[float, int]]] = {}
    for request in report["request_times"]:
        if request["ended"]:
            changes = by_replica.setdefault(request["replica"] or "?", [])
            changes += [((request["sent"] - zero) / 1e9, 1), ((request["ended"] - zero) / 1e9, -1)]
    for name, changes in sorted(by_replica.items()):
        level, xs, ys = 0, [0.0], [0]
        for moment, change in sorted(changes):
            level += change
            xs.append(moment)
            ys.append(level)
        axis.step(xs, ys, where="post", label=name)
    axis.set_ylabel("requests in flight")
    if by_replica:
        axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
