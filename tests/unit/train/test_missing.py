"""What a training script is told where its libraries are not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "LIBRARY":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from mizzen import train
train.init(steps=1, framework="jax")
"""


@pytest.mark.parametrize("library", ["numpy", "jax"])
def test_the_last_line_says_what_to_install(library: str) -> None:
    script = _SCRIPT.replace("LIBRARY", library)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert library in last and "pip install 'mizzen[jax]'" in last
