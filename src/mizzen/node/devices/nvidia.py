"""NVIDIA GPUs, where NVML and the driver are there; none otherwise, without a word."""

# pyright: basic
from __future__ import annotations

from pathlib import Path

from mizzen.base import names
from mizzen.base.quantity import format_bytes
from mizzen.node.config import NodeConfig
from mizzen.node.core.devices import Device


def discover(config: NodeConfig, enforcement: str) -> list[Device]:
    """One device for each GPU. Attribute names follow NVIDIA's own DRA driver."""
    if not Path("/dev/nvidiactl").exists():
        return []  # without the driver the import alone would cost memory
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_device(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _device(nvml, index: int) -> Device:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    return Device(
        names.GPU_DRIVER,
        f"gpu-{index}",
        {
            "type": {"string": "gpu"},
            "index": {"int": index},
            "uuid": {"string": nvml.nvmlDeviceGetUUID(handle)},
            "productName": {"string": nvml.nvmlDeviceGetName(handle)[:64]},
            "pciBusID": {"string": nvml.nvmlDeviceGetPciInfo(handle).busId.lower()},
            "simulated": {"bool": False},
        },
        {"memory": format_bytes(nvml.nvmlDeviceGetMemoryInfo(handle).total)},
    )
