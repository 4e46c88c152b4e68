"""One pass that checks, prunes and completes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mizzen.kinds.decoding import decode
from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.report import render
from mizzen.kinds.schema import (
    ANY,
    BOOL,
    INT32,
    INT_OR_STR,
    OPEN,
    QUANTITY,
    STR,
    STRING_MAP,
    TIME,
    Schema,
    array,
    choice,
    mapping,
    record,
)

SCHEMA = record(
    "Everything.",
    name=STR(required=True),
    size=INT32(minimum=1, default=3),
    flag=BOOL(),
    when=TIME(),
    much=QUANTITY(),
    port=INT_OR_STR(),
    color=choice("red", "green"),
    code=STR(pattern="^[a-z]+$", max_length=5),
    blob=STR(format="byte"),
    maybe=STR(nullable=True),
    inner=record("Inner.", deep=array(record("Item.", x=INT32(required=True)))),
    nested=record("Defaults in defaults.", a=INT32(default=1))(default={}),
    table=mapping(record("Entry.", v=INT32())),
    unique=array(record("Item.", k=STR()), keys=("k",), unique=True),
    open=OPEN(),
    any=ANY(),
)


def _causes(body: dict[str, Any]) -> dict[str, str]:
    return {c.field: c.message for c in decode(SCHEMA, {"name": "x", **body}).causes}


def test_defaults_are_inserted_and_their_own_defaults_too() -> None:
    decoded = decode(SCHEMA, {"name": "x"})
    assert decoded.object == {"name": "x", "size": 3, "nested": {"a": 1}}
    again = decode(SCHEMA, {"name": "x"})
    assert again.object["nested"] is not decoded.object["nested"]


def test_nulls_are_dropped_except_where_nullable() -> None:
    decoded = decode(SCHEMA, {"name": "x", "flag": None, "maybe": None})
    assert "flag" not in decoded.object and decoded.object["maybe"] is None


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"size": "3"}, "size", 'Invalid value: "3": must be of type integer, not string'),
        ({"size": True}, "size", "must be of type integer, not boolean"),
        ({"size": 0}, "size", "must be greater than or equal to 1"),
        ({"size": 2**31}, "size", "must be less than or equal to 2147483647"),
        ({"flag": "yes"}, "flag", "must be of type boolean"),
        ({"when": "tomorrow"}, "when", "must be a time"),
        ({"much": "12 potatoes"}, "much", "quantities are"),
        ({"much": True}, "much", "must be of type quantity"),
        ({"port": 1.5}, "port", "must be of type integer or string, not number"),
        ({"color": "blue"}, "color", 'Unsupported value: "blue": supported values: "red", "green"'),
        ({"code": "ABC"}, "code", "must match '^[a-z]+$'"),
        ({"code": "abcdef"}, "code", "Too long"),
        ({"blob": "%"}, "blob", "must be base64"),
        ({"inner": []}, "inner", "must be of type object, not array"),
        ({"inner": {"deep": [{"x": 1}, {"x": "y"}]}}, "inner.deep[1].x", "not string"),
        ({"inner": {"deep": [{}]}}, "inner.deep[0].x", "Required value"),
        ({"inner": {"deep": [None]}}, "inner.deep[0].x", "Required value"),
        ({"table": {"a b": {"v": "w"}}}, "table[a b].v", "not string"),
        ({"unique": [{"k": "a"}, {"k": "a"}]}, "unique[1]", 'Duplicate value: {"k":"a"}'),
        ({"name": None}, "name", "Required value"),
    ],
)
def test_causes_name_the_exact_field(body: dict[str, Any], field: str, message: str) -> None:
    causes = _causes(body)
    assert list(causes) == [field]
    assert message in causes[field]


def test_unknown_fields_are_found_and_pruned() -> None:
    decoded = decode(
        SCHEMA, {"name": "x", "nmae": 1, "inner": {"deep": [{"x": 1, "y": 2}]}, "open": {"z": 1}}
    )
    assert [u.path for u in decoded.unknown] == ["nmae", "inner.deep[0].y"]
    assert "nmae" not in decoded.object and decoded.object["open"] == {"z": 1}
    assert decoded.object["inner"] == {"deep": [{"x": 1}]}


def test_the_input_stays_as_it_is() -> None:
    body = {"name": "x", "inner": {"deep": [{"x": 1}]}, "much": "1024Mi"}
    decoded = decode(SCHEMA, body)
    assert body == {"name": "x", "inner": {"deep": [{"x": 1}]}, "much": "1024Mi"}
    decoded.object["inner"]["deep"].append(1)
    assert len(body["inner"]["deep"]) == 1  # type: ignore[index]
    assert decoded.object["much"] == "1Gi"


def test_recursive_schemas_refuse_what_is_too_deep() -> None:
    node = Schema("object", fields={"next": Schema("object", target=lambda: node)})
    body: dict[str, Any] = {}
    for _ in range(5000):
        body = {"next": body}
    assert decode(node, {"next": {"next": {}}}).causes == []
    assert "nested too deeply" in decode(node, body).causes[0].message


def test_paths() -> None:
    path = ((((None, "spec"), "containers"), 0), ("a/b",))
    assert render(path) == "spec.containers[0][a/b]"


def test_a_pod_takes_well_under_a_millisecond() -> None:
    kind = builtin_kinds()[("", "pods")]
    container = {
        "name": "main", "image": "python:3.12", "command": ["a", "b"],
        "env": [{"name": f"V{i}", "value": "x"} for i in range(20)],
        "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "livenessProbe": {"httpGet": {"port": 80}},
    }  # fmt: skip
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [container]},
    }

    def once() -> int:
        start = time.process_time_ns()
        decoded = kind.decode(pod)
        kind.prepare_create(decoded.object)
        kind.default(decoded.object)
        assert not decoded.causes and not kind.check(decoded.object, None)
        return time.process_time_ns() - start

    assert min(once() for _ in range(50)) < 1_000_000


def test_null_is_a_value_like_others_where_it_is_kept() -> None:
    schema = record(
        a=record(x=STR()), b=STR(default="y"), c=STRING_MAP(), d=STR(nullable=True), e=STR()
    )
    body = {"a": None, "b": None, "c": {"k": None}, "d": None}
    assert decode(schema, body, is_custom=True).object == {"b": "y", "c": {}, "d": None}
    found = decode(schema, body, is_custom=True, keeps_nulls=True)
    assert found.object == {"a": None, "b": "y", "c": {"k": None}, "d": None}
    assert [(each.field, each.message) for each in found.causes] == [
        ("a", 'Invalid value: "null": a in body must be of type object: "null"'),
        ("c.k", 'Invalid value: "null": c.k in body must be of type string: "null"'),
    ]


def test_null_in_maps_and_lists_is_a_zero_of_go() -> None:
    schema = record(a=STRING_MAP(), b=array(STR)(), c=mapping(QUANTITY), d=array(INT32)())
    found = decode(schema, {"a": {"k": None}, "b": [None], "c": {"cpu": None}, "d": [None, 1]})
    assert found.object == {"a": {"k": ""}, "b": [""], "c": {"cpu": "0"}, "d": [0, 1]}
    assert found.causes == []


def test_whole_numbers_of_custom_kinds_are_integers() -> None:
    found = decode(record(a=INT32()), {"a": 3.0}, is_custom=True)
    assert (found.object, found.causes) == ({"a": 3}, [])
    assert type(found.object["a"]) is int


def test_a_float_that_holds_no_whole_number_exactly_is_no_integer() -> None:
    schema = record(a=INT32(), b=Schema("number"))
    found = decode(schema, {"a": -1.5e300, "b": 1e300}, is_custom=True)
    assert found.object == {"a": -1.5e300, "b": 1e300}
    assert type(found.object["b"]) is float
    assert any("must be of type integer" in each.message for each in found.causes)
