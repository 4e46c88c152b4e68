"""Kinds of storage.k8s.io: upstream's defaults, rules and columns."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds

KINDS = builtin_kinds()


def _kind(plural: str) -> Kind:
    return KINDS["storage.k8s.io", plural]


def _complete(plural: str, **fields: Any) -> dict[str, Any]:
    kind = _kind(plural)
    head = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind}
    decoded = kind.decode({**head, "metadata": {"name": "x"}, **fields})
    assert decoded.causes == [] and decoded.unknown == []
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    return decoded.object


def _wrong(plural: str, old: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    causes = _kind(plural).validate(_complete(plural, **fields), old)
    return [f"{cause.field}: {cause.message}" for cause in causes]


def _cells(plural: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {column.name: column.cell(obj, 0) for column in _kind(plural).columns}


def test_a_storage_class_has_upstreams_defaults_and_does_not_change() -> None:
    made = _complete("storageclasses", provisioner="example.com/nfs")
    assert (made["reclaimPolicy"], made["volumeBindingMode"]) == ("Delete", "Immediate")
    assert _wrong("storageclasses", provisioner="example.com/nfs") == []
    assert _wrong("storageclasses") == ["provisioner: Required value"]
    (cause,) = _wrong("storageclasses", made, provisioner="other")
    assert cause == 'provisioner: Invalid value: "other": field is immutable'
    assert _wrong("storageclasses", provisioner="p", reclaimPolicy="Recycle") == [
        'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'
    ]


def test_the_default_class_is_shown_as_such() -> None:
    made = _complete("storageclasses", provisioner="p")
    made["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert _cells("storageclasses", made)["Name"] == "x (default)"


def test_topologies_of_a_class_name_each_label_once() -> None:
    expression = {"key": "zone", "values": ["a", "a"]}
    term = {"matchLabelExpressions": [expression, {"key": "zone", "values": []}]}
    path = "allowedTopologies[0].matchLabelExpressions"
    found = _wrong("storageclasses", provisioner="p", allowedTopologies=[term])
    assert [text.partition(":")[0] for text in found] == [
        f"{path}[0].values[1]", f"{path}[1].values", f"{path}[1].key",
    ]  # fmt: skip


def test_a_csi_driver_says_all_that_kubelets_ask() -> None:
    made = _complete("csidrivers", spec={})
    assert made["spec"] == {
        "attachRequired": True, "podInfoOnMount": False, "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType", "requiresRepublish": False,
        "seLinuxMount": False, "volumeLifecycleModes": ["Persistent"],
    }  # fmt: skip
    cells = _cells("csidrivers", made)
    assert (cells["AttachRequired"], cells["TokenRequests"]) == (True, "<unset>")
    tokens = [{"audience": "a", "expirationSeconds": 1}, {"audience": "a"}]
    spec = {"tokenRequests": tokens, "fsGroupPolicy": "Any"}
    assert [text.partition(":")[0] for text in _wrong("csidrivers", spec=spec)] == [
        "spec.fsGroupPolicy",
        "spec.tokenRequests[0].expirationSeconds",
        "spec.tokenRequests[1].audience",
    ]


def test_drivers_of_a_node_differ_and_stay() -> None:
    driver = {"name": "d.example.com", "nodeID": "n"}
    made = _complete("csinodes", spec={"drivers": [driver]})
    assert _cells("csinodes", made)["Drivers"] == 1
    assert _wrong("csinodes", spec={"drivers": None}) == []
    assert _wrong("csinodes", spec={"drivers": [driver, driver]}) == [
        'spec.drivers[1].name: Duplicate value: "d.example.com"'
    ]
    limited = {**driver, "allocatable": {"count": 3}}
    assert _wrong("csinodes", made, spec={"drivers": [limited]}) == []
    (cause,) = _wrong("csinodes", made, spec={"drivers": [{**driver, "nodeID": "m"}]})
    assert cause.startswith("spec.drivers: Invalid value")


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({}, "spec.source"),
        ({"persistentVolumeName": ""}, "spec.source.persistentVolumeName"),
        ({"persistentVolumeName": "p", "inlineVolumeSpec": {}}, "spec.source"),
        ({"inlineVolumeSpec": {}}, "spec.source.inlineVolumeSpec.csi"),
        ({"persistentVolumeName": "p"}, ""),
    ],
)
def test_an_attachment_names_one_volume(source: dict[str, Any], field: str) -> None:
    spec = {"attacher": "d.example.com", "nodeName": "n", "source": source}
    found = _wrong("volumeattachments", spec=spec)
    assert (found[0].partition(":")[0] if found else "") == field


def test_attributes_and_capacities() -> None:
    assert _wrong("volumeattributesclasses", driverName="d") == [
        "parameters: Required value: must contain at least one key/value pair"
    ]
    old = _complete("volumeattributesclasses", driverName="d", parameters={"a": "b"})
    assert _wrong("volumeattributesclasses", old, driverName="d", parameters={"a": "c"}) == [
        "parameters: Forbidden: updates to parameters are forbidden."
    ]
    assert _wrong("csistoragecapacities", storageClassName="s", capacity="-1") == [
        'capacity: Invalid value: "-1": must be greater than or equal to 0'
    ]
