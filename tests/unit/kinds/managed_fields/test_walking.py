"""Which fields an object has, and in which two differ, as upstream's clusters record it."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import Obj
from mizzen.kinds.managed_fields.elements import NoElement, shown
from mizzen.kinds.managed_fields.sets import LEAF
from mizzen.kinds.managed_fields.walking import compare, fields_of, walker_of
from mizzen.kinds.schema import BOOL, INT32, OPEN, STR, STRING_MAP, Schema, array, record

PORT = record(number=INT32(), protocol=STR(default="TCP"), host=STR())
SPEC = record(
    replicas=INT32(),
    paused=BOOL(),
    selector=STRING_MAP(map_type="atomic"),
    ports=array(PORT, keys=("number", "protocol"))(),
    args=array(STR)(),
    finalizers=array(STR, merge=True)(),
    template=record(labels=STRING_MAP()),
    raw=OPEN(),
)
SCHEMA = record(spec=SPEC, data=STRING_MAP())


def spec(**fields: Any) -> Obj:
    return {"spec": fields}


def test_a_new_object_is_all_its_creators_with_parents() -> None:
    obj = spec(
        ports=[{"number": 80, "protocol": "TCP"}], args=["a"], finalizers=["x"], selector={"a": "b"}
    )
    assert walker_of(SCHEMA)(obj) == {
        "f:spec": {
            ".": {},
            "f:ports": {
                ".": {},
                'k:{"number":80,"protocol":"TCP"}': {".": {}, "f:number": {}, "f:protocol": {}},
            },
            "f:args": {},
            "f:finalizers": {".": {}, 'v:"x"': {}},
            "f:selector": {},
        }
    }


def test_what_a_type_always_has_is_nobodys() -> None:
    implied = {"spec": {"ports": None, "template": {}}}
    obj = spec(ports=[{"number": 80}], template={"labels": {"a": "b"}}, replicas=1)
    assert walker_of(SCHEMA, implied)(obj) == {
        "f:spec": {
            "f:ports": {'k:{"number":80,"protocol":"TCP"}': {".": {}, "f:number": {}}},
            "f:template": {"f:labels": {".": {}, "f:a": {}}},
            "f:replicas": {},
        }
    }
    assert walker_of(SCHEMA, implied)(spec(template={})) == {}


def test_an_applied_configuration_owns_its_leaves_and_items() -> None:
    obj = spec(ports=[{"number": 80, "host": "h"}], template={"labels": {"a": "b"}}, raw={"x": {}})
    assert fields_of(SCHEMA, obj) == {
        "f:spec": {
            "f:ports": {
                'k:{"number":80,"protocol":"TCP"}': {".": {}, "f:number": {}, "f:host": {}}
            },
            "f:template": {"f:labels": {"f:a": {}}},
            "f:raw": {"f:x": {}},
        }
    }


OBJECTS = (
    spec(),
    spec(replicas=1),
    spec(replicas=2, args=["a"]),
    spec(args=[], ports=[]),
    spec(ports=[{"number": 80, "protocol": "TCP"}, {"number": 81, "protocol": "TCP"}]),
    spec(ports=[{"number": 80, "protocol": "TCP", "host": "h"}]),
    spec(finalizers=["a", "b"], template={"labels": {"x": "1"}}),
    spec(finalizers=["b", "c"], template={"labels": {"x": "2", "y": "1"}}),
    spec(selector={"a": "b"}, raw={"a": {"b": [1]}}),
    spec(selector={"a": "c"}, raw={"a": {"b": [2], "c": 1}}),
    {"data": {"k": "v"}},
)


@pytest.mark.parametrize("new", OBJECTS)
def test_comparing_with_nothing_adds_everything(new: Obj) -> None:
    found = compare(SCHEMA, {}, new)
    assert (found.added, found.removed, found.modified) == (walker_of(SCHEMA)(new), {}, {})


@pytest.mark.parametrize("old", OBJECTS)
@pytest.mark.parametrize("new", OBJECTS)
def test_a_comparison_is_that_of_the_other_way_round(old: Obj, new: Obj) -> None:
    there, back = compare(SCHEMA, old, new), compare(SCHEMA, new, old)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert there.modified == back.modified
    assert there.is_same == (old == new)


def test_differences_are_named() -> None:
    old = spec(replicas=1, ports=[{"number": 80, "protocol": "TCP"}], finalizers=["a"])
    new = spec(replicas=2, ports=[{"number": 80, "protocol": "TCP", "host": "h"}], args=["x"])
    found = compare(SCHEMA, old, new)
    assert found.modified == {"f:spec": {"f:replicas": {}}}
    assert found.removed == {"f:spec": {"f:finalizers": {".": {}, 'v:"a"': {}}}}
    assert found.added == {
        "f:spec": {"f:ports": {'k:{"number":80,"protocol":"TCP"}': {"f:host": {}}}, "f:args": {}}
    }


def test_twins_are_one_value() -> None:
    twins = spec(ports=[{"number": 1, "host": "a"}, {"number": 1, "host": "b"}])
    element = 'k:{"number":1,"protocol":"TCP"}'
    assert walker_of(SCHEMA)(twins)["f:spec"]["f:ports"] == {".": {}, element: {}}
    changed = spec(ports=[{"number": 1, "host": "a"}, {"number": 1, "host": "c"}])
    assert compare(SCHEMA, twins, changed).modified == {"f:spec": {"f:ports": {element: {}}}}


def test_an_item_without_keys_is_refused_as_upstream_does() -> None:
    schema = record(items=array(record(name=STR(), x=STR()), key="name")())
    with pytest.raises(NoElement, match=r'omits all key fields \["name"\]'):
        fields_of(schema, {"items": [{"x": "1"}]})


def test_open_schemas_are_maps_down_to_their_leaves() -> None:
    found = walker_of(Schema("object", open=True))({"a": {"b": [{"c": 1}], "d": 1}})
    assert found == {"f:a": {".": {}, "f:b": {}, "f:d": {}}}
    assert LEAF == {}


def test_paths_are_shown_as_upstream_does() -> None:
    path = ("f:spec", "f:ports", 'k:{"number":80,"protocol":"TCP"}', "f:host")
    assert shown(path) == '.spec.ports[number=80,protocol="TCP"].host'
    assert shown(("f:finalizers", 'v:"a"')) == '.finalizers[="a"]'


def test_a_map_that_becomes_a_scalar_is_gone_besides() -> None:
    schema = record(any=Schema("any"))
    found = compare(schema, {"any": {"a": {"b": 1}}}, {"any": "x"})
    assert found.modified == {"f:any": {}}
    assert found.removed == {"f:any": {"f:a": {".": {}, "f:b": {}}}}
