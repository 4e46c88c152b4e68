"""Compares what two runs of the training job were fed and what they lost.

Independent of `mizzen.train`: it reads only the JSON lines that workers logged,
`{"step", "rank", "size", "rows": [[index, hash], ...], "loss"}`.

    python checker.py DIR_OF_ONE_RUN DIR_OF_THE_OTHER
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Relative. The example sums gradients exactly, whatever the number of workers, so its losses
# agree to the last bit; this leaves room for how a number is printed, and no more.
LOSS_TOLERANCE = 1e-9


@dataclass(slots=True)
class Run:
    """What a whole run fed to each step: rows in global order, and the loss."""

    rows: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    redone: list[int] = field(default_factory=list)


def read_lines(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The step lines of some log files; other output is passed over."""
    lines: list[dict[str, Any]] = []
    for path in paths:
        for text in path.read_text(errors="replace").splitlines():
            start = text.find('{"step"')
            if start < 0:
                continue
            try:
                entry = json.loads(text[start:])
            except ValueError:
                continue  # the last line of a process that was killed may be cut short
            if "rows" in entry:
                lines.append(entry)
    return lines


def assemble(lines: Iterable[dict[str, Any]]) -> Run:
    """Joins the ranks' lines; a step logged twice by one rank counts as redone."""
    by_step: dict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
    run = Run()
    for entry in lines:
        step, rank = int(entry["step"]), int(entry["rank"])
        if rank in by_step[step] and step not in run.redone:
            run.redone.append(step)
        by_step[step][rank] = entry
    for step, ranks in sorted(by_step.items()):
        size = max(int(entry["size"]) for entry in ranks.values())
        run.sizes[step] = size
        run.rows[step] = [
            (int(index), str(digest))
            for rank in sorted(ranks)
            for index, digest in ranks[rank]["rows"]
        ]
        run.losses[step] = float(ranks[min(ranks)]["loss"])
    return run


def differences(one: Run, other: Run) -> list[str]:
    """Everything that is not alike, as sentences; empty when the runs agree."""
    found: list[str] = []
    if set(one.rows) != set(other.rows):
        missing = sorted(set(one.rows) ^ set(other.rows))
        found.append(f"steps in one run only: {missing[:8]}{'…' if len(missing) > 8 else ''}")
    for step in sorted(set(one.rows) & set(other.rows)):
        if one.rows[step] != other.rows[step]:
            found.append(
                f"step {step}: fed different rows ({one.sizes[step]} and {other.sizes[step]} workers)"
            )
        scale = max(abs(one.losses[step]), abs(other.losses[step]))
        if abs(one.losses[step] - other.losses[step]) > LOSS_TOLERANCE * scale:
            found.append(
                f"step {step}: loss {one.losses[step]:.5f} against {other.losses[step]:.5f}"
            )
    return found


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: checker.py DIR DIR  (folders with the workers' logs)", file=sys.stderr)
        return 2
    runs = [assemble(read_lines(sorted(Path(folder).glob("**/*.log*")))) for folder in arguments]
    for folder, run in zip(arguments, runs, strict=True):
        print(f"{folder}: {len(run.rows)} steps, sizes {sorted(set(run.sizes.values()))}")
        if not run.rows:
            print(f"checker: no step lines below {folder}", file=sys.stderr)
            return 1
    found = differences(*runs)
    for sentence in found[:20]:
        print(sentence)
    worst = max(
        (
            abs(runs[0].losses[s] - runs[1].losses[s]) / max(runs[0].losses[s], 1e-9)
            for s in runs[0].losses
            if s in runs[1].losses
        ),
        default=0.0,
    )
    print(f"{'differ' if found else 'alike'}; largest relative difference of loss {worst:.2e}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
