"""Devices, claims and the cores that follow from them."""

from __future__ import annotations

from typing import Any

from mizzen.node.core.devices import (
    Device,
    allocations,
    claim_names,
    held_by,
    placement,
    shared_cpus,
    slices,
    without_driver,
)

HALVES = [
    Device("cpu.mizzen.dev", f"core-{c}-half-{h}", {"core": {"int": c}}, {"cpu": "500m"})
    for c in (0, 1)
    for h in (0, 1)
]
CORES = [
    Device("cpu.mizzen.dev", f"core-{c}", {"core": {"int": c}}, {"cpu": "1"}) for c in range(4)
]


def claim(name: str, pod_uid: str, *devices: str) -> dict[str, Any]:
    results = [{"driver": "cpu.mizzen.dev", "pool": "n", "device": d} for d in devices]
    return {
        "metadata": {"name": name, "namespace": "d"},
        "status": {
            "allocation": {"devices": {"results": results}},
            "reservedFor": [{"resource": "pods", "name": "p", "uid": pod_uid}],
        },
    }


def test_a_half_is_its_core_with_a_quota() -> None:
    held = allocations([claim("c", "u", "core-1-half-0")], HALVES, "n")
    place = placement(held_by({"metadata": {"uid": "u"}}, held), HALVES, held)
    assert (place.cpus, place.quota_milli) == ((1,), 500)


def test_both_halves_are_a_whole_core_without_quota() -> None:
    held = allocations([claim("c", "u", "core-1-half-0", "core-1-half-1")], HALVES, "n")
    place = placement(held_by({"metadata": {"uid": "u"}}, held), HALVES, held)
    assert (place.cpus, place.quota_milli) == ((1,), None)


def test_pods_without_claims_share_what_is_not_wholly_claimed() -> None:
    held = allocations([claim("c", "u", "core-2", "core-3")], CORES, "n")
    assert shared_cpus(CORES, held) == (0, 1)
    halves = allocations([claim("c", "u", "core-0-half-0")], HALVES, "n")
    assert shared_cpus(HALVES, halves) == (0, 1)
    everything = allocations([claim("c", "u", *(d.name for d in CORES))], CORES, "n")
    assert shared_cpus(CORES, everything) == (0, 1, 2, 3)


def test_other_nodes_devices_are_not_ours() -> None:
    assert allocations([claim("c", "u", "core-0")], CORES, "elsewhere") == {}


def test_claim_names_wait_until_they_are_made() -> None:
    pod = {"spec": {"resourceClaims": [{"name": "r", "resourceClaimTemplateName": "t"}]}}
    assert claim_names(pod) is None
    pod["status"] = {"resourceClaimStatuses": [{"name": "r", "resourceClaimName": "c"}]}  # type: ignore[assignment]
    assert claim_names(pod) == ["c"]


def test_one_slice_for_each_driver() -> None:
    other = Device("simulated.mizzen.dev", "simulated-0", {}, {"memory": "1Gi"})
    made = slices([*CORES, other], "n", {"cpu.mizzen.dev": 3})
    assert [
        (s["spec"]["driver"], s["spec"]["pool"]["generation"], len(s["spec"]["devices"]))
        for s in made
    ] == [
        ("cpu.mizzen.dev", 3, 4),
        ("simulated.mizzen.dev", 1, 1),
    ]


def test_a_device_that_this_node_does_not_have_is_named() -> None:
    pod = {
        "metadata": {"namespace": "d", "uid": "u"},
        "spec": {"resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}]},
    }
    ours = claim("c", "u", "core-0-half-0")
    assert without_driver(pod, [ours], HALVES) == ""
    result = {"driver": "gpu.example.com", "pool": "node", "device": "gpu-0"}
    theirs = ours | {"status": {"allocation": {"devices": {"results": [result]}}}}
    assert without_driver(pod, [theirs], HALVES) == "gpu.example.com/node/gpu-0"
