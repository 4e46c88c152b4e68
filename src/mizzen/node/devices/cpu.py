"""CPU cores as devices; halves of them where there are fewer than four.

Source: /sys/devices/system/cpu, /proc/cpuinfo, sched_getaffinity(2).
"""

from __future__ import annotations

import os
from pathlib import Path

from mizzen.base import names
from mizzen.base.objects import Obj
from mizzen.node.config import NodeConfig
from mizzen.node.core.devices import Device

HALVES_BELOW = 4
_SYS = Path("/sys/devices/system/cpu")


def discover(config: NodeConfig, enforcement: str) -> list[Device]:
    """One device for each core this process may run on, or two halves."""
    cores = sorted(os.sched_getaffinity(0))
    model = cpu_model()
    devices: list[Device] = []
    for core in cores:
        attributes: Obj = {
            "type": {"string": "cpu-core"},
            "core": {"int": core},
            "numaNode": {"int": _numa_node(core)},
            "socket": {"int": _number(_SYS / f"cpu{core}/topology/physical_package_id")},
            "model": {"string": model[:64]},
            "simulated": {"bool": False},
            "enforcement": {"string": enforcement},
        }
        if len(cores) >= HALVES_BELOW:
            devices.append(Device(names.CPU_DRIVER, f"core-{core}", attributes, {"cpu": "1"}))
            continue
        for half in (0, 1):
            devices.append(
                Device(
                    names.CPU_DRIVER,
                    f"core-{core}-half-{half}",
                    attributes | {"half": {"int": half}},
                    {"cpu": "500m"},
                )
            )
    return devices


def cpu_model() -> str:
    """The processor's name, "unknown" where the kernel tells none."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model", "cpu model"):
                return value.strip()
    except OSError:
        pass
    return "unknown"


def _numa_node(core: int) -> int:
    for entry in (_SYS / f"cpu{core}").glob("node[0-9]*"):
        return int(entry.name[4:])
    return 0


def _number(path: Path) -> int:
    try:
        return max(int(path.read_text()), 0)
    except (OSError, ValueError):
        return 0
