from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, field, number, part, text

POD: Obj = {"spec": {"containers": [{"name": "a"}], "n": 3}, "status": None, "name": "p"}


def test_reads_what_is_there() -> None:
    assert field(POD, "spec", "n") == 3
    assert part(POD, "spec") is POD["spec"]
    assert entries(POD, "spec", "containers") == [{"name": "a"}]
    assert text(POD, "name") == "p"
    assert number(POD, "spec", "n") == 3


def test_what_is_absent_null_or_below_a_scalar_is_empty() -> None:
    for path in (("none",), ("status", "phase"), ("name", "first"), ("spec", "none")):
        assert field(POD, *path) is None
        assert part(POD, *path) == {}
        assert entries(POD, *path) == []
        assert text(POD, *path) == ""
        assert number(POD, *path) == 0
