"""Durable checkpoints for programs outside the training, such as an exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mizzen.checkpoints.tier import Places
from mizzen.train.errors import TrainError
from mizzen.train.staging import newest


def load_newest(folder: Path) -> tuple[int, dict[str, NDArray[Any]]]:
    """Completed steps and leaves by path ("params/embedding") of the newest whole checkpoint.

    Errors: TrainError when the folder holds none.
    """
    found = newest(Places(folder=folder))
    if found is None:
        raise TrainError(f"no complete checkpoint (step-*/manifest.json and state) in {folder}")
    return found.step, dict(found.arrays)
