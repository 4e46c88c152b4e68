"""Runs every benchmark of this folder, each in a process of its own, and prints one table.

    python bench/run.py [--json FILE] [--only NAME ...]

Run it on an idle machine. Exits 1 when a benchmark fails or a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import Figure, as_json, table

FOLDER = Path(__file__).parent
NOT_A_BENCHMARK = ("measuring", "run")
TIMEOUT_S = 120


def main() -> int:
    names = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in NOT_A_BENCHMARK)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    arguments = parser.parse_args()
    figures: list[Figure] = []
    failed: list[str] = []
    for name in arguments.only or names:
        began = time.perf_counter()
        found = measure(name)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        figures += found
        if not found:
            failed.append(name)
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(as_json(figures))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 0 if not failed and all(figure.holds for figure in figures) else 1


def measure(name: str) -> list[Figure]:
    """The figures of one benchmark, its name before theirs; none when it failed."""
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        report = Path(folder) / "figures.json"
        command = [sys.executable, str(FOLDER / f"{name}.py"), "--json", str(report)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            print(f"{name}: not done within {TIMEOUT_S} s", file=sys.stderr)
            return []
        if not report.exists():
            print(done.stderr, file=sys.stderr)
            return []
        listed = json.loads(report.read_text())["figures"]
    return [
        Figure(f"{name}: {found['name']}", found["value"], found["unit"], found["at_most"])
        for found in listed
    ]


if __name__ == "__main__":
    raise SystemExit(main())
