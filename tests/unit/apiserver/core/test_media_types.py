"""Content-Type and Accept are read as Go's libraries read them."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core.media_types import clauses, media_type


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("application/json;", "application/json"),
        ('application/json; a = "b;c" ;', "application/json"),
        ("json", "json"),
        ("application/json;charset", "application/json;charset"),
        ("application/json; a=1; A=2", "application/json; a=1; A=2"),
        ("a/b/c", "a/b/c"),
        (";", ";"),
    ],
)
def test_what_cannot_be_read_is_no_type(content_type: str, found: str) -> None:
    assert media_type(content_type) == found


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("a/b;q=0.1, c/d", ["c/d", "a/b"]),
        ("*/*, a/*, a/b", ["a/b", "a/*", "*/*"]),
        ("*", ["*/*"]),
        ("a, /b, a/b/c, ,a/", ["/b"]),
        ("a/b;q=x, c/d;q=0", ["a/b", "c/d"]),
        (", ".join(["*/*"] * 12 + ["a/b"]), ["a/b"] + ["*/*"] * 12),
    ],
)
def test_alternatives_come_as_they_are_wanted(accept: str, wanted: list[str]) -> None:
    assert [f"{each.type}/{each.subtype}" for each in clauses(accept)] == wanted


def test_parameters_of_an_alternative() -> None:
    (found,) = clauses("a/b; as = x;g=1=2;v=;q=0.5")
    assert (found.params, found.quality) == ({"as": "x"}, 0.5)
    assert found.takes("a/b") and not found.takes("a/c")
    assert clauses("*/*")[0].takes("a/b") and clauses("a/*")[0].takes("a/b")
    assert not clauses("*/b")[0].takes("a/b")
