"""What is left where applying took the last part of something."""

from __future__ import annotations

from mizzen.kinds.managed_fields.merging import merge, remove, settle_emptied
from mizzen.kinds.schema import STR, STRING_MAP, record

SCHEMA = record(spec=record(box=STRING_MAP(), name=STR()))


def test_what_is_emptied_goes_or_without_go_types_stays_as_null() -> None:
    obj = {"spec": {"box": {"a": "b"}, "name": "n"}}
    left = remove(SCHEMA, obj, {"f:spec": {"f:box": {"f:a": {}}}})
    assert settle_emptied(left, is_typed=True) == {"spec": {"name": "n"}}
    assert settle_emptied(left, is_typed=False) == {"spec": {"box": None, "name": "n"}}
    assert obj == {"spec": {"box": {"a": "b"}, "name": "n"}}


def test_what_is_empty_by_itself_stays() -> None:
    assert settle_emptied({"a": {}, "b": [{}]}, is_typed=True) == {"a": {}, "b": [{}]}


def test_null_takes_nothing_out_of_what_is_there() -> None:
    live = {"spec": {"box": {"a": "b"}, "name": "n"}}
    assert merge(SCHEMA, live, {"spec": None}) == live
    assert merge(SCHEMA, live, {"spec": {"box": None, "name": None}}) == {
        "spec": {"box": {"a": "b"}, "name": None}
    }
    assert merge(SCHEMA, {"spec": {"box": {}}}, {"spec": {"box": None}}) == {"spec": {"box": None}}
