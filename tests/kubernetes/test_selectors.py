"""Device selectors answer, fail and cost what they do in upstream's own evaluator."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mizzen.cel.cost import LIMIT
from support.selector_cases import PLAIN, our_answer, random_questions, written_questions

RANDOM = 4000
SEED = 36
# Loops of n rounds, whose cost grows evenly.
COSTLY = [
    "lists.range(N).map(i, i * 2).sum() >= 0",
    'lists.range(N).map(i, string(i % 10)).join(",").size() > 0',
    'lists.range(N).all(i, device.attributes["gpu.example.com"].model.matches("^[A-Z]+[0-9]*$"))',
    'lists.range(N).all(i, device.capacity["gpu.example.com"].memory.isGreaterThan(quantity("1Gi")))',
    "sets.contains(lists.range(N), lists.range(100))",
]


def upstream(peers: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run(
        [str(peers / "upstream-selector")], input=asked, capture_output=True, text=True, check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        answer.pop("error", None)  # the words may differ
    return answers


def differences(questions: list[dict[str, Any]], answers: list[dict[str, Any]]) -> list[str]:
    assert len(answers) == len(questions)
    found: list[str] = []
    for question, theirs in zip(questions, answers, strict=True):
        ours = our_answer(question)
        if ours != theirs:
            found.append(f"{question['expression']} {question['features']}: {ours}, not {theirs}")
    return found


def test_expressions_written_by_hand(peers: Path) -> None:
    questions = written_questions()
    assert differences(questions, upstream(peers, questions)) == []


def test_random_expressions(peers: Path) -> None:
    questions = list(random_questions(SEED, RANDOM))
    answers = upstream(peers, questions)
    assert differences(questions, answers) == []
    kinds = [answer.get("phase") or str(answer["result"]) for answer in answers]
    for kind in ("True", "False", "compile", "runtime"):
        assert kinds.count(kind) > RANDOM // 20, kind


@pytest.mark.parametrize("template", COSTLY)
def test_the_cost_limit_falls_between_the_same_two_rounds(peers: Path, template: str) -> None:
    def asked(rounds: int) -> dict[str, Any]:
        expression = template.replace("N", str(rounds), 1)
        return {"expression": expression, "device": PLAIN, "features": []}

    few, more = (our_answer(asked(rounds))["cost"] for rounds in (1000, 2000))
    most = 1000 + (LIMIT - few) * 1000 // (more - few)
    questions = [asked(most - 20), asked(most + 20)]
    below, above = upstream(peers, questions)
    assert "result" in below and above["phase"] == "runtime"
    assert [our_answer(question) for question in questions] == [below, above]
