"""The most that expressions may cost, to the unit what upstream's own code estimates.

`estimated.jsonl` has schemas, and rules of each with the MaxCost of
k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel Compile, v0.36.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mizzen.cel.estimate_sizes import MOST, Size, fixed, priced, times
from mizzen.cel.tree import CompileError
from mizzen.kinds.validation_rules.compiling import rules_of

RULES = "x-kubernetes-validations"
RECORDED = Path(__file__).parent / "estimated.jsonl"


def costs(schema: dict[str, Any], *rules: str) -> list[int]:
    """By rule of a field `spec` with this schema."""
    spec = {**schema, RULES: [{"rule": rule} for rule in rules]}
    found = rules_of({"type": "object", "properties": {"spec": spec}})
    assert found is not None
    made = [rule.program for rule in found.root.fields["spec"].rules]
    return [-1 if isinstance(each, CompileError) else each.cost_max for each in made]


@pytest.mark.parametrize("line", RECORDED.read_text().splitlines())
def test_recorded_costs(line: str) -> None:
    asked = json.loads(line)
    rules, theirs = zip(*asked["costs"], strict=True)
    ours = costs(asked["schema"], *rules)
    wrong = [each for each in zip(rules, ours, theirs, strict=True) if each[1] != each[2]]
    assert wrong == []


def test_what_is_appended_to_a_path_overwrites_what_was_appended_before() -> None:
    """As in Go, where slices share their memory: once `x.b` is read, the elements of `x.a` are taken
    for those of `x.b`."""
    text = {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 5}}
    ints = {**text, "items": {"type": "integer"}}
    item = {"type": "object", "properties": {"a": text, "b": ints}}
    node: dict[str, Any] = {"type": "array", "maxItems": 2, "items": item}
    for name in ("l", "d", "e"):
        node = {"type": "object", "properties": {name: node}}
    same = "k == 'abcdefghijklmnopqrstuvwxyz'"
    first = f"self.e.d.l.all(x, x.a.all(k, {same} && x.b.size() > 0))"
    last = f"self.e.d.l.all(x, x.a.all(k, x.b.size() > 0 && {same}))"
    assert costs(node, first, last) == [77, 65]


def test_sums_stop_at_the_highest_number() -> None:
    assert times(2**40, 2**40) == MOST
    assert priced(MOST, 0.1) == 1844674407370955264 and priced(MOST, 2) == MOST
    assert Size(1, MOST).plus(fixed(5)) == Size(6, MOST)
    assert Size(2, 3).union(Size(1, 2)) == Size(1, 3)
