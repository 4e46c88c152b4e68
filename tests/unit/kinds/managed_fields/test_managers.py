"""Owners of fields over sequences of writes: the rules of server-side apply."""

from __future__ import annotations

import json

import pytest

from mizzen.base.objects import Obj
from mizzen.kinds.managed_fields import managers
from mizzen.kinds.managed_fields.managers import (
    ANCIENT,
    APPLY,
    UPDATE,
    UPDATERS_MAX,
    Conflicts,
    Context,
    Id,
    Malformed,
    Managers,
    applied,
    decode,
    encode,
    updated,
)
from mizzen.kinds.managed_fields.walking import walker_of
from mizzen.kinds.schema import INT32, STR, STRING_MAP, array, record

SCHEMA = record(
    metadata=record(name=STR(), labels=STRING_MAP()),
    spec=record(
        replicas=INT32(), items=array(record(name=STR(), value=STR()), key="name")(), note=STR()
    ),
    status=record(phase=STR()),
)
CONTEXT = Context(SCHEMA, "v1", {}, {"f:status": {}}, walker_of(SCHEMA), {"v1", "v2"}.__contains__)
A, B = Id("a", APPLY), Id("b", APPLY)
U = Id("u", UPDATE, "", "v1")


def apply(
    live: Obj, config: Obj, found: Managers, own: Id, force: bool = False
) -> tuple[Obj, Managers]:
    return applied(CONTEXT, live, config, found, own, is_forced=force)


def test_an_applier_owns_what_it_mentions_and_removes_what_it_no_longer_does() -> None:
    live, found = apply({}, {"spec": {"replicas": 1, "note": "n"}}, {}, A)
    assert found[A].fields == {"f:spec": {"f:replicas": {}, "f:note": {}}}
    live, found = apply(live, {"spec": {"replicas": 2}}, found, A)
    assert live == {"spec": {"replicas": 2}}
    assert found[A].fields == {"f:spec": {"f:replicas": {}}}


def test_what_another_owns_too_is_not_removed() -> None:
    live, found = apply({}, {"spec": {"note": "n"}}, {}, A)
    live, found = apply(live, {"spec": {"note": "n", "replicas": 1}}, found, B)
    live, found = apply(live, {"spec": {}}, found, A)
    assert live == {"spec": {"note": "n", "replicas": 1}}
    assert A not in found or "f:note" not in found[A].fields.get("f:spec", {})


def test_changing_what_another_owns_is_a_conflict_unless_forced() -> None:
    live, found = apply({}, {"spec": {"note": "n"}}, {}, A)
    with pytest.raises(Conflicts) as caught:
        apply(live, {"spec": {"note": "m"}}, found, B)
    assert caught.value.found == {A: {"f:spec": {"f:note": {}}}}
    live, found = apply(live, {"spec": {"note": "m"}}, found, B, force=True)
    assert live == {"spec": {"note": "m"}} and A not in found


def test_an_update_takes_what_it_changes_and_loses_what_it_removes() -> None:
    old = {"spec": {"note": "n", "replicas": 1}}
    found = updated(CONTEXT, {}, old, {}, U, "t1")
    live, found = apply(old, {"spec": {"note": "n"}}, found, A)
    new = {"spec": {"note": "changed"}}
    found = updated(CONTEXT, live, new, found, Id("v", UPDATE, "", "v1"), "t2")
    assert A not in found
    assert found[Id("v", UPDATE, "", "v1")].fields == {"f:spec": {"f:note": {}}}
    assert found[U].fields == {"f:spec": {}}


def test_nothing_changed_leaves_the_very_same_managers() -> None:
    obj = {"spec": {"note": "n"}}
    found = updated(CONTEXT, {}, obj, {}, U, "t1")
    assert updated(CONTEXT, obj, {"spec": {"note": "n"}}, found, U, "t2") is found


def test_status_and_names_are_nobodys() -> None:
    obj = {"metadata": {"name": "x", "labels": {"a": "b"}}, "status": {"phase": "p"}}
    found = updated(CONTEXT, {}, obj, {}, U, "t1")
    assert found[U].fields == {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}


def test_items_are_merged_by_key_and_keep_their_order() -> None:
    live, found = apply({}, {"spec": {"items": [{"name": "x"}, {"name": "y"}]}}, {}, A)
    config = {"spec": {"items": [{"name": "z", "value": "3"}, {"name": "y", "value": "2"}]}}
    live, found = apply(live, config, found, B)
    names = [item["name"] for item in live["spec"]["items"]]
    assert sorted(names) == ["x", "y", "z"] and names.index("z") < names.index("y")
    live, found = apply(live, {"spec": {"items": [{"name": "y"}]}}, found, A)
    assert [item["name"] for item in live["spec"]["items"]] == [n for n in names if n != "x"]


def test_the_oldest_updaters_become_one() -> None:
    obj: Obj = {}
    found: Managers = {}
    for number in range(UPDATERS_MAX + 3):
        new = {
            "metadata": {"labels": {**obj.get("metadata", {}).get("labels", {}), f"l{number}": "x"}}
        }
        own = Id(f"u{number:02}", UPDATE, "", "v1")
        found = updated(CONTEXT, obj, new, found, own, f"2026-01-01T00:00:{number:02}Z")
        obj = new
    assert len(found) == UPDATERS_MAX
    ancient = found[Id(ANCIENT, UPDATE, "", "v1")].fields["f:metadata"]["f:labels"]
    assert {"f:l0", "f:l1", "f:l2", "f:l3"} <= set(ancient)


def test_managers_of_versions_that_are_gone_go() -> None:
    obj = {"spec": {"note": "n"}}
    old = Id("o", UPDATE, "", "v0")
    found = {old: managers.Entry("v0", {"f:spec": {"f:note": {}}}, "t")}
    found = updated(CONTEXT, obj, {"spec": {"note": "n", "replicas": 1}}, found, U, "t2")
    assert old not in found


def test_entries_are_read_and_written_alike() -> None:
    entries = [
        {"manager": "a", "operation": "Apply", "apiVersion": "v1", "time": "t",
         "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}},
        {"manager": "u", "operation": "Update", "apiVersion": "v1", "time": "t",
         "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}}, "subresource": "status"},
    ]  # fmt: skip
    assert encode(decode(entries)) == entries


@pytest.mark.parametrize(
    "entry",
    [
        {"operation": "Merge", "apiVersion": "v1", "fieldsType": "FieldsV1"},
        {"operation": "Apply", "fieldsType": "FieldsV1"},
        {"operation": "Apply", "apiVersion": "v1"},
        {"operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"x": 1}},
        "text",
    ],
)
def test_entries_that_nobody_can_read_are_refused(entry: object) -> None:
    with pytest.raises(Malformed):
        decode([entry])


@pytest.mark.parametrize(
    "config",
    [
        {"spec": {"items": [{"name": "x", "value": "2"}], "note": "n"}},
        {"spec": {"items": [{"name": "x"}], "note": "n"}},
        {"spec": {"items": [], "note": "n"}},
        {"spec": {"items": [{"name": "x", "value": "1"}, {"name": "y"}], "note": "n", "more": {}}},
    ],
)
def test_a_configuration_that_says_as_much_as_before_is_merged_and_no_more(
    config: Obj, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"spec": {"items": [{"name": "x", "value": "1"}], "note": "n"}}
    live, found = apply({}, first, {}, A)
    live, found = apply(live, {"spec": {"replicas": 3}}, found, B)
    quickly = apply(live, config, found, A)

    def never(config: object, fields: object, last: object) -> bool:
        return False

    monkeypatch.setattr(managers, "_says_as_much", never)
    assert quickly == apply(live, config, found, A)


def test_sets_are_written_by_name() -> None:
    items = [{"value": "1", "name": "y"}, {"value": "1", "name": "x"}]
    live, found = apply({}, {"spec": {"replicas": 1, "items": items, "note": "n"}}, {}, A)
    new: Obj = {"spec": {**live["spec"], "replicas": 2}, "metadata": {"labels": {"b": "", "a": ""}}}
    found = updated(CONTEXT, live, new, found, U, "t")
    later = {**new, "metadata": {"labels": {"b": "", "a": "", "0": ""}}, "spec": {"note": "m"}}
    found = updated(CONTEXT, new, later, found, U, "t")
    foreign = {"f:b": {"k:{}": {}, ".": {}, "f:x": {}}, "f:a": {}}
    given = {"operation": UPDATE, "apiVersion": "v1", "fieldsType": "FieldsV1"}
    found |= decode([{**given, "manager": "m", "fieldsV1": foreign}])
    written = encode(found)
    assert len(written) == 2
    assert "f:0" in found[U].fields["f:metadata"]["f:labels"]
    for entry in written:
        assert json.dumps(entry["fieldsV1"]) == json.dumps(entry["fieldsV1"], sort_keys=True)
