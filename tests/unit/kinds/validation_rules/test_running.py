"""What rules say of objects, and what they may cost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mizzen.base.errors import CAUSES_MAX, Cause
from mizzen.kinds.structural import check_structural
from mizzen.kinds.validation_rules.compiling import rules_of
from mizzen.kinds.validation_rules.running import COST_MAX, Budget, validator_of

RULES = "x-kubernetes-validations"
KEYED = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}


def run(
    schema: dict[str, Any], new: Any, old: Any = None, budget: Budget | None = None
) -> list[Cause]:
    """Of the field `spec` with this schema; what it may cost by estimate is not asked, as of those that
    were stored before."""
    whole = {"type": "object", "properties": {"spec": schema}}
    refused = check_structural(whole, "s")
    assert [cause for cause in refused if "estimated rule cost" not in cause.message] == []
    rules = rules_of(whole)
    assert rules is not None

    def written(spec: Any) -> dict[str, Any]:
        return {"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "x"}, "spec": spec}

    before = None if old is None else written(old)
    return validator_of(rules, budget or Budget())(written(new), before)


def integer(*rules: Any, **more: Any) -> dict[str, Any]:
    written: list[Any] = [{"rule": rule} if isinstance(rule, str) else rule for rule in rules]
    return {"type": "integer", RULES: written, **more}


def record(*rules: Any, **fields: Any) -> dict[str, Any]:
    return {**integer(*rules), "type": "object", "properties": fields}


def told(causes: list[Cause]) -> list[tuple[str, str, str]]:
    return [(cause.field, cause.message, cause.reason) for cause in causes]


INT = {"type": "integer"}
TEXT = {"type": "string"}


def test_a_broken_rule_names_itself_or_its_message() -> None:
    schema = integer("self > 1", {"rule": "self > 2", "message": " more than 2 "})
    assert run(schema, 3) == []
    assert told(run(schema, 1)) == [
        ("spec", "Invalid value: 1: failed rule: self > 1", "FieldValueInvalid"),
        ("spec", "Invalid value: 1: more than 2", "FieldValueInvalid"),
    ]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("FieldValueInvalid", "Invalid value: 1: no"),
        ("FieldValueForbidden", "Forbidden: no"),
        ("FieldValueRequired", "Required value: no"),
        ("FieldValueDuplicate", "Duplicate value: 1"),
    ],
)
def test_reasons(reason: str, message: str) -> None:
    schema = integer({"rule": "false", "message": "no", "reason": reason})
    assert told(run(schema, 1)) == [("spec", message, reason)]


def test_the_value_of_what_has_parts_is_left_out_and_its_field_is_named() -> None:
    rule = {"rule": "self.a == self.b", "fieldPath": ".m['x.y']"}
    schema = record(rule, a=INT, b=INT, m={"type": "object", "additionalProperties": TEXT})
    assert told(run(schema, {"a": 1, "b": 2})) == [
        ("spec.m[x.y]", "Invalid value: failed rule: self.a == self.b", "FieldValueInvalid")
    ]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'at least %d'.format([self + 1])", "at least 2"),
        ("'  trimmed '", "trimmed"),
        ("''", "failed rule: false"),
        ("'a\\nb'", "failed rule: false"),
        ("string(1 / (self - 1))", "failed rule: false"),
        ("'a'.replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa')"
         ".replace('a', 'aaaaaaaaaa')", "failed rule: false"),
    ],
)  # fmt: skip
def test_messages_are_computed_or_else_as_written(expression: str, message: str) -> None:
    schema = integer({"rule": "false", "messageExpression": expression})
    assert told(run(schema, 1))[0][1] == f"Invalid value: 1: {message}"


def test_what_fails_is_told_as_the_failure_it_is() -> None:
    schema = record("self.a == 1", "1 / self.b == 1", a=INT, b=INT)
    assert [message for _, message, _ in told(run(schema, {"b": 0}))] == [
        'Invalid value: "object": no such key: a evaluating rule: self.a == 1',
        'Invalid value: "object": division by zero evaluating rule: 1 / self.b == 1',
    ]
    [cause] = run({"x-kubernetes-int-or-string": True, RULES: [{"rule": "self > 'a'"}]}, 1)
    assert "'no such overload': call arguments did not match" in cause.message


def test_rules_are_asked_wherever_they_stand() -> None:
    schema = record(
        l={"type": "array", "items": integer("self > 0")},
        m={"type": "object", "additionalProperties": integer("self > 0")},
        o=record("has(self.a)", a=INT),
    )
    found = run(schema, {"l": [1, 0], "m": {"x": 0, "y": 1}, "o": {}})
    assert [cause.field for cause in found] == ["spec.l[1]", "spec.m[x]", "spec.o"]
    assert run(schema, {}) == []  # not there, not asked


def test_nulls_are_values_of_lists_and_maps_and_absent_fields() -> None:
    null = {**INT, "nullable": True}
    schema = record(
        "!has(self.a) && dyn(self.l[0]) == null && dyn(self.m['k']) == null",
        a=integer("false", nullable=True),
        l={"type": "array", "items": null},
        m={"type": "object", "additionalProperties": null},
    )
    assert run(schema, {"a": None, "l": [None], "m": {"k": None}}) == []


def test_values_have_the_types_of_their_schema() -> None:
    schema = record(
        "self.t == timestamp('2026-01-31T12:00:00Z') && self.d == timestamp('2026-01-31T00:00:00Z')",
        "self.u == duration('90m') && self.w == duration('48h')",
        "self.b == b'hi' && self.f == 1.0 && type(self.p) == string",
        "self.x__dash__y == 1 && self.__if__ == 2",
        t={**TEXT, "format": "date-time"},
        d={**TEXT, "format": "date"},
        u={**TEXT, "format": "duration"},
        w={**TEXT, "format": "duration"},
        b={**TEXT, "format": "byte"},
        f={"type": "number"},
        p={"x-kubernetes-int-or-string": True},
        **{"x-y": INT, "if": INT},
    )
    spec = {
        "t": "2026-01-31t13:00:00.0+01:00", "d": "2026-01-31", "u": "1h30m", "w": "2 days",
        "b": "aGk=", "f": 1, "p": "80%", "x-y": 1, "if": 2,
    }  # fmt: skip
    assert run(schema, spec) == []


def test_transition_rules_run_on_updates_only() -> None:
    schema = integer("self >= oldSelf")
    assert run(schema, 1) == []
    assert run(schema, 2, 1) == []
    assert told(run(schema, 1, 2))[0][1] == "Invalid value: 1: failed rule: self >= oldSelf"
    fields = record(a=schema)
    assert run(fields, {"a": 1}, {}) == []  # a new field has no old self


def test_an_optional_old_self_runs_on_creation_too() -> None:
    rule = {"rule": "oldSelf.hasValue() ? self > oldSelf.value() : self == 1"}
    schema = integer({**rule, "optionalOldSelf": True})
    assert run(schema, 1) == []
    assert len(run(schema, 2)) == 1
    assert run(schema, 2, 1) == []
    assert len(run(schema, 1, 1)) == 1


def test_elements_of_map_lists_are_followed_by_their_keys() -> None:
    item = record(k=TEXT, v=integer("self >= oldSelf"))
    schema = record(l={"type": "array", "items": {**item, "required": ["k"]}, **KEYED})
    old = {"l": [{"k": "a", "v": 1}, {"k": "b", "v": 5}]}
    assert (
        run(schema, {"l": [{"k": "b", "v": 5}, {"k": "a", "v": 2}, {"k": "c", "v": 0}]}, old) == []
    )
    found = run(schema, {"l": [{"k": "b", "v": 4}, {"k": "a", "v": 1}]}, old)
    assert [cause.field for cause in found] == ["spec.l[0].v"]


def test_what_has_not_changed_does_not_keep_the_rest_from_changing() -> None:
    schema = record(
        a=integer("self > 0"), b=INT,
        l={"type": "array", "items": integer("self > 0")},
    )  # fmt: skip
    old = {"a": 0, "b": 1, "l": [0]}
    assert run(schema, {"a": 0, "b": 2, "l": [0]}, old) == []
    assert [cause.field for cause in run(schema, {"a": -1, "b": 1, "l": [0]}, old)] == ["spec.a"]
    # Elements of a list without keys have no old ones: they are as new as the list.
    assert [c.field for c in run(schema, {"a": 0, "l": [0, 1]}, old)] == ["spec.l[0]"]
    assert [c.field for c in run(schema, old)] == ["spec.a", "spec.l[0]"]


def test_changed_rules_about_changes_are_not_passed_over() -> None:
    assert len(run(integer("self > oldSelf"), 1, 1)) == 1


def test_open_parts_count_in_comparisons() -> None:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = record("self.f == oldSelf.f", f=free)
    assert run(schema, {"f": {"a": [{"b": 1}]}}, {"f": {"a": [{"b": 1}]}}) == []
    assert len(run(schema, {"f": {"a": [{"b": 1}]}}, {"f": {"a": [{"b": 2}]}})) == 1


HOSTILE: dict[str, tuple[list[str], str]] = {
    "pairs": (["self.l.all(x, self.l.all(y, x <= y || y <= x))"], "actual cost limit"),
    "many": (["self.l.exists(x, x < 0)"] * 50, "actual cost limit"),
    "branches": (["self.l.all(x, " + "true?true:" * 240 + "true)"], "actual cost limit"),
    "compared": (["self == oldSelf"], "MiB that one evaluation may build"),
    "open": (["self.f == oldSelf.f"] * 50, "MiB that one evaluation may build"),
    "sought": (["self.s.all(x, x in self.s)"], "actual cost limit"),
    "filtered": (["self.o.filter(x, x.a == 1).size() > 3"] * 50, "actual cost limit"),
    "text": (["self.t.matches('(a|b|aa|ab)*(x|y)')"], "actual cost limit"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_object_holds_the_server(name: str) -> None:
    rules, says = HOSTILE[name]
    schema = record(
        *rules,
        l={"type": "array", "items": INT},
        s={"type": "array", "items": TEXT},
        o={"type": "array", "items": record(a=INT)},
        f={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        t=TEXT,
    )

    def spec() -> dict[str, Any]:
        return {
            "l": list(range(100_000)), "s": ["x" * 20] * 40_000, "t": "a" * 500_000,
            "o": [{"a": 1} for _ in range(60_000)], "f": {str(n): n for n in range(50_000)},
        }  # fmt: skip

    new, old = spec(), spec()
    budget = Budget()
    began = time.process_time()
    causes = run(schema, new, old, budget)
    assert time.process_time() - began < 2  # a tenth or two on an idle machine, minutes without
    assert says in causes[-1].message and "no further validation rules" in causes[-1].message


def test_a_rule_on_each_of_many_elements_is_cut_off_too() -> None:
    schema = record(l={"type": "array", "items": integer("true")})
    assert run(schema, {"l": [1] * 3000}) == []
    [cause] = run(schema, {"l": [1] * 300_000})
    assert "running out of cost budget" in cause.message and str(COST_MAX) in cause.message


def test_a_long_walk_is_cut_off_where_nothing_is_run_either() -> None:
    item = record(a=integer("true"))
    for several in ({"additionalProperties": item}, {"properties": {}, "items": item}):
        kind = "array" if "items" in several else "object"
        schema = {"type": kind, **several}
        empty: dict[str, Any] = {}
        spec = [empty] * 100_000 if kind == "array" else {str(n): empty for n in range(100_000)}
        [cause] = run(schema, spec)
        assert "running out of cost budget" in cause.message


def test_no_more_is_told_than_anybody_reads() -> None:
    schema = record(l={"type": "array", "items": integer("self > 0")})
    assert len(run(schema, {"l": [0] * 1000})) == CAUSES_MAX + 1


def test_a_budget_is_for_all_objects_of_a_request() -> None:
    schema = record("self.l.all(x, x > 0)", l={"type": "array", "items": INT})
    budget = Budget()
    spec = {"l": [1] * 1000}
    answers = [run(schema, spec, None, budget) for _ in range(8)]
    assert answers[0] == [] and answers[-1]
    budget.renew()
    assert run(schema, spec, None, budget) == []
