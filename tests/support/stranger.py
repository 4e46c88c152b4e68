"""Another local user, for tests of what he can reach; needs root."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

UID = 12345
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
_BECOME = f"os.setgroups([]); os.setgid({UID}); os.setuid({UID}); os.chdir('/')"


def python_as_stranger(program: str, *arguments: str, timeout_s: float = 20) -> str:
    """What a Python program prints that becomes a user without rights at its line `become()`.

    What lies above that line is imported with our rights: our interpreter may be ours alone.
    """
    done = subprocess.run(
        _command(program, arguments),
        env={}, capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def stranger_at_work(program: str, *arguments: str) -> Iterator[str]:
    """Runs such a program beside the test, from its first line of output (given) to the end."""
    with subprocess.Popen(
        _command(program, arguments), env={}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _command(program: str, arguments: tuple[str, ...]) -> list[str]:
    whole = f"import os, sys\n{program.replace('become()', _BECOME)}"
    return [sys.executable, "-c", whole, *arguments]
