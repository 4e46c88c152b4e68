"""What a custom kind's schema refuses of an update, and what is told beside it."""

from __future__ import annotations

from typing import Any

from mizzen.kinds.dynamic import kind_of
from mizzen.kinds.kind import Kind

RULE = {"rule": "self.n > 1", "message": "n is small"}


def kind(**fields: Any) -> Kind:
    spec = {"type": "object", "properties": fields, "x-kubernetes-validations": [RULE]}
    status = {"type": "object", "properties": {"n": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
               "schema": {"openAPIV3Schema": schema}}  # fmt: skip
    names = {"plural": "things", "kind": "Thing", "listKind": "ThingList", "singular": "thing"}
    return kind_of(
        {"group": "a.b", "scope": "Cluster", "names": names, "versions": [version]}, version
    )


def written(spec: Any, status: Any = None) -> dict[str, Any]:
    made = {"apiVersion": "a.b/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec}
    return made if status is None else {**made, "status": status}


def refused(of: Kind, new: Any, old: Any = None, subresource: str = "") -> list[str]:
    causes = of.refusal(of.decode(new).object, old, of.decode(new).causes, subresource)
    return [f"{cause.field}: {cause.message}" for cause in causes]


N = {"type": "integer", "maximum": 5}
TEXT = {"type": "string", "maxLength": 1}
UNCHECKED = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was "
    "invalid; correct the existing errors to complete validation"
)


def test_rules_are_asked_unless_types_or_lengths_are_wrong() -> None:
    low = {"type": "integer", "minimum": 1}
    assert refused(kind(n=low), written({"n": 0})) == [
        "spec.n: Invalid value: 0: spec.n in body should be greater than or equal to 1",
        "spec: Invalid value: n is small",
    ]
    long = written({"n": 0, "t": "ab"})
    assert refused(kind(n=N, t=TEXT), long) == [
        "spec.t: Too long: may not be more than 1 byte", UNCHECKED,
    ]  # fmt: skip


def test_what_has_not_changed_is_not_held_against_an_update() -> None:
    of = kind(n=N, t=TEXT)
    old = written({"n": 9, "t": "ab"})
    assert refused(of, written({"n": 3, "t": "ab"}), old) == []
    assert len(refused(of, written({"n": 9, "t": "abc"}), old)) == 2  # t, and the rules
    assert len(refused(of, written({"n": 9, "t": "ab"}))) == 3


def test_items_are_the_same_by_key_and_in_no_other_lists() -> None:
    item = {"type": "object", "properties": {"k": {"type": "string"}, "n": N}, "required": ["k"]}
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    old = written({"n": 2, "l": [{"k": "a", "n": 9}]})
    new = written({"n": 2, "l": [{"k": "b", "n": 1}, {"k": "a", "n": 9}]})
    assert refused(kind(n=N, l={"type": "array", "items": item, **keyed}), new, old) == []
    found = refused(kind(n=N, l={"type": "array", "items": item}), new, old)
    assert found == [
        "spec.l[1].n: Invalid value: 9: spec.l[1].n in body should be less than or equal to 5"
    ]


def test_duplicates_that_were_there_may_stay() -> None:
    of = kind(n=N, l={"type": "array", "items": N, "x-kubernetes-list-type": "set"})
    old = written({"n": 2, "l": [1, 1]})
    assert refused(of, written({"n": 2, "l": [1, 1, 2, 2]}), old) == []
    assert refused(of, written({"n": 2, "l": [1, 1]})) == ["spec.l[1]: Duplicate value: 1"]


def test_a_status_is_judged_where_it_is_written() -> None:
    of = kind(n=N)
    wrong = written({"n": 2}, {"n": "x"})
    assert refused(of, wrong) == []
    assert refused(of, wrong, written({"n": 2}), "status")[0].startswith("status.n: Invalid value")


def test_a_float_is_no_integer_unless_it_is_whole() -> None:
    of = kind(n={"type": "integer", "minimum": 1})
    assert of.decode(written({"n": 2.0})).object["spec"] == {"n": 2}
    assert refused(of, written({"n": 0.5})) == [
        'spec.n: Invalid value: "number": spec.n in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.n',
        "spec.n: Invalid value: 0.5: spec.n in body should be greater than or equal to 1",
        UNCHECKED,
    ]


def test_formats_take_the_place_of_types() -> None:
    of = kind(
        n=N, w={"type": "string", "format": "date-time"}, x={"type": "string", "format": "odd"}
    )
    assert refused(of, written({"n": 2, "w": 5}))[0] == (
        'spec.w: Invalid value: "int64": spec.w in body must be of type date-time: "int64"'
    )
    assert refused(of, written({"n": 2, "w": []})) == []
    assert refused(of, written({"n": 2, "x": 5}))[0].endswith('must be of type string: "integer"')
