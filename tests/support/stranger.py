"""Another local user, for tests of what he can reach; needs root."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

UID = 12345
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


_BECOME = f"os.setgroups([]); os.setgid({UID}); os.setuid({UID}); os.chdir('/')"


def python_as_stranger(program: str, *arguments: str, timeout_s: float = 20) -> str:
    """What a Python program prints that becomes a user without rights at its line `become()`.

    What lies above that line is imported with our rights: our interpreter may be ours alone.
    """
    whole = program.replace("become()", _BECOME)
    done = subprocess.run(
        [sys.executable, "-c", f"import os, sys\n{whole}", *arguments],
        env={}, capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
