"""The checker finds each fault that it names, and none in a world without."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from checkers import invariants

ENTRY = {
    "manager": "m",
    "operation": "Update",
    "apiVersion": "v1",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:data": {".": {}, "f:k": {}}},
}


def world() -> list[tuple[str, Any]]:
    owner = {"kind": "Job", "name": "j", "uid": "u1", "controller": True}
    return [
        ("jobs.batch", {"metadata": {"name": "j", "namespace": "n", "uid": "u1", "resourceVersion": "1"}}),
        ("pods", {"metadata": {"name": "p", "namespace": "n", "uid": "u2", "resourceVersion": "2",
                               "ownerReferences": [owner]}}),
        ("pods", {"metadata": {"name": "q", "namespace": "n", "uid": "u3", "resourceVersion": "3"},
                  "status": {"phase": "Failed"}}),
        ("configmaps", {"metadata": {"name": "c", "namespace": "n", "uid": "u4", "resourceVersion": "4",
                                     "managedFields": [ENTRY]}}),
        ("resourcequotas", {"metadata": {"name": "r", "namespace": "n", "uid": "u5", "resourceVersion": "5"},
                            "spec": {"hard": {"pods": "9", "count/pods": "9", "cpu": "1"}},
                            "status": {"used": {"pods": "1", "count/pods": "2", "cpu": "7"}}}),
    ]  # fmt: skip


def test_a_world_in_order_has_no_fault() -> None:
    assert invariants.faults(world()) == []


@pytest.mark.parametrize(
    ("index", "path", "value", "said"),
    [
        (1, ("metadata", "uid"), "u3", "pods/n/q has the uid of pods/n/p: u3"),
        (1, ("metadata", "resourceVersion"), "1", "pods/n/p has the resourceVersion of jobs.batch/n/j"),
        (1, ("metadata", "resourceVersion"), "", "pods/n/p has no resourceVersion"),
        (2, ("metadata", "deletionTimestamp"), "2027-01-15T08:00:00Z", "q is being deleted, and nothing"),
        (0, ("metadata", "uid"), "other", "pods/n/p outlived its owners: j"),
        (0, ("metadata", "name"), "k", "pods/n/p calls its owner j, not k"),
        (0, ("metadata", "namespace"), "o", "pods/n/p has an owner in another namespace"),
        (3, ("metadata", "managedFields"), [ENTRY, ENTRY], "configmaps/n/c: two entries of"),
        (3, ("metadata", "managedFields"), [{**ENTRY, "operation": "x"}], "an entry that is none"),
        (3, ("metadata", "managedFields"), [{**ENTRY, "more": 1}], r"an entry with \['more'\]"),
        (3, ("metadata", "managedFields"), [{**ENTRY, "fieldsV1": {"data": {}}}], "are no set"),
        (4, ("status", "used", "pods"), "2", "2 pods are used, 1 are there"),
    ],
)  # fmt: skip
def test_each_fault_is_told(index: int, path: tuple[str, ...], value: Any, said: str) -> None:
    listed = copy.deepcopy(world())
    node = listed[index][1]
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    with pytest.raises(AssertionError, match=said):
        raise AssertionError("\n".join(invariants.faults(listed)))
