"""A real engine in its own process, on a free port of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.ports import free_port

READY_S = 60.0


@dataclass
class EngineProcess:
    url: str
    process: subprocess.Popen[str]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return response.read().decode()

    def metric(self, name: str) -> float:
        """The value of a metric without labels beyond the model's name."""
        for line in self.get("/metrics").splitlines():
            if line.startswith(f"{name}{{"):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}")

    def is_healthy(self) -> bool:
        try:
            self.get("/health")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def wait_until_healthy(self, deadline_s: float = READY_S) -> None:
        end = time.monotonic() + deadline_s
        while not self.is_healthy():
            if self.process.poll() is not None or time.monotonic() > end:
                assert self.process.stderr is not None
                raise AssertionError(f"engine not healthy: {self.process.stderr.read()}")
            time.sleep(0.02)


@contextlib.contextmanager
def engine_process(
    model: Path,
    *arguments: str,
    rank_file: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    socket: Path | None = None,
) -> Iterator[EngineProcess]:
    """Starts `python -m mizzen.engine` and ends it by SIGTERM, after a while by SIGKILL."""
    port = port or free_port()
    named = {"MIZZEN_RANK_FILE": rank_file, "MIZZEN_SERVING_SOCKET": socket}
    env = {**os.environ, **{name: str(path) for name, path in named.items() if path}}
    command = [sys.executable, "-m", "mizzen.engine", "--model", str(model), "--name", "tiny"]
    command += ["--host", host, "--port", str(port), *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env)
    try:
        yield EngineProcess(f"http://{host}:{port}", process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()
