"""Definitions whose rules are wrong are refused with where and why."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.structural import check_structural
from mizzen.kinds.validation_rules.definition import SOURCES_BYTES_MAX

RULES = "x-kubernetes-validations"
FIELDS: dict[str, Any] = {
    "n": {"type": "integer"},
    "s": {"type": "string"},
    "t": {"type": "string", "maxLength": 9},
    "few": {"type": "array", "maxItems": 9, "items": {"type": "string", "maxLength": 9}},
    "since": {"type": "string", "format": "date-time"},
    "for": {"type": "string", "format": "duration"},
    "raw": {"type": "string", "format": "byte"},
    "x-y": {"type": "string"},
    "port": {"x-kubernetes-int-or-string": True},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "list": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
    "whole": {"type": "object", "x-kubernetes-embedded-resource": True,
              "x-kubernetes-preserve-unknown-fields": True},
    "$": {"type": "string"},
}  # fmt: skip


def causes(*rules: dict[str, Any], at: str = "", **change: Any) -> list[tuple[str, str]]:
    spec: dict[str, Any] = {"type": "object", "properties": {**FIELDS, **change}}
    schema = {"type": "object", "properties": {"spec": spec}}
    places: dict[str, dict[str, Any]] = {"": spec, "root": schema, **spec["properties"]}
    node = places[at]
    node[RULES] = list(rules)
    try:
        found = check_structural(schema, "s")
    finally:
        node.pop(RULES)
    prefix = f"s.properties[spec].{RULES}"
    return [(cause.field.removeprefix(prefix), cause.message) for cause in found]


@pytest.mark.parametrize(
    "rule",
    [
        "self.n > 1 && self.s.startsWith('a')",
        "self.x__dash__y == 'a'",
        "self.since < timestamp('2030-01-01T00:00:00Z') && self.__for__ > duration('1h')",
        "self.raw == b'a'",
        "type(self.port) == int ? self.port < 5 : self.port.matches('a+')",
        "'a' in self.labels && self.labels['a'] == 'b'",
        "self.labels.all(key, self.labels[key] == key)",
        "self.list.exists(x, has(x.k))",
        "self.few.exists(x, x == self.t)",
        "!has(self.free)",
        "self.whole.kind == 'A' && self.whole.metadata.name == 'b'",
        "self == oldSelf",
        "self.few.sort() == ['a']",
        "self.?s.orValue('') == ''",
        "quantity('1').isGreaterThan(quantity('1m')) && isURL('a')",
    ],
)
def test_what_is_declared_can_be_asked_for(rule: str) -> None:
    assert causes({"rule": rule}) == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("self.nope == 1", ":5: undefined field 'nope'"),
        ("self.list[0].nope == 1", ":13: undefined field 'nope'"),
        ("self.n == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
        ("self.free.x == 1", ":10: undefined field 'x'"),
        ("self.any == 1", "undefined field 'any'"),
        ("self.metadata.name == ''", "undefined field 'metadata'"),
        ("self.whole.metadata.labels == {}", "undefined field 'labels'"),
        ("self.list == self", "found no matching overload"),
        ("self.n >", "1:9: Syntax error: mismatched input '<EOF>' expecting {"),
        ("device.driver == ''", "undeclared reference to 'device'"),
        ("self.s.includes('a')", "undeclared reference to 'includes'"),
        ("cel.bind(x, self.n, x == 1)", "undeclared reference"),
        ("self.s.matches('(')", "1:16: invalid matches argument"),
        ("authorizer.path('/').check('get').allowed()", "undeclared reference"),
        ("true" + " " * 10300, "longer than 10240 bytes"),
    ],
)
def test_what_does_not_compile_is_refused(rule: str, problem: str) -> None:
    [(field, message)] = causes({"rule": rule})
    assert field == "[0].rule"
    assert message.startswith("Invalid value: ") and "compilation failed: " in message
    assert problem in message


@pytest.mark.parametrize(
    ("rule", "field", "message"),
    [
        ({"rule": " "}, "rule", "Required value: rule is not specified"),
        ({"message": " "}, "message", 'Invalid value: " ": must be non-empty if specified'),
        ({"message": "a\nb"}, "message", 'Invalid value: "a\\nb": must not contain line breaks'),
        (
            {"rule": "self.n >\n1"},
            "message",
            "Required value: message must be specified if rule contains line breaks",
        ),
        (
            {"messageExpression": " "},
            "messageExpression",
            "Required value: messageExpression must be non-empty if specified",
        ),
        (
            {"messageExpression": "self.n"},
            "messageExpression",
            'Invalid value: {"Rule":"self.n \\u003e 1","Message":"","MessageExpression":"self.n",'
            '"Reason":null,"FieldPath":"","OptionalOldSelf":null}: messageExpression must evaluate '
            "to a string",
        ),
        (
            {"reason": "Nope"},
            "reason",
            'Unsupported value: "Nope": supported values: "FieldValueDuplicate", '
            '"FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
        ),
        (
            {"fieldPath": ".nope"},
            "fieldPath",
            'Invalid value: ".nope": must be a valid path',
        ),
        (
            {"optionalOldSelf": True},
            "optionalOldSelf",
            "Invalid value: true: may not be set if oldSelf is not used in rule",
        ),
    ],
)
def test_what_is_said_beside_a_rule_is_checked(
    rule: dict[str, Any], field: str, message: str
) -> None:
    assert causes({"rule": "self.n > 1", **rule}) == [(f"[0].{field}", message)]


@pytest.mark.parametrize("rule", ["self.n", "self.port"])
def test_a_rule_is_true_or_false(rule: str) -> None:
    [(field, message)] = causes({"rule": rule})
    assert field == "[0].rule" and message.endswith(": cel expression must evaluate to a bool")


def test_metadata_is_there_at_the_root() -> None:
    rule = "self.metadata.name == self.metadata.generateName && self.kind != self.apiVersion"
    assert causes({"rule": rule}, at="root") == []
    [(_, message)] = causes({"rule": "self.metadata.labels == {}"}, at="root")
    assert "1:14: undefined field 'labels'" in message


def test_an_old_self_must_be_one_that_corresponds() -> None:
    keys: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    rules = [{"rule": "self == oldSelf"}]
    text = {"type": "string", "maxLength": 9}
    item = {"type": "object", "properties": {"k": text}, "required": ["k"]}
    keys["maxItems"] = 9
    for kind in ({}, {"x-kubernetes-list-type": "atomic"}, {"x-kubernetes-list-type": "set"}):
        atomic = {
            "type": "array", "maxItems": 9, **kind,
            "items": {"type": "string", "maxLength": 9, RULES: rules},
        }  # fmt: skip
        [(field, message)] = causes(list=atomic)
        assert field == f"s.properties[spec].properties[list].items.{RULES}[0].rule"
        assert (
            "oldSelf cannot be used on the uncorrelatable portion of the schema within" in message
        )
        assert message.endswith("s.properties[spec].properties[list]")
    assert causes(list={"type": "array", "items": {**item, RULES: rules}, **keys}) == []
    assert causes({"rule": "self == oldSelf"}, at="list") == []


def test_rules_within_combinations_are_refused() -> None:
    below = {"properties": {"n": {RULES: [{"rule": "true"}]}}}
    for word in ("allOf", "anyOf", "oneOf"):
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, word: [below]}
        found = check_structural({"type": "object", "properties": {"spec": schema}}, "s")
        assert [cause.message for cause in found] == ["Forbidden: must be empty to be structural"]


def test_of_what_nothing_is_declared_there_are_no_rules() -> None:
    [(_, message)] = causes({"rule": "true"}, at="any")
    assert "compilation failed" in message
    assert "nothing is declared of it" in message


def test_rules_that_would_never_run_are_refused() -> None:
    below = {"n": {"type": "integer", RULES: [{"rule": "true"}]}}
    for above in ({"type": "string"}, {"x-kubernetes-preserve-unknown-fields": True}):
        [(field, message)] = causes(o={**above, "properties": below})
        assert (
            field.endswith(f"properties[o].properties[n].{RULES}") and "would never run" in message
        )


def test_all_rules_together_are_bounded() -> None:
    rule = {"rule": "self.n > 0" + " || self.n > 0" * 500}
    [(field, message)] = causes(*[rule] * 5)
    assert field == "s" and f"at most {SOURCES_BYTES_MAX}" in message
    assert causes(rule) == []
