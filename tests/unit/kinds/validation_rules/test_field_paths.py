"""Paths of fields that rules are about."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.validation_rules.field_paths import field_path

SCHEMA: dict[str, Any] = {
    "properties": {
        "a": {"properties": {"x.y": {"type": "string"}, "it's": {"type": "string"}}},
        "m": {"additionalProperties": {"properties": {"b": {"type": "string"}}}},
        "l": {"type": "array", "items": {"type": "string"}},
    }
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", ""),
        (".a", ".a"),
        (".a['x.y']", ".a.x.y"),
        ("['a']['it\\'s']", ".a.it's"),
        (".m.k.b", ".m[k].b"),
        (".m['a.b'].b", ".m[a.b].b"),
    ],
)
def test_paths(written: str, expected: str) -> None:
    assert field_path(written, SCHEMA) == expected


@pytest.mark.parametrize("written", ["a", ".nope", ".l[0]", ".l.x", ".a.", ".a[x]", ".a['x.y'"])
def test_what_is_no_path(written: str) -> None:
    assert isinstance(field_path(written, SCHEMA), ValueError)
