"""Our allocator in `compat` order against upstream's own: equal on random cases, answer for answer.

Equal means the same results as JSON (shareIDs, which are random, only present or absent), null
where upstream has null, an error where upstream has an error.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
from collections import Counter
from collections.abc import Iterator
from subprocess import PIPE
from threading import Thread
from typing import IO, Any

import pytest

from mizzen.scheduler.allocating import Allocator
from support.allocation_cases import Obj, cases
from support.peers import programs

SEEDS = range(10)
CASES = 2500  # for each seed
SILENT_S_MAX = 60.0


def upstream(lines: list[str]) -> Iterator[Obj]:
    """The answers as they come. Errors: AssertionError where none comes for SILENT_S_MAX, however
    long all of them take on a machine that has other things to do."""
    program = programs("upstream-allocate") / "upstream-allocate"
    with subprocess.Popen([program], stdin=PIPE, stdout=PIPE, bufsize=0) as process:
        assert process.stdin is not None and process.stdout is not None
        asking = Thread(target=_write, args=(process.stdin, lines), daemon=True)
        asking.start()
        try:
            text = b""
            for number, line in enumerate(lines):
                while b"\n" not in text:
                    is_there, _, _ = select.select([process.stdout], [], [], SILENT_S_MAX)
                    assert is_there, f"no answer to case {number}: {line}"
                    more = process.stdout.read(1 << 16)
                    assert more, f"upstream ended at case {number}: {line}"
                    text += more
                answer, _, text = text.partition(b"\n")
                yield json.loads(answer)
        finally:
            process.kill()
            asking.join()


def _write(pipe: IO[bytes], lines: list[str]) -> None:
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(("\n".join(lines) + "\n").encode())


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


@pytest.mark.timeout(0)  # of two programs that compute: what bounds it is that they go on
@pytest.mark.parametrize("seed", SEEDS)
def test_equals_upstream(seed: int) -> None:
    listed = list(cases(seed, CASES))
    lines = [json.dumps(case) for case in listed]
    allocator = Allocator()
    seen: Counter[str] = Counter()
    differing: list[str] = []
    too_long = 0
    for line, theirs in zip(lines, upstream(lines), strict=True):
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
