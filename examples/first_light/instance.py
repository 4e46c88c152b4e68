"""One throw-away Mizzen instance, driven as a user would: by the `mizzen` command."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from mizzen.compose.settings import load
from mizzen.host.home import Home
from mizzen.host.pki import load_api_keys

MIZZEN = [sys.executable, "-m", "mizzen.cli.main"]


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


class Instance:
    """Starts, asks and stops the control plane that lives under `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home

    async def command(self, *arguments: str, deadline_s: float = 60) -> str:
        """Runs one `mizzen` verb and returns what it printed."""
        process = await asyncio.create_subprocess_exec(
            *MIZZEN, *arguments, "--home", str(self.home),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), deadline_s)
        except (TimeoutError, asyncio.CancelledError):
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise DemoError(f"mizzen {' '.join(arguments)} failed: {(err or out).decode().strip()}")
        return out.decode()

    async def up(self) -> None:
        """Starts the instance on as many cores as give a pool of four devices.

        Four whole cores, or two as halves: three workers and a replica fill the pool, so that a
        burst must take from training, however large the machine is.
        """
        mine = os.sched_getaffinity(0)
        if len(mine) < 2:
            raise DemoError("the demo needs two CPU cores, and this process may use one only")
        os.sched_setaffinity(0, sorted(mine)[: 4 if len(mine) >= 4 else 2])
        try:
            await self.command("up", "--detach")
        finally:
            os.sched_setaffinity(0, mine)

    async def down(self) -> None:
        await self.command("down")

    def outputs(self, namespace: str, job: str) -> Path:
        """The folder that a job's workers know as MIZZEN_OUTPUT."""
        return Home.locate(str(self.home), os.environ).outputs / namespace / job

    def gateway(self) -> tuple[str, str]:
        """The gateway's address and an API key."""
        home = Home.locate(str(self.home), os.environ)
        settings = load(home)
        return f"http://{settings.listen}:{settings.gateway_port}", load_api_keys(home)[0]

    async def kubeconfig(self) -> Path:
        return Path((await self.command("kubeconfig")).strip())


def environment() -> dict[str, Any]:
    """What the run ran on: versions and machine, for the report."""
    packages = (
        "mizzen",
        "jax",
        "numpy",
        "openvino-genai",
        "gguf",
        "openai",
        "aiohttp",
        "granian",
        "lmdb",
    )
    versions: dict[str, str] = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": len(os.sched_getaffinity(0)),
        "user": "root" if os.geteuid() == 0 else "ordinary",
        "versions": versions,
    }
