"""PersistentVolumes and claims to them: upstream's defaults, rules and columns."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.registry import builtin_kinds

VOLUMES = builtin_kinds()["", "persistentvolumes"]
CLAIMS = builtin_kinds()["", "persistentvolumeclaims"]
VOLUME = {
    "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/d"},
}  # fmt: skip
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def _made(kind: Any, spec: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": "v1", "kind": kind.resource.kind, "metadata": {"name": "x"}}
    decoded = kind.decode({**head, "spec": spec})
    assert decoded.unknown == []
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    return decoded.object


def _wrong(kind: Any, spec: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in kind.validate(_made(kind, spec), old)]


def test_both_wait_and_have_a_file_system_by_default() -> None:
    for kind, spec in ((VOLUMES, VOLUME), (CLAIMS, CLAIM)):
        made = _made(kind, spec)
        assert made["status"] == {"phase": "Pending"}
        assert made["spec"]["volumeMode"] == "Filesystem"
        assert kind.validate(made, None) == []
    assert _made(VOLUMES, VOLUME)["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"hostPath": None}, "spec: Required value: must specify a volume type"),
        ({"nfs": {"server": "s", "path": "/"}},
         "spec.nfs: Forbidden: may not specify more than 1 volume type"),
        ({"accessModes": []}, "spec.accessModes: Required value"),
        ({"accessModes": ["ReadWriteOncePod", "ReadOnlyMany"]},
         "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"),
        ({"volumeMode": "Tape"},
         'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"'),
        ({"capacity": {"storage": "0"}},
         'spec.capacity[storage]: Invalid value: "0": must be greater than zero'),
    ],
)  # fmt: skip
def test_a_volume_is_one_thing(change: dict[str, Any], cause: str) -> None:
    assert _wrong(VOLUMES, {**VOLUME, **change}) == [cause]


def test_the_source_of_a_volume_stays() -> None:
    old = _made(VOLUMES, VOLUME)
    found = _wrong(VOLUMES, {**VOLUME, "hostPath": {"path": "/e"}}, old)
    assert [each.partition("\n")[0] for each in found] == [
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after "
        "creation"
    ]
    assert '\n-  "Path": "/d",\n+  "Path": "/e",\n' in found[0]
    assert _wrong(VOLUMES, {**VOLUME, "capacity": {"storage": "2Gi"}}, old) == []


def test_a_claim_says_how_much() -> None:
    assert _wrong(CLAIMS, {"accessModes": ["ReadWriteOnce"]}) == [
        "spec.resources[storage]: Required value"
    ]
    assert _wrong(CLAIMS, {**CLAIM, "accessModes": []}) == [
        "spec.accessModes: Required value: at least 1 access mode is required"
    ]


def test_a_claim_is_bound_once_and_grows() -> None:
    old = _made(CLAIMS, CLAIM)
    assert _wrong(CLAIMS, {**CLAIM, "volumeName": "v", "storageClassName": "c"}, old) == []
    more = {**CLAIM, "resources": {"requests": {"storage": "2Gi"}}}
    assert [text.partition(":")[0] for text in _wrong(CLAIMS, more, old)] == ["spec"]
    bound = {**old, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    assert _wrong(CLAIMS, more, bound) == []
    less = {**CLAIM, "resources": {"requests": {"storage": "1Mi"}}}
    assert _wrong(CLAIMS, less, bound) == [
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    ]


def test_either_way_of_saying_the_source_of_a_claim_says_both() -> None:
    source = {"kind": "PersistentVolumeClaim", "name": "other"}
    made = _made(CLAIMS, {**CLAIM, "dataSource": source})
    assert made["spec"]["dataSourceRef"] == source
    made = _made(CLAIMS, {**CLAIM, "dataSourceRef": source})
    assert made["spec"]["dataSource"] == source


def test_columns() -> None:
    volume = _made(VOLUMES, {**VOLUME, "claimRef": {"namespace": "n", "name": "c"}})
    cells = {column.name: column.cell(volume, 0) for column in VOLUMES.columns}
    assert (cells["Capacity"], cells["Access Modes"], cells["Claim"]) == ("1Gi", "RWO", "n/c")
    claim = _made(CLAIMS, {**CLAIM, "volumeName": "v", "storageClassName": "fast"})
    claim["status"] |= {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"]}
    cells = {column.name: column.cell(claim, 0) for column in CLAIMS.columns}
    assert (cells["Capacity"], cells["Access Modes"]) == ("1Gi", "RWX")
    assert cells["StorageClass"] == "fast"
