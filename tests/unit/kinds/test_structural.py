"""Structural schemas: what is refused, and what combinations mean."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mizzen.kinds.combined import predicate
from mizzen.kinds.decoding import decode
from mizzen.kinds.report import Report
from mizzen.kinds.structural import check_structural, translate


def _root(**spec: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": spec}}


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "string"}, "s.type"),
        (_root(), "s.properties[spec].type"),
        (_root(type="obj"), "s.properties[spec].type"),
        (_root(type="array"), "s.properties[spec].items"),
        (_root(type="object", **{"$ref": "#/x"}), "s.properties[spec].$ref"),
        (
            _root(type="object", additionalProperties=False),
            "s.properties[spec].additionalProperties",
        ),
        (
            _root(
                type="object",
                properties={"a": {"type": "string"}},
                additionalProperties={"type": "string"},
            ),
            "s.properties[spec].additionalProperties",
        ),
        (_root(type="integer", **{"x-kubernetes-int-or-string": True}), "s.properties[spec].type"),
        (_root(type="string", pattern="("), "s.properties[spec].pattern"),
        (_root(type="string", anyOf=[{"type": "string"}]), "s.properties[spec].anyOf[0].type"),
        (
            _root(type="object", **{"x-kubernetes-validations": [{"rule": "true"}]}),
            "s.properties[spec].x-kubernetes-validations",
        ),
        (
            _root(type="array", items={"type": "object"}, **{"x-kubernetes-list-type": "map"}),
            "s.properties[spec].x-kubernetes-list-map-keys",
        ),
        (
            {
                "type": "object",
                "properties": {"metadata": {"type": "object", "required": ["name"]}},
            },
            "s.properties[metadata]",
        ),
    ],
)
def test_what_is_refused(schema: dict[str, Any], field: str) -> None:
    assert field in [cause.field for cause in check_structural(schema, "s")]


def test_what_is_fine() -> None:
    schema = _root(
        type="object",
        properties={
            "port": {
                "x-kubernetes-int-or-string": True,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
            }
        },
    )
    assert check_structural(schema, "s") == []


def _causes(schema: dict[str, Any], value: Any) -> list[str]:
    return [
        c.message
        for c in decode(
            translate({"type": "object", "properties": {"x": schema}}), {"x": value}
        ).causes
    ]


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 2, 1),
        ({"type": "number", "maximum": 2, "exclusiveMaximum": True}, 1.5, 2),
        ({"type": "integer", "multipleOf": 5}, 10, 11),
        ({"type": "string", "enum": ["a", "b"]}, "a", "c"),
        ({"type": "string", "nullable": True}, None, 1),
        (
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            ["a"],
            ["a", "a"],
        ),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["a"], ["a", "b"]),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 1},
            {"a": 1},
            {"a": 1, "b": 2},
        ),
        ({"type": "string", "anyOf": [{"pattern": "^a"}, {"maxLength": 2}]}, "zz", "zzz"),
        ({"type": "string", "oneOf": [{"pattern": "^a"}, {"maxLength": 2}]}, "zz", "a"),
        ({"type": "string", "allOf": [{"pattern": "^a"}, {"maxLength": 2}]}, "ab", "abc"),
        ({"type": "string", "not": {"enum": ["x"]}}, "y", "x"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {"a": ""},
            {"a": "", "b": ""},
        ),
        ({"x-kubernetes-int-or-string": True}, "1", 1.5),
        (
            {
                "x-kubernetes-embedded-resource": True,
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "X", "z": 1},
            {"kind": "X"},
        ),
    ],
)
def test_values(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert _causes(schema, good) == []
    assert len(_causes(schema, bad)) == 1


def test_predicates_look_inside() -> None:
    schema = {"properties": {"a": {"items": {"minimum": 1}, "minItems": 1}}}
    assert predicate(schema)({"a": [1, 2]}, Report())
    assert not predicate(schema)({"a": [0]}, Report())
    assert not predicate(schema)({"a": []}, Report())


HOSTILE = "^(a+)+$"


def test_patterns_take_time_linear_in_the_text() -> None:
    schema = translate(_root(type="string", pattern=HOSTILE))
    begun = time.process_time()
    assert decode(schema, {"spec": "a" * 40 + "!"}).causes
    assert not decode(schema, {"spec": "a" * 10_000}).causes
    assert not predicate({"pattern": HOSTILE})("a" * 40 + "!", Report())
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("pattern", ["(" * 500, "(?=a)", "[", "a{9999}"])
def test_patterns_that_re2_does_not_take_are_refused(pattern: str) -> None:
    (cause,) = check_structural(_root(type="string", pattern=pattern), "s")
    assert cause.field == "s.properties[spec].pattern" and len(cause.message) < 400
    # One that was stored before they were refused fails what it is asked about, and no more.
    assert decode(translate(_root(type="string", pattern=pattern)), {"spec": "x"}).causes
    assert not predicate({"pattern": pattern})("x", Report())


def test_an_enum_costs_the_same_however_long_it_is() -> None:
    enum = [f"v{n}" for n in range(20_000)]
    wanted = _root(type="array", items={"type": "string", "enum": enum})
    begun = time.process_time()
    assert not decode(translate(wanted), {"spec": ["v19999"] * 100_000}).causes
    decoded = decode(translate(wanted), {"spec": ["x"] * 100_000})
    assert 0 < len(decoded.causes) <= 100
    assert all(len(cause.message) < 400 for cause in decoded.causes)
    assert time.process_time() - begun < 2


def test_formats_are_enforced_in_combinations_too() -> None:
    schema = translate(_root(type="string", anyOf=[{"format": "ipv4"}, {"format": "ipv6"}]))
    assert not decode(schema, {"spec": "::1"}).causes
    assert decode(schema, {"spec": "localhost"}).causes
    assert decode(
        translate(_root(type="string", format="date-time")), {"spec": "2026-02-30"}
    ).causes
