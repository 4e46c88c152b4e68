"""Values as Go writes them, held against what Go 1.26 printed."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.go_text import json_kind, marshalled, printed, quoted, type_name


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain é 😀", '"plain é 😀"'),
        ('a\n"b"\\', r'"a\n\"b\"\\"'),
        ("\x07\x7f\x00", r'"\a\x7f\x00"'),
        ("\u200b\U000e0001", r'"\u200b\U000e0001"'),
    ],
)
def test_quoted(text: str, written: str) -> None:
    assert quoted(text) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": [1, None, True], "a": {"x": "y z"}}, "map[a:map[x:y z] b:[1 <nil> true]]"),
        ({}, "map[]"),
        (1.5, "1.5"),
        (2.0, "2"),
        (0.0, "0"),
        (100000.5, "100000.5"),
        (1000000.0, "1e+06"),
        (123456789.0, "1.23456789e+08"),
        (-1.5e300, "-1.5e+300"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (10**20, "1e+20"),
    ],
)
def test_printed(value: Any, written: str) -> None:
    assert printed(value) == written


def test_marshalled() -> None:
    assert marshalled({"b": "<&>", "a": 1}) == r'{"b":"\u003c\u0026\u003e","a":1}'
    assert marshalled({"b": 2, "a": 1}, is_map=True) == '{"a":1,"b":2}'


def test_what_values_are_called() -> None:
    values: list[Any] = [{}, [], "x", True, 1, 1.5, None]
    assert [json_kind(each) for each in values] == [
        "object", "array", "string", "bool", "number", "number", "null",
    ]  # fmt: skip
    assert [type_name(each) for each in values] == [
        "map[string]interface {}", "[]interface {}", "string", "bool", "int64", "float64",
        "%!s(<nil>)",
    ]  # fmt: skip
