"""Upstream's own serializers read our protobuf as we meant it, and we read theirs."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from mizzen.apiserver.core.protobuf import decode
from mizzen.apiserver.core.protobuf_answers import encode
from support.protobuf_cases import CASES

# client-go's scheme, by which the peer works, does not have it.
KNOWN = [case for case in CASES if case["kind"] != "CustomResourceDefinition"]


def upstream(peers: Path, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    asked = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(
        [str(peers / "upstream-protobuf")], input=asked, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _without_zeros(value: Any) -> Any:
    """What upstream's types always hold, and ours leave out, does not count."""
    if isinstance(value, dict):
        found = {name: _without_zeros(part) for name, part in value.items()}
        return {name: part for name, part in found.items() if part not in ("", 0, False, None, {})}
    return [_without_zeros(part) for part in value] if isinstance(value, list) else value


def test_upstream_reads_what_we_write(peers: Path) -> None:
    lines = [{"protobuf": base64.b64encode(encode(case)).decode()} for case in KNOWN]
    for case, answer in zip(KNOWN, upstream(peers, lines), strict=True):
        assert _without_zeros(answer.get("json", answer)) == _without_zeros(case), case["kind"]


def test_we_read_what_upstream_writes(peers: Path) -> None:
    answers = upstream(peers, [{"json": case} for case in KNOWN])
    for case, answer in zip(KNOWN, answers, strict=True):
        found = decode(base64.b64decode(answer["protobuf"]))
        assert _without_zeros(found) == _without_zeros(case), case["kind"]
        # Zeros that a client meant are still there: those that its own JSON has.
        for line in ("replicas", "automountServiceAccountToken", "terminationGracePeriodSeconds"):
            assert (line in json.dumps(found)) == (line in json.dumps(case)), case["kind"]
