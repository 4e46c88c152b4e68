"""Device selectors answer what upstream's evaluator was recorded to answer, at the same cost.

`python tests/unit/scheduler/test_cel_recorded.py PROGRAM` records anew with upstream-selector.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


RECORDED = Path(__file__).parent / "cel_recorded.jsonl"
RANDOM, SEED = 400, 1


def record(program: str) -> None:
    from support.selector_cases import random_questions, written_questions

    questions = [*written_questions(), *random_questions(SEED, RANDOM)]
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    with RECORDED.open("w") as out:
        for line in done.stdout.splitlines():
            answer = json.loads(line)
            answer.pop("error", None)
            out.write(json.dumps(answer) + "\n")


def test_recorded_answers() -> None:
    from support.selector_cases import our_answer, random_questions, written_questions

    questions = [*written_questions(), *random_questions(SEED, RANDOM)]
    answers = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    assert len(answers) == len(questions) > 1500
    wrong = [
        (question["expression"], question["features"], theirs)
        for question, theirs in zip(questions, answers, strict=True)
        if our_answer(question) != theirs
    ]
    assert wrong == []


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    record(sys.argv[1])
