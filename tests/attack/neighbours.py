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
from support.instance import Instance

STRANGER = 12345  # a user id that nobody has
LOOK = """
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


def as_stranger(program: str, *words: str) -> str:
    """What the program prints. The interpreter may lie where only we can start it."""
    leave = f"import os; os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})"
    done = subprocess.run(
        [sys.executable, "-c", f"import os, socket, sys\n{leave}\n{program}", *words],
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
    seen = as_stranger(LOOK, str(stage.instance.home), *shared)
    assert not seen, f"readable for everybody: {seen.split()[:5]}"


def _connects(stage: Stage) -> None:
    with open("/proc/net/unix") as table:
        paths = [line.split()[-1] for line in table if "/" in line or "@" in line]
    ours = [p for p in paths if "mizzen" in p and not p.startswith("@")]
    found = [str(p) for p in stage.instance.home.rglob("*") if p.is_socket()]
    reached = as_stranger(CONNECT, *ours, *found)
    assert not reached, f"sockets open to everybody: {reached.split()}"


def _first(stage: Stage) -> None:
    """The folder of an instance that has not started yet is made before, with links to files."""
    with tempfile.TemporaryDirectory(prefix="mizzen-victim-") as name:
        precious = Path(name) / "Documents" / "thesis"
        precious.parent.mkdir()
        precious.write_text("years of work")
        instance = Instance(Path(name) / "instance")
        home = Home.locate(str(instance.home), {})
        foreign = Path("/dev/shm") / f"mizzen-{os.getuid()}-{home.instance}"
        foreign.mkdir()
        os.symlink(name, foreign / "x")
        os.chmod(foreign, 0o777)
        os.chown(foreign, STRANGER, STRANGER)
        os.lchown(foreign / "x", STRANGER, STRANGER)
        try:
            instance.ok("up", "--detach")
            instance.ok("down")
            assert precious.read_text() == "years of work", "a file of the victim's is gone"
            assert (foreign / "x").is_symlink(), "a stranger's folder was taken for ours"
        finally:
            shutil.rmtree(foreign)
