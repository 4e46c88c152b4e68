"""Sequences that differed once, with upstream's answers: one JSON object a line in `*.jsonl`."""

from __future__ import annotations

import json
from pathlib import Path

from differential.steps import Case


def _cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for path in sorted(Path(__file__).parent.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            case = Case.of_json(json.loads(line))
            assert case.name not in found, f"two cases are called {case.name}"
            found[case.name] = case
    return found


CASES = _cases()
