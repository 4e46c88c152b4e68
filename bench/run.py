"""Runs every benchmark of a folder, each in a process of its own, and prints one table.

    python bench/run.py [--suite scheduling] [--json FILE] [--page FILE] [--only NAME ...]

Without a suite it runs those beside it. Run it on an idle machine. `--page` replaces what stands
between the marks `<!-- figures -->` and `<!-- /figures -->` of a page. Exits 1 when a benchmark
fails or a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import Figure, as_json, markdown, table

FOLDER = Path(__file__).parent
SUITES = ("apiserver", "scale", "scheduling")
NOT_A_BENCHMARK = ("measuring", "run")
TIMEOUT_S = 120
SUITE_TIMEOUT_S = 1800  # of one benchmark of a suite: clusters of a million chips, real peers
MARKS = ("<!-- figures -->\n", "<!-- /figures -->")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--suite", choices=SUITES, help="run this folder of benchmarks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table into this page")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run just these")
    arguments = parser.parse_args()
    folder = FOLDER / arguments.suite if arguments.suite else FOLDER
    names = sorted(p.stem for p in folder.glob("*.py") if p.stem not in NOT_A_BENCHMARK)
    unknown = sorted(set(arguments.only or ()) - set(names))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)} here; there are: {', '.join(names)}")
    figures: list[Figure] = []
    failed: list[str] = []
    for name in arguments.only or names:
        began = time.perf_counter()
        found = measure(folder / f"{name}.py", SUITE_TIMEOUT_S if arguments.suite else TIMEOUT_S)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        figures += found
        if not found:
            failed.append(name)
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(as_json(figures))
    if arguments.page and not failed:
        arguments.page.write_text(_with_figures(arguments.page.read_text(), markdown(figures)))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 0 if not failed and all(figure.holds for figure in figures) else 1


def measure(script: Path, timeout_s: float) -> list[Figure]:
    """The figures of one benchmark, its name before theirs; none when it failed."""
    name = script.stem
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        report = Path(folder) / "figures.json"
        command = [sys.executable, str(script), "--json", str(report)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            print(f"{name}: not done within {timeout_s} s", file=sys.stderr)
            return []
        if not report.exists():
            print(done.stderr, file=sys.stderr)
            return []
        listed = json.loads(report.read_text())["figures"]
    return [
        Figure(
            f"{name}: {found['name']}",
            found["value"],
            found["unit"],
            found["at_most"],
            found["at_least"],
        )
        for found in listed
    ]


def _with_figures(page: str, figures: str) -> str:
    """The page with its figures replaced; the marks stay."""
    opening, closing = MARKS
    before, _, rest = page.partition(opening)
    _, _, after = rest.partition(closing)
    return f"{before}{opening}{figures}{closing}{after}"


if __name__ == "__main__":
    raise SystemExit(main())
