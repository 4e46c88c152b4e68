"""The JSONPath of printer columns."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.jsonpath import compile_path

OBJ: dict[str, Any] = {
    "spec": {"replicas": 3, "list": [{"n": "a"}, {"n": "b"}]},
    "metadata": {"labels": {"app.io/x": "y"}},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "False"}]
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.replicas", [3]),
        ("{.spec.replicas}", [3]),
        ("$.spec.replicas", [3]),
        (".spec.missing.more", []),
        (".spec.list[1].n", ["b"]),
        (".spec.list[-1].n", ["b"]),
        (".spec.list[9].n", []),
        (".spec.list[*].n", ["a", "b"]),
        (".metadata.labels['app.io/x']", ["y"]),
        (r".metadata.labels.app\.io/x", ["y"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        ('.status.conditions[?(@.type != "Ready")].type', ["Old"]),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert compile_path(path)(OBJ) == found


@pytest.mark.parametrize("path", ["spec", ".spec[", ".spec[?(@.x>1)]", "..", ".a b"])
def test_what_is_not_understood(path: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        compile_path(path)
