"""Another user of the same machine, who may open sockets and make folders like anybody."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attack.stage import Attack, Stage
from mizzen.host.home import Home

STRANGER, VICTIM = 12345, 12346  # user ids that nobody has
LOOK = """
import os, sys
for place in sys.argv[1:]:
    for folder, folders, files in os.walk(place):
        for name in files:
            try:
                open(os.path.join(folder, name), "rb").read(1)
            except OSError:
                continue
            print(os.path.join(folder, name))
"""
CONNECT = """
import socket, sys
for place in sys.argv[1:]:
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(place)
    except OSError:
        continue
    print(place)
"""


def attacks(stage: Stage) -> Iterator[Attack]:
    if os.geteuid():
        print("not root: there is no second user to try as")
        return
    yield Attack("reads what is the instance's own", lambda: _reads(stage))
    yield Attack("connects to its sockets", lambda: _connects(stage))
    yield Attack("was first in shared memory", lambda: _first(stage))


def _as_stranger(program: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        user=STRANGER,
        group=STRANGER,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _reads(stage: Stage) -> None:
    os.chmod(stage.instance.home.parent, 0o755)
    shared = [str(p) for p in Path("/dev/shm").glob("mizzen-*")]
    seen = _as_stranger(LOOK, str(stage.instance.home), *shared)
    assert not seen, f"readable for everybody: {seen.split()[:5]}"


def _connects(stage: Stage) -> None:
    with open("/proc/net/unix") as table:
        paths = [line.split()[-1] for line in table if "/" in line or "@" in line]
    ours = [p for p in paths if "mizzen" in p and not p.startswith("@")]
    found = [str(p) for p in stage.instance.home.rglob("*") if p.is_socket()]
    reached = _as_stranger(CONNECT, *ours, *found)
    assert not reached, f"sockets open to everybody: {reached.split()}"


def _first(stage: Stage) -> None:
    """The folder of a user who has not started yet is made before, with links to his files."""
    with tempfile.TemporaryDirectory(prefix="mizzen-victim-") as name:
        folder = Path(name)
        precious = folder / "Documents" / "thesis"
        precious.parent.mkdir()
        precious.write_text("years of work")
        home = Home.locate(str(folder / "instance"), {})
        foreign = Path("/dev/shm") / f"mizzen-{VICTIM}-{home.instance}"
        foreign.mkdir(mode=0o777)
        os.chmod(foreign, 0o777)
        os.symlink(folder, foreign / "x")
        for path in (folder, precious.parent, precious):
            os.chown(path, VICTIM, VICTIM)
        os.chown(foreign, STRANGER, STRANGER)
        os.lchown(foreign / "x", STRANGER, STRANGER)
        try:
            _up_and_down(home)
            assert precious.read_text() == "years of work", "a file of the victim's is gone"
            assert Path(foreign / "x").is_symlink()
        finally:
            shutil.rmtree(foreign)


def _up_and_down(home: Home) -> None:
    """As the victim: an instance that starts, or says in one line why it does not."""
    for words in (["up", "--detach"], ["down"]):
        done = subprocess.run(
            [sys.executable, "-m", "mizzen.cli", "--home", str(home.root), *words],
            user=VICTIM,
            group=VICTIM,
            extra_groups=[],
            env={**os.environ, "HOME": str(home.root.parent), "XDG_RUNTIME_DIR": ""},
            capture_output=True,
            text=True,
            timeout=120,
            cwd=home.root.parent,
        )
        if words[0] == "up" and done.returncode:
            assert "mizzen-" in done.stderr and "Traceback" not in done.stderr, done.stderr
            return
