"""What `python -m mizzen.engine` says when it cannot even begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mizzen.base.termination import TERMINATION_LOG, read_termination
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


def test_why_it_could_not_load_is_its_termination_message(tmp_path: Path) -> None:
    log, model = tmp_path / "termination-log", tmp_path / "missing.gguf"
    done = subprocess.run(
        [sys.executable, "-m", "mizzen.engine", "--model", str(model)],
        env={**os.environ, TERMINATION_LOG: str(log)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    said = f'model "{model}" cannot be loaded: there is no such file'
    assert read_termination(log.read_text()) == ("ModelNotFound", said)
    assert done.stderr.strip() == said
