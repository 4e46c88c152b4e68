"""The README keeps its word: commands marked `<!-- tested -->` run, links lead somewhere.

All marked blocks run in order against one instance in an empty home, as a newcomer types them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mizzen.cli import verb

ROOT = Path(__file__).parents[2]
_PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_MARKED = re.compile(r"<!-- tested -->\n+```\w*\n(.*?)```", re.DOTALL)
_BLOCKS = _MARKED.findall((ROOT / "README.md").read_text())
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_MENTIONED = re.compile(r"^mizzen ([a-z-]+)|`mizzen ([a-z-]+)", re.MULTILINE)
_BLOCK_S = 120


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A newcomer's: an empty home, the virtual environment first in PATH."""
    home = tmp_path_factory.mktemp("home")
    commands = home / "bin"
    commands.mkdir()
    for name in ("python", "python3"):
        (commands / name).symlink_to(sys.executable)
    entry = commands / "mizzen"
    entry.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mizzen.cli "$@"\n')
    entry.chmod(0o755)
    result = {"HOME": str(home), "PATH": f"{commands}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    yield result
    _run("mizzen down", result)


def test_some_commands_are_marked() -> None:
    assert len(_BLOCKS) == 3, "the README's tour: by hand, kubectl, stop"


def test_the_marked_commands_run(environment: dict[str, str]) -> None:
    for block in _BLOCKS:
        if "kubectl" in block and shutil.which("kubectl") is None:
            continue
        done = _run(block, environment)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        if "mizzen ps" in block:
            assert "trainjob/llama" in done.stdout
            assert "device-seconds of" in done.stdout


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_verbs_are_there(page: Path) -> None:
    text = page.read_text()
    links = [link for link in _LINK.findall(text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing, f"{page.name} links to what is not there: {missing}"
    mentioned = {one or other for one, other in _MENTIONED.findall(text)}
    assert mentioned <= set(verb.names()), f"{page.name} names verbs that are not there"


def _run(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    # Files, not pipes: what `mizzen up --detach` leaves running must not hold them open.
    out, err = (Path(environment["HOME"]) / name for name in ("out", "err"))
    with out.open("w") as stdout, err.open("w") as stderr:
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            timeout=_BLOCK_S,
        )  # fmt: skip
    return subprocess.CompletedProcess(script, done.returncode, out.read_text(), err.read_text())
