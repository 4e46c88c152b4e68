"""Small libraries in C that tests preload into programs (tests/native)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "native"


def build(name: str, folder: Path) -> Path:
    """The library of `name`.c, made in the folder. Errors: AssertionError without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "this test needs a C compiler: install one (Debian: apt install gcc)"
    library = folder / f"{name}.so"
    command = [compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([*command, str(FOLDER / f"{name}.c"), "-lpthread", "-ldl"], check=True)
    return library
