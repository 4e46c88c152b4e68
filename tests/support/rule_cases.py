"""Questions about rules of custom resources, and our answers in the form of upstream's.

`tests/kubernetes/peers/rules` answers them with upstream's own code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mizzen.cel.cost import Run
from mizzen.kinds.structural import check_structural
from mizzen.kinds.validation_rules.compiling import rules_of
from mizzen.kinds.validation_rules.running import Budget, validator_of

RULES = "x-kubernetes-validations"
_ROOT = "spec.validation.openAPIV3Schema"  # where upstream finds it: one version has no other place
_META: dict[str, Any] = {
    "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "abc"},
}  # fmt: skip
FIELDS: dict[str, Any] = {
    "n": {"type": "integer"},
    "m": {"type": "integer"},
    "f": {"type": "number"},
    "s": {"type": "string", "maxLength": 50},
    "t": {"type": "string", "maxLength": 50},
    "on": {"type": "boolean"},
    "since": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "for": {"type": "string", "format": "duration"},
    "raw": {"type": "string", "format": "byte", "maxLength": 50},
    "x-y": {"type": "string", "maxLength": 50},
    "a__b": {"type": "string", "maxLength": 50},
    "port": {"x-kubernetes-int-or-string": True},
    "maybe": {"type": "integer", "nullable": True},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "labels": {
        "type": "object", "maxProperties": 10,
        "additionalProperties": {"type": "string", "maxLength": 50},
    },
    "ints": {"type": "array", "maxItems": 10, "items": {"type": "integer"}},
    "nulls": {"type": "array", "maxItems": 10, "items": {"type": "integer", "nullable": True}},
    "names": {
        "type": "array", "maxItems": 10, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": 50},
    },
    "list": {
        "type": "array", "maxItems": 10, "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": {
            "type": "object", "required": ["k"],
            "properties": {"k": {"type": "string", "maxLength": 50}, "v": {"type": "integer"}},
        },
    },
    "plain": {
        "type": "array", "maxItems": 10,
        "items": {"type": "object", "properties": {"v": {"type": "integer"}}},
    },
    "pairs": {
        "type": "array", "maxItems": 5, "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["a-a", "b"],
        "items": {
            "type": "object", "required": ["a-a", "b"],
            "properties": {
                "a-a": {"type": "string", "maxLength": 5}, "b": {"type": "integer"},
                "sub": {
                    "type": "array", "maxItems": 5, "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                    "items": {
                        "type": "object", "required": ["k"],
                        "properties": {"k": {"type": "boolean"}, "v": {"type": "number"}},
                    },
                },
            },
        },
    },
    "objects": {
        "type": "object", "maxProperties": 5,
        "additionalProperties": {
            "type": "object", "nullable": True,
            "properties": {"v": {"type": "integer", "nullable": True}},
        },
    },
    "matrix": {
        "type": "array", "maxItems": 5,
        "items": {"type": "array", "maxItems": 5, "items": {"type": "number"}},
    },
    "whole": {
        "type": "object", "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"data": {"type": "string", "maxLength": 9}},
    },
    "atomic": {
        "type": "object", "x-kubernetes-map-type": "atomic",
        "properties": {"v": {"type": "integer"}, "namespace": {"type": "string", "maxLength": 9}},
    },
    "empty": {"type": "object"},
}  # fmt: skip
NEW: dict[str, Any] = {
    "n": 3, "m": 5, "f": 2, "s": "abc", "t": "", "on": True, "since": "2026-01-31T12:00:00Z",
    "day": "2026-01-31", "for": "1h30m", "raw": "aGk=", "x-y": "dash", "a__b": "under", "port": 80,
    "maybe": None, "free": {"a": [1]}, "labels": {"a.b": "c", "x": "y"}, "ints": [3, 1, 2],
    "nulls": [None, 1], "names": ["b", "a"],
    "list": [{"k": "one", "v": 1}, {"k": "two", "v": 2}], "plain": [{"v": 1}, {}],
    "pairs": [
        {"a-a": "x", "b": 1, "sub": [{"k": True, "v": 1.5}, {"k": False}]}, {"a-a": "x", "b": 2},
    ],
    "objects": {"a": {"v": 1}, "b": {"v": None}, "c": None}, "matrix": [[1, 2.5], []],
    "atomic": {"v": 1, "namespace": "d"}, "empty": {},
    "whole": {"apiVersion": "v1", "kind": "A", "metadata": {"name": "e"}, "data": "x", "more": 1},
}  # fmt: skip
_OPEN = ("free", "whole")  # they have fields unknown to their schema
SAME = {name: value for name, value in NEW.items() if name not in _OPEN}
OLD: dict[str, Any] = {
    **NEW, "n": 2, "names": ["a", "b"], "port": "80%", "free": {"a": [2]},
    "list": [{"k": "two", "v": 3}, {"k": "one", "v": 1}],
    "pairs": [{"a-a": "x", "b": 2}, {"a-a": "x", "b": 1, "sub": [{"k": True, "v": 2}]}],
    "objects": {"a": {"v": 2}, "b": {}}, "matrix": [[1, 2.5]],
    "atomic": {"v": 2}, "whole": {**NEW["whole"], "data": "z"},
}  # fmt: skip


def _place(node: dict[str, Any], at: str) -> dict[str, Any]:
    for step in at.split(".") if at else ():
        node = node[step]
    return node


def _question(at: str, rules: list[dict[str, Any]], new: Any, old: Any) -> dict[str, Any]:
    spec = json.loads(json.dumps({"type": "object", "properties": FIELDS}))
    schema = {"type": "object", "properties": {"spec": spec}}
    _place(schema if at == "root" else spec, "" if at == "root" else at)[RULES] = rules
    asked = {"schema": schema, "new": {**_META, "spec": new}}
    return asked if old is None else {**asked, "old": {**_META, "spec": old}}


def questions() -> Iterator[dict[str, Any]]:
    """Those of rules.txt: each line is a place, a bar, and a rule or the JSON of one. Each is asked
    of a new object, of a changed one, and of one that has not changed (upstream takes any that has
    fields unknown to its schema for changed)."""
    for line in (Path(__file__).parent / "rules.txt").read_text().splitlines():
        at, _, written = line.partition(" | ")
        rule = json.loads(written) if written.startswith('{"') else {"rule": written}
        for new, old in ((NEW, None), (NEW, OLD), (SAME, SAME)):
            yield _question(at.strip(), [rule], new, old)


class _Sum(Budget):
    """What it came to, as upstream counts."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def settle(self, bill: Run) -> None:
        super().settle(bill)
        self.total += bill.cost


def our_answer(question: dict[str, Any]) -> dict[str, Any]:
    """{"definition": fields}, or {"causes": [[field, reason, message], ...], "cost": n}."""
    refused = check_structural(question["schema"], _ROOT)
    if refused:
        return {"definition": sorted({cause.field for cause in refused})}
    rules = rules_of(question["schema"])
    assert rules is not None
    budget = _Sum()
    causes = validator_of(rules, budget)(question["new"], question.get("old"))
    told = [[cause.field, cause.reason, _words(cause.message)] for cause in causes]
    return {"causes": sorted(told), "cost": budget.total}


def _words(message: str) -> str:
    """Without what is said of a conversion that failed: the words differ."""
    return re.sub("type conversion error.* evaluating", "type conversion error evaluating", message)


def their_answer(answer: dict[str, Any]) -> dict[str, Any]:
    """The same of what the peer wrote."""
    if answer.get("definition"):
        return {"definition": sorted({each["field"] for each in answer["definition"]})}
    causes = [[each["field"], each["reason"], _words(each["message"])] for each in answer["causes"]]
    return {"causes": sorted(causes), "cost": answer["cost"]}
