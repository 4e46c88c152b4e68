"""Our allocator in `compat` order against upstream's own: equal on random cases, answer for answer.

Equal means the same results as JSON (shareIDs, which are random, only present or absent), null
where upstream has null, an error where upstream has an error.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import Any

import pytest

from mizzen.scheduler.allocating import Allocator
from support.allocation_cases import Obj, cases
from support.peers import programs

SEEDS = range(10)
CASES = 2500  # for each seed


def upstream(lines: list[str]) -> list[Obj]:
    found = subprocess.run(
        [programs("upstream-allocate") / "upstream-allocate"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in found.stdout.splitlines()]


def verdict(answer: Obj) -> Any:
    """What must be equal: "error", None, or the results."""
    if "error" in answer:
        return "error"
    for allocation in answer["results"] or ():
        for result in allocation["devices"].get("results", ()):
            if "shareID" in result:
                result["shareID"] = "any"
    return answer["results"]


def word(answer: Obj) -> str:
    found = verdict(answer)
    return "error" if found == "error" else "null" if found is None else "fits"


@pytest.mark.parametrize("seed", SEEDS)
def test_equals_upstream(seed: int) -> None:
    listed = list(cases(seed, CASES))
    lines = [json.dumps(case) for case in listed]
    expected = upstream(lines)
    allocator = Allocator()
    assert len(expected) == len(lines)
    seen: Counter[str] = Counter()
    differing: list[str] = []
    too_long = 0
    for line, theirs in zip(lines, expected, strict=True):
        if theirs.get("tooLong"):  # upstream's search did not end
            too_long += 1
            continue
        ours = allocator.answer(line)
        seen[word(theirs)] += 1
        if verdict(ours) != verdict(theirs):
            differing.append(f"case {line}\nupstream {json.dumps(theirs)}\nours {json.dumps(ours)}")
    print(f"seed {seed}: {dict(seen)}, {too_long} too long, {len(differing)} differ")
    assert not differing, f"{len(differing)} of {CASES} differ, the first:\n{differing[0]}"
    assert min(seen[answer] for answer in ("fits", "null", "error")) > CASES / 10, seen
    assert too_long < CASES / 100
