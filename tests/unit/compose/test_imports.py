"""Each process loads what it needs to begin: all else costs memory in it, and time at every start."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        (
            "mizzen.compose.supervisor, mizzen.compose.start",
            {"asyncio", "ssl", "logging", "orjson"},
        ),
        ("mizzen.compose.roles.apiserver", {"aiohttp", "cryptography", "yaml"}),
        ("mizzen.compose.roles.controllers", {"aiohttp", "cryptography", "yaml", "mizzen.cel"}),
        ("mizzen.compose.roles.gateway", {"aiohttp"}),  # before it has said: no certificates
    ],
)
def test_a_process_starts_without_heavy_modules(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
