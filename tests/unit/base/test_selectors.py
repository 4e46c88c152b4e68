"""Selectors as apimachinery's `labels` and `fields` packages define them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzen.base.selector_parser import parse_fields, parse_labels
from mizzen.base.selectors import FieldTerm, from_object, labels_equal, selector_text


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),  # an absent label differs from every value
        ("a in (x, y)", {"a": "y"}, True),
        ("a in (x,y)", {}, False),
        ("a notin (x,y)", {}, True),
        ("a notin (x,y)", {"a": "x"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("!a", {}, True),
        ("a=", {"a": ""}, True),
        ("a in (,x)", {"a": ""}, True),
        ("n>5", {"n": "6"}, True),
        ("n<5", {"n": "6"}, False),
        ("n>5", {"n": "many"}, False),
        ("x.io/a=b,c!=d,e in (x,y),f notin (z),g,!h", {"x.io/a": "b", "e": "x", "g": "1"}, True),
        ("in in (in)", {"in": "in"}, True),
    ],
)
def test_label_selectors(text: str, labels: dict[str, str], matches: bool) -> None:
    assert parse_labels(text).matches(labels) is matches


def test_selector_objects() -> None:
    selector = from_object(
        {
            "matchLabels": {"app": "x"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selector is not None
    assert selector.matches({"app": "x", "tier": "a"})
    assert not selector.matches({"app": "x", "tier": "a", "old": ""})
    assert from_object(None) is None
    everything = from_object({})
    assert everything is not None and everything.is_everything


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "a", "operator": "Is"},
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "Exists", "values": ["x"]},
    ],
)
def test_broken_selector_objects(expression: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="label a"):
        from_object({"matchExpressions": [expression]})


def test_field_selectors() -> None:
    selector = parse_fields(r"metadata.name=x,status.phase!=Running,note=a\,b\=c\\")
    assert FieldTerm("note", "a,b=c\\") in selector.terms
    values = {"metadata.name": "x", "status.phase": "", "note": "a,b=c\\"}
    assert selector.matches(lambda path: values[path])
    assert selector.exact("metadata.name") == "x"
    assert selector.exact("status.phase") is None
    assert selector.paths == {"metadata.name", "status.phase", "note"}
    assert parse_fields("").is_everything and parse_fields("=,").is_everything


def test_exact_is_only_for_one_value() -> None:
    assert parse_labels("a=b").exact("a") == "b"
    assert parse_labels("a in (b,c)").exact("a") is None


_name = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


@given(st.dictionaries(_name, _name, max_size=4))
def test_what_a_selector_asks_for_matches(labels: dict[str, str]) -> None:
    text = ",".join(f"{k}={v}" for k, v in labels.items())
    assert parse_labels(text).matches({**labels, "more": "x"} if "more" not in labels else labels)
    assert set(parse_labels(text).requirements) == set(labels_equal(labels).requirements)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, ""),
        ({}, ""),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (
            {
                "matchLabels": {"c": "3"},
                "matchExpressions": [
                    {"key": "a", "operator": "In", "values": ["y", "x"]},
                    {"key": "b", "operator": "NotIn", "values": ["z"]},
                    {"key": "d", "operator": "Exists"},
                    {"key": "e", "operator": "DoesNotExist"},
                ],
            },
            "a in (x,y),b notin (z),c=3,d,!e",
        ),
    ],
)
def test_a_selector_as_text(selector, text):
    assert selector_text(selector) == text
    assert not selector or parse_labels(text).requirements
