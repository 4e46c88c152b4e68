"""Slices read: devices of one make share one shape, their own marks apart."""

from __future__ import annotations

from copy import deepcopy

import pytest

from mizzen.scheduler.core.dra.held import Held
from mizzen.scheduler.core.dra.model import Allocation, Attribute, DeviceId, DeviceResult
from mizzen.scheduler.core.dra.quantity import parse
from mizzen.scheduler.core.dra.slices import Shapes, read_slice
from support.scheduler_world import resource_slice

GPU = {"model": {"string": "H200"}, "numaNode": {"int": 1}}


def test_devices_of_one_make_share_one_shape() -> None:
    shapes = Shapes()
    devices = [
        {
            "name": f"gpu-{i}",
            "attributes": {**GPU, "uuid": {"string": f"GPU-{i}"}, "index": {"int": i}},
            "capacity": {"memory": {"value": "141Gi"}},
        }
        for i in range(8)
    ]
    found = [
        d for n in ("n1", "n2") for d in read_slice(resource_slice(n, devices), shapes).devices
    ]
    assert len(shapes) == 1
    assert all(device.shape is found[0].shape for device in found)
    assert found[3].attribute("cpu.mizzen.dev/uuid") == Attribute("string", "GPU-3")
    assert found[3].attribute("cpu.mizzen.dev/model") == Attribute("string", "H200")
    assert found[3].attribute("other.dev/model") is None


def test_types_of_attributes_are_told_apart() -> None:
    values = [
        {"int": 1},
        {"bool": True},
        {"string": "1"},
        {"version": "1.0.0"},
        {"ints": [1, 2]},
        {},
    ]
    devices = [{"name": f"d{i}", "attributes": {"x": v}} for i, v in enumerate(values)]
    found = read_slice(resource_slice("n1", devices), Shapes()).devices
    kinds = [d.shape.attributes[0][1].kind for d in found]
    assert kinds == ["int", "bool", "string", "version", "ints", ""]
    assert len({d.shape for d in found}) == len(values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attributes": {}},
        {"name": "d", "attributes": {"x": {"int": "1"}}},
        {"name": "d", "attributes": {"x": {"ints": ["1"]}}},
        {"name": "d", "capacity": {"x": {"value": "many"}}},
        {"name": "d", "taints": "x"},
        {"name": "d", "allowMultipleAllocations": "yes"},
    ],
)
def test_what_is_no_device_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_slice(resource_slice("n1", [wrong]), Shapes())


def test_shares_come_and_go_in_any_order() -> None:
    device = DeviceId("d", "p", "x")

    def share(amount: str) -> Allocation:
        result = DeviceResult("r", device, shared=True, consumed=(("bw", parse(amount)),))
        return Allocation((result,), None)

    held = Held()
    held.hold(share("2"))
    held.hold(share("3"))
    copy = deepcopy(held)
    held.hold(share("2"), -1)
    assert held.consumed[device] == {"bw": parse("3").nano}
    assert copy.consumed[device] == {"bw": parse("5").nano}
    held.hold(share("3"), -1)
    assert not held.uses(device)
    assert device not in held.consumed
