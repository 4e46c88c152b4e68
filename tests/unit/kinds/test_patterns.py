"""Patterns of users' schemas stop nobody: not when they are defined, not when they are matched."""

from __future__ import annotations

import time
from typing import Any

from mizzen.kinds.decoding import decode
from mizzen.kinds.structural import check_structural, translate

LARGE = "(.?){900}z"  # a minute for a megabyte, where its automaton gets too large


def schema(**spec: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": spec}}


def strings(*patterns: str) -> dict[str, Any]:
    properties = {f"p{n}": {"type": "string", "pattern": p} for n, p in enumerate(patterns)}
    return schema(type="object", properties=properties)


def test_patterns_of_one_schema_are_bounded_together() -> None:
    assert (
        check_structural(strings(*[f"^[a-z0-9]([-a-z0-9]*[a-z0-9])?{n}$" for n in range(500)]), "s")
        == []
    )
    assert check_structural(strings(*[LARGE] * 100), "s") == []  # one and the same
    begun = time.process_time()
    (cause,) = check_structural(strings(*[f"{LARGE}{n}" for n in range(5000)]), "s")
    assert "states together, of at most 20000" in cause.message
    cause, *_ = check_structural(strings(*[rf"\pL{{1000}}{n}" for n in range(5000)]), "s")
    assert "must be a valid regular expression" in cause.message
    some = [{"pattern": f"{LARGE}{n}"} for n in range(10)]
    (cause,) = check_structural(schema(type="string", anyOf=some), "s")
    assert cause.field.startswith("s.properties[spec].anyOf[")
    assert time.process_time() - begun < 2


def test_a_text_that_takes_too_long_to_match_is_refused_at_once() -> None:
    begun = time.process_time()
    for spec in ({"type": "string", "pattern": LARGE},
                 {"type": "string", "anyOf": [{"pattern": LARGE}]}):  # fmt: skip
        kind = translate(schema(**spec))
        causes = decode(kind, {"spec": "a" * 1_000_000}).causes
        assert "takes more than 33554432 steps" in causes[0].message
        assert not decode(kind, {"spec": "a" * 100 + "z"}).causes
    many = translate(schema(type="array", items={"type": "string", "pattern": LARGE}))
    causes = decode(many, {"spec": ["a" * 1000 + "z"] * 3000}).causes
    assert len(causes) == 1 and "takes more than" in causes[0].message
    assert time.process_time() - begun < 3


def test_large_values_and_plain_patterns_are_no_trouble() -> None:
    pem = translate(schema(type="string", pattern="^-----BEGIN "))
    assert not decode(pem, {"spec": "-----BEGIN " + "x" * 1_000_000}).causes
    names = translate(schema(type="array", items={"type": "string", "pattern": "^[a-z0-9-]+$"}))
    assert not decode(names, {"spec": ["a-name-of-usual-length"] * 50_000}).causes


def test_many_schemas_asked_of_many_values_come_to_an_end() -> None:
    some = [{"minLength": n} for n in range(5, 1000)]
    kind = translate(schema(type="array", items={"type": "string", "anyOf": some}))
    begun = time.process_time()
    assert decode(kind, {"spec": ["a"] * 10_000}).causes
    causes = decode(kind, {"spec": ["a" * 5000] * 10_000}).causes
    assert not causes  # the first schema takes them
    unfit = translate(schema(type="array", items={"type": "string", "allOf": [{}] * 1000}))
    (cause,) = decode(unfit, {"spec": ["a"] * 10_000}).causes[:1]
    assert "must validate all" in cause.message or "takes more than" in cause.message
    assert time.process_time() - begun < 5
