"""Python's clients, each a program of its own in an environment of their own."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.client_programs import python
from support.instance import Instance

PROGRAMS = Path(__file__).parent / "python"
DEADLINE_S = 150
_SUFFIX = "_client"


def scenarios() -> Iterator[Any]:
    """Each function of a program that takes a namespace and says what it shows."""
    for path in sorted(PROGRAMS.glob(f"*{_SUFFIX}.py")):
        client = path.stem.removesuffix(_SUFFIX)
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            sentence = ast.get_docstring(node)
            if sentence and [each.arg for each in node.args.args] == ["namespace"]:
                mark = pytest.mark.client(client, sentence)
                yield pytest.param(path, node.name, marks=mark, id=f"{client}-{node.name}")


@pytest.mark.parametrize(("program", "scenario"), list(scenarios()))
def test_scenario(
    widgets: Instance, namespace: str, tmp_path: Path, program: Path, scenario: str
) -> None:
    config = widgets.home / "config" / "kubeconfig"
    try:
        done = subprocess.run(
            [python(), program, scenario, namespace],
            capture_output=True,
            timeout=DEADLINE_S,
            env={**os.environ, "KUBECONFIG": str(config), "HOME": str(tmp_path)},
        )
    except subprocess.TimeoutExpired as error:
        told = _tail(error.stdout, 3000) + _tail(error.stderr, 5000)
        pytest.fail(f"not done within {DEADLINE_S} s\n{told}", pytrace=False)
    assert done.returncode == 0, _tail(done.stdout, 3000) + _tail(done.stderr, 5000)


def _tail(text: bytes | None, size: int) -> str:
    return (text or b"")[-size:].decode(errors="replace")
