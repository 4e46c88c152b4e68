"""Cases with anything anywhere: each line gets one answer, and the next is answered as before."""

from __future__ import annotations

import copy
import gzip
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mizzen.scheduler.allocating import Allocator

pytestmark = pytest.mark.slow


HERE = Path(__file__).parent
CASES = int(os.environ.get("MIZZEN_ALLOCATE_FUZZ", "1500"))
SOUND = '{"claims": [], "slices": []}'
ODD: list[Any] = [
    *(None, "", "x", 0, 1, -1, 10**30, 1.5, float("inf"), float("nan"), True, False, [], {}),
    *([None], [[]], [{}], {"a": 1}, {"a": None}, "9" * 400, "1e99999", "-5", "1Ki", "\ud800"),
    *("All", "device.driver ==", "1/0 == 1", "true", 2**63, {"name": "x"}, [1, "a"]),
]
Path_ = tuple[str | int, ...]


def paths(value: Any, so_far: Path_ = ()) -> Iterator[Path_]:
    yield so_far
    entries = value.items() if isinstance(value, dict) else ()
    for key, entry in enumerate(value) if isinstance(value, list) else entries:
        yield from paths(entry, (*so_far, key))


def spoilt(case: Any, rng: random.Random) -> Any:
    made = copy.deepcopy(case)
    for _ in range(rng.choice([1, 1, 2, 3])):
        *way, last = rng.choice([p for p in paths(made) if p])
        holder = made
        for step in way:
            holder = holder[step]
        if rng.random() < 0.2:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(rng.choice(ODD))
        if not any(paths(made, ())) or not made:
            break
    return made


def test_every_spoilt_case_gets_one_answer() -> None:
    rng = random.Random(4)
    with gzip.open(HERE / "allocations.jsonl.gz", "rt") as recorded:
        cases = [json.loads(line)[0] for line in recorded]
    allocator = Allocator()
    for number in range(CASES):
        line = json.dumps(spoilt(rng.choice(cases), rng))
        answer = json.loads(json.dumps(allocator.answer(line), allow_nan=False))
        assert answer.keys() in ({"results", "reason"}, {"error"}), (number, line)
        assert "object has no attribute" not in str(answer.get("error")), (number, line)
    assert allocator.bad > CASES / 20
    assert allocator.answer(SOUND) == {"results": [], "reason": ""}
