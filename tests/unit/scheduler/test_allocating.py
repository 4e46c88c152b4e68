"""Allocation questions line by line: answers, and one clear error for what cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mizzen.scheduler.allocating import Allocator

RECORDED = Path(__file__).with_name("allocations.jsonl.gz")
CASE: dict[str, Any] = {
    "claims": [
        {
            "metadata": {"name": "c"},
            "spec": {
                "devices": {
                    "requests": [
                        {
                            "name": "r",
                            "exactly": {
                                "deviceClassName": "any",
                                "allocationMode": "ExactCount",
                                "count": 1,
                            },
                        }
                    ]
                }
            },
        }
    ],
    "classes": [{"metadata": {"name": "any"}}],
    "slices": [
        {
            "metadata": {"name": "s"},
            "spec": {
                "driver": "d.io",
                "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
                "nodeName": "n",
                "devices": [{"name": "d0"}],
            },
        }
    ],
    "node": {"metadata": {"name": "n"}},
}


def answers(*cases: Any) -> tuple[list[dict[str, Any]], int]:
    allocator = Allocator()
    lines = [case if isinstance(case, str) else json.dumps(case) for case in cases]
    return [json.loads(line) for line in allocator.answers(lines)], allocator.bad


def test_a_claim_that_fits_gets_its_devices() -> None:
    (answer,), bad = answers(CASE)
    assert answer["results"][0]["devices"]["results"][0]["device"] == "d0"
    assert answer["reason"] == ""
    assert bad == 0


def test_a_case_may_be_labelled() -> None:
    (answer,), bad = answers({**CASE, "id": 7, "name": "first"})
    assert answer["results"]
    assert bad == 0


def test_a_claim_that_does_not_fit_is_told_why() -> None:
    (answer,), bad = answers({**CASE, "allocatedDevices": ["d.io/p/d0"]})
    assert answer["results"] is None
    assert "want 1, 0 free of 1 that match" in answer["reason"]
    assert bad == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "is not an object"),
        ('{"claim": []}', "'claim' is unknown; did you mean 'claims'?"),
        ('{"order": "best"}', "neither compat nor pack"),
        ('{"features": ["DRAWhatever"]}', "feature 'DRAWhatever' is unknown"),
        ('{"claims": {}}', "claims: {} is not a list"),
        ('{"slices": [{"spec": {}}]}', "slices[0]: metadata is missing"),
        ('{"allocatedDevices": ["x"]}', "'x' is not driver/pool/device"),
        ("[" * 100_000, "the line is nested too deeply"),
    ],
)
def test_a_line_that_cannot_be_read_is_one_error_and_the_rest_goes_on(line: str, says: str) -> None:
    (first, second), bad = answers(line, CASE)
    assert says in first["error"]
    assert second["results"]
    assert bad == 1


def test_pack_fills_in_what_the_api_server_would_and_compat_does_not() -> None:
    case = json.loads(json.dumps(CASE))
    case["claims"][0]["spec"]["devices"]["requests"][0]["exactly"] = {"deviceClassName": "any"}
    (compat, pack), _ = answers(case, {**case, "order": "pack"})
    assert "allocationMode is absent" in compat["error"]
    assert pack["results"]


def test_answers_are_those_that_upstream_gave() -> None:
    """Random cases with upstream's answers, as tests/kubernetes/test_allocate.py compares them."""
    allocator = Allocator()
    with gzip.open(RECORDED, "rt") as lines:
        pairs = [json.loads(line) for line in lines]
    assert len(pairs) >= 100
    for case, expected in pairs:
        ours = allocator.answer(json.dumps(case))
        got = "error" if "error" in ours else ours["results"]
        for allocation in got if isinstance(got, list) else ():
            for result in allocation["devices"].get("results", ()):
                if "shareID" in result:
                    result["shareID"] = "any"
        assert got == expected, case
