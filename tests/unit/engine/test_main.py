"""What `python -m mizzen.engine` says when it cannot even begin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.tiny_gguf import write_tiny_gguf

_WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None  # any import of it fails, as where it is not installed
from mizzen.engine.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("library", ["openvino_genai", "numpy"])
def test_without_its_libraries_it_says_what_to_install(library: str, tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "tiny.gguf")
    arguments = ["--model", str(tmp_path / "tiny.gguf"), "--port", "0"]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, library, *arguments],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("the inference engine is not installed here")
    assert line.endswith("pip install 'mizzen[engine]'")
    assert library in line
