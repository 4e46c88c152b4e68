"""One real instance in a folder of its own, driven through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DEADLINE_S = 60


class Instance:
    """One instance in a folder of its own, driven through the command line."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        """`environment` is what its commands have beside this process's variables."""
        self.home = home
        self._environment = {**os.environ, **(environment or {})}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mizzen.cli", "--home", str(self.home), *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE_S, env=self._environment
        )

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def kubectl(self, *words: str, given: str | None = None) -> str:
        config = ("--kubeconfig", str(self.home / "config" / "kubeconfig"))
        done = subprocess.run(
            ["kubectl", *config, *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "-o", "json").stdout)

    def process(self, role: str) -> dict[str, Any]:
        return next(p for p in self.status()["processes"] if p["role"] == role)

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not in {DEADLINE_S} s: {self.status()}")

    def processes(self) -> list[int]:
        """Every process that belongs to this instance, by what its environment or command names."""
        found: list[int] = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                folder = (entry / "cwd").readlink()
            except OSError:  # gone, not ours to read, or in a folder too deep to have a name
                continue
            if os.fsencode(self.home) in words or folder.is_relative_to(self.home):
                found.append(int(entry.name))
        return found
