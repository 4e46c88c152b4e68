"""Kept and new sequences of requests are answered alike by kube-apiserver and by Mizzen.

`make differential` sends as many as one likes.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from differential.cases import CASES
from differential.run import both, case_of, parsed, run

SEQUENCES = 100
AREAS = (
    "applying",
    "listing",
    "rbac",
    "watching",
)  # in which nothing is known to differ; the others are being mended


@pytest.mark.parametrize("process", [False, True])
async def test_sequences_are_answered_alike(peers: Path, tmp_path: Path, process: bool) -> None:
    options: Namespace = parsed(["--process"] if process else [])
    cases = [case_of(7, number, AREAS) for number in range(SEQUENCES)]
    async with both(tmp_path, options) as pair:
        done = await run(pair, [*CASES.values(), *cases], options)
    told = [f"{case.name}, {each.step}\n  {each}" for case, found in pair.found for each in found]
    assert told == [], "\n".join(told)
    assert done == len(CASES) + len(cases)
