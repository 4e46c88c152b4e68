"""Rules mean, say and cost what upstream's own code was recorded to say of them.

`python tests/unit/kinds/validation_rules/test_recorded.py PROGRAM` records anew with upstream-rules.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.rule_cases import our_answer, questions, their_answer

RECORDED = Path(__file__).parent / "recorded.jsonl"


def record(program: str) -> None:
    asked = "".join(json.dumps(question) + "\n" for question in questions())
    done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    lines = [json.dumps(their_answer(json.loads(line))) for line in done.stdout.splitlines()]
    RECORDED.write_text("\n".join(lines) + "\n")


def test_recorded_answers() -> None:
    answers = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    found: list[str] = []
    for question, theirs in zip(questions(), answers, strict=True):
        ours = our_answer(question)
        if "messageExpression" in json.dumps(question) and not theirs.get("causes"):
            theirs.pop("cost", None)  # of warnings, which are none of ours
            ours.pop("cost", None)
        if ours != theirs:
            found.append(f"{question}: {ours}, not {theirs}")
    assert found == []


if __name__ == "__main__":
    record(sys.argv[1])
