"""What the node role says before it does anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mizzen.checkpoints.tier import TIERS


def test_a_checkpoint_tier_that_there_is_not_ends_the_role_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mizzen.compose", "node", "--home", str(tmp_path / "home")]
    environ = os.environ | {TIERS: "memory, tape"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith(f'mizzen: {TIERS}: there is no tier "tape"; there are local, memory')
