"""What the measurements share: figures, how they are shown, and the kernel's CPU accounting."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One measured number. `at_most` or `at_least` is what is promised, where something is."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        below = self.at_most is None or self.value <= self.at_most
        return below and (self.at_least is None or self.value >= self.at_least)

    @property
    def promise(self) -> str:
        """`at most 20`, or nothing where nothing is promised."""
        if self.at_most is not None:
            return f"at most {self.at_most:,g}"
        return "" if self.at_least is None else f"at least {self.at_least:,g}"

    @property
    def shown(self) -> str:
        """The value for readers: whole numbers from 100 on."""
        return f"{self.value:,.3f}" if abs(self.value) < 100 else f"{self.value:,.0f}"


def main(
    doc: str,
    measure: Callable[[argparse.Namespace], Iterable[Figure]],
    options: Sequence[tuple[str, int, str]],
) -> int:
    """A benchmark's command line; `options` are (name, default, help) of its counts.

    Prints a table, writes JSON with `--json FILE`; 1 when a promise is broken.
    """
    summary, _, rest = doc.partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest.strip(), formatter_class=argparse.RawTextHelpFormatter
    )
    for name, default, text in options:
        parser.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{text} ({default})"
        )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    figures = list(measure(arguments))
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(as_json(figures))
    return 0 if all(figure.holds for figure in figures) else 1


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned lines, promises beside them."""
    width = max((len(figure.name) for figure in figures), default=0)
    lines: list[str] = []
    for figure in figures:
        promise = f"{figure.promise}: {_verdict(figure)}" if figure.promise else ""
        lines.append(
            f"{figure.name:{width}}  {figure.shown:>12} {figure.unit:6} {promise}".rstrip()
        )
    return "\n".join(lines)


def markdown(figures: Sequence[Figure]) -> str:
    """The figures as a table for a page, and on which machine they were taken."""
    lines = ["| what | measured | promised |", "|---|---|---|"]
    for figure in figures:
        promise = f"{figure.promise} ({_verdict(figure)})" if figure.promise else ""
        lines.append(f"| {figure.name} | {figure.shown} {figure.unit} | {promise} |")
    about = ", ".join(f"{name} {value}" for name, value in environment().items())
    return "\n".join([*lines, "", f"Measured with: {about}."]) + "\n"


def _verdict(figure: Figure) -> str:
    return "holds" if figure.holds else "BROKEN"


def as_json(figures: Sequence[Figure]) -> str:
    """`{environment, figures: [{name, value, unit, at_most, at_least, holds}]}`."""
    listed = [{**asdict(figure), "holds": figure.holds} for figure in figures]
    return json.dumps({"environment": environment(), "figures": listed}, indent=1) + "\n"


def environment() -> dict[str, object]:
    """What a reader must know to compare the figures with others."""
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def cpu_us(pid: int) -> float:
    """CPU time that all threads of a process have used.

    Source: proc(5), /proc/PID/task/TID/schedstat, first field, ns. Threads that ended are missing.
    """
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e3


def medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each name over all rounds."""
    return {name: median(found[name] for found in rounds) for name in rounds[0]}
