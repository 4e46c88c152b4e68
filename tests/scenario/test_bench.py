"""Every benchmark runs by itself and says what it is; small sizes, for the numbers do not matter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SMALL = {
    "api": ("--operations", "8", "--watchers", "2"),
    "gateway": ("--requests", "16", "--concurrency", "2"),
    "scale/clients_memory": ("--pods", "300", "--nodes", "20"),
    "scheduling/embedded": ("--nodes", "4", "--pods", "16"),
    "scheduling/library": ("--nodes", "1024", "--large", "0", "--slices", "16"),
    "scheduling/preemption": ("--small", "40", "--medium", "64", "--large", "640", "--rounds", "1"),
    "scheduler": ("--nodes", "4", "--pods", "16", "--rounds", "1"),
    "spawning": ("--runs", "2"),
    "startup": ("--runs", "1"),
    "train_overhead": ("--steps", "3"),
    "train_staging": ("--rounds", "4"),
}


def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / f"{name}.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_every_benchmark_is_tried_here() -> None:
    known = {*SMALL, "measuring", "run"}
    assert {path.stem for path in BENCH.glob("*.py")} == {n for n in known if "/" not in n}


@pytest.mark.parametrize("name", SMALL)
def test_it_runs_alone(name: str, tmp_path: Path) -> None:
    report = tmp_path / "figures.json"
    done = run(name, *SMALL[name], "--json", str(report))
    assert done.returncode in (0, 1), done.stderr  # 1: a promise that a busy machine broke
    assert report.exists(), done.stderr
    figures = json.loads(report.read_text())["figures"]
    assert [figure["name"] in done.stdout for figure in figures] == [True] * len(figures)
    assert all(figure["value"] >= 0 for figure in figures)


def test_all_of_them_in_one_table(tmp_path: Path) -> None:
    report = tmp_path / "all.json"
    done = run("run", "--only", "train_staging", "--json", str(report))
    assert "train_staging: staging / memcpy of 10 MB" in done.stdout, done.stderr
    assert json.loads(report.read_text())["environment"]["cpus"] >= 1
    assert "--only" in run("run", "--help").stdout
