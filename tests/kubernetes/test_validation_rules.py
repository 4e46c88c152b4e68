"""Rules of custom resources mean, say and cost what they do in upstream's own code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.rule_cases import our_answer, questions, their_answer


def test_rules_written_by_hand(peers: Path) -> None:
    asked = list(questions())
    lines = "".join(json.dumps(question) + "\n" for question in asked)
    done = subprocess.run(
        [str(peers / "upstream-rules")], input=lines, capture_output=True, text=True, check=True
    )
    found: list[str] = []
    for question, line in zip(asked, done.stdout.splitlines(), strict=True):
        ours, theirs = our_answer(question), their_answer(json.loads(line))
        if "messageExpression" in json.dumps(question) and not theirs.get("causes"):
            theirs.pop("cost", None)  # of warnings, which are none of ours
            ours.pop("cost", None)
        if ours != theirs:
            found.append(f"{question}: {ours}, not {theirs}")
    assert found == []
