"""fieldValidation=Strict, in upstream's words."""

from __future__ import annotations

import time

import pytest

from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.strict import duplicate_fields, problems, strict_problem

CONFIG_MAP = builtin_kinds()[("", "configmaps")]


def test_unknown_and_duplicate_fields_in_one_message() -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "datta": {}}
    decoded = CONFIG_MAP.decode(body)
    assert strict_problem(problems(decoded.unknown, ['duplicate field "data"'])) == (
        'strict decoding error: unknown field "datta" (did you mean "data"?), '
        'duplicate field "data"'
    )


def test_far_fields_get_no_suggestion_and_right_bodies_no_error() -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "frobnicate": 1}
    problem = strict_problem(problems(CONFIG_MAP.decode(body).unknown, ()))
    assert problem == 'strict decoding error: unknown field "frobnicate"'
    assert strict_problem(problems([], [])) == ""


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('{"a": 1, "b": {"a": 2}}', []),
        ('{"a": 1, "a": 2}', ['duplicate field "a"']),
        ('{"a": 1, "a": 2, "a": 3}', ['duplicate field "a"']),
        ('{"spec": {"x": [{"y": 1}, {"y": 1, "y": 2}]}}', ['duplicate field "spec.x[1].y"']),
        ('{"a": "\\"a\\": ", "b": 1}', []),
        ('{"\\u0061": 1, "a": 2}', ['duplicate field "a"']),
    ],
)
def test_duplicate_fields(body: str, found: list[str]) -> None:
    assert duplicate_fields(body) == found
    assert duplicate_fields(body.encode()) == found


def test_escaped_quotes_cost_what_they_weigh() -> None:
    body = b'{ "a":"' + b'\\"' * 500_000 + b'"}'
    begun = time.process_time()
    assert duplicate_fields(body) == []
    assert time.process_time() - begun < 2


def test_numbers_that_python_will_not_read_are_no_concern() -> None:
    assert duplicate_fields(b'{ "a": 0.%s, "a": 1}' % (b"1" * 5000)) == ['duplicate field "a"']


def test_many_and_long_ones_are_told_in_part() -> None:
    prefix = "p" * 100_000
    inner = ", ".join(f'"k{n}": 1, "k{n}": 1' for n in range(20_000))
    begun = time.process_time()
    found = duplicate_fields(f'{{ "{prefix}": {{{inner}}}}}')
    assert 0 < len(found) < 100 and all(len(text) < 400 for text in found)
    unknown = CONFIG_MAP.decode({"metadata": {f"lables{n}": 1 for n in range(20_000)}}).unknown
    problem = strict_problem(problems(unknown, found))
    assert problem.endswith("more unknown or duplicate fields")
    assert len(problem) < 50_000
    assert time.process_time() - begun < 2
