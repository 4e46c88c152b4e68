"""Files of a home that were cut off, edited or forged, and commands in odd surroundings.

Each strike has a home of its own, of which nothing runs: what is looked at is what a command says,
how long it takes, and that it signals nobody.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from attack.stage import Attack, Stage
from mizzen.compose import settings
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.host.process import identify

COMMAND_S_MAX = 30.0
FILES = ("tokens", "api_keys", "settings", "kubeconfig", "record")
PIDS = (0, 1, -1, 2**31, 2**63, 10**400)
TRASH = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe\x00",
    b"[" * 200_000,
    b"7" * 5000,
    b"{}",
    b'"\\ud800"',
)


def attacks(stage: Stage) -> Iterator[Attack]:
    for name in FILES:
        for number, content in enumerate(TRASH):
            yield Attack(f"{name} holds trash {number}", lambda n=name, c=content: _trash(n, c))
    for pid in PIDS:
        yield Attack(f"the record names process {str(pid)[:20]}", lambda p=pid: _forged(p, 1))
    yield Attack("the record names a stranger", _stranger)
    yield Attack("up with damaged tokens", lambda: _up({"tokens": b"\xff"}))
    yield Attack("up with damaged keys", lambda: _up({"api_keys": b"[5]"}))
    yield Attack("up with damaged settings", lambda: _up({"settings": b'{"port": -1}'}))
    yield Attack("a pipe where a record should be", _pipe)


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    while True:
        name, seed = chance.choice(FILES), chance.randrange(2**32)
        yield Attack(f"{name} mutated by {seed}", lambda n=name, s=seed: _mutated(n, Random(s)))


class _Made:
    """A home as `mizzen up` makes it, of which nothing runs."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mizzen-attack-"))
        self.home = Home.locate(str(self.folder / "h"), {})

    def __enter__(self) -> _Made:
        self.home.make()
        settings.save(self.home, settings.Settings())
        pki.ensure(self.home, RealClock(), listen="127.0.0.1", port=settings.Settings().port)
        self.file("record").write_text('{"pid": 2, "start": 3, "started_ns": 0, "roles": []}')
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def file(self, name: str) -> Path:
        if name == "record":
            return self.home.run / "supervisor.json"
        path: Path = getattr(self.home, name)
        return path

    def says(self, *words: str, codes: tuple[int, ...]) -> str:
        """One line on standard error and one of these exit codes, soon."""
        command = [sys.executable, "-m", "mizzen.cli", "--home", str(self.home.root), *words]
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_S_MAX)
        said = done.stderr.decode(errors="replace")
        assert done.returncode in codes, f"{words}: exit {done.returncode}: {said[-500:]}"
        assert "Traceback" not in said and "internal error" not in said, said[-500:]
        assert said.count("\n") == 1 and len(said) < 2000, f"{words}: {said[:500]}"
        return said


def _look(made: _Made) -> None:
    made.says("status", codes=(3,))
    made.says("ps", codes=(3,))


def _trash(name: str, content: bytes) -> None:
    with _Made() as made:
        made.file(name).write_bytes(content)
        _look(made)


def _mutated(name: str, chance: Random) -> None:
    with _Made() as made:
        path = made.file(name)
        data = bytearray(path.read_bytes())
        for _ in range(chance.randrange(1, 8)):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randrange(1, 50)]
                case _:
                    data[at:at] = chance.randbytes(chance.randrange(1, 20))
            data = data or bytearray(b"0")
        path.write_bytes(data)
        _look(made)


def _forged(pid: int, start: int) -> None:
    with _Made() as made:
        record = {"pid": pid, "start": start, "started_ns": 0, "roles": []}
        made.file("record").write_text(json.dumps(record))
        _look(made)


def _stranger() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        known = identify(stranger.pid)
        assert known is not None
        _forged(known.pid, known.start)
        assert stranger.poll() is None, "a stranger was signalled"
        stranger.kill()


def _up(contents: dict[str, bytes]) -> None:
    with _Made() as made:
        for name, content in contents.items():
            made.file(name).write_bytes(content)
        said = made.says("up", "--detach", codes=(1,))
        assert "cannot be read" in said, said
        for name, content in contents.items():
            assert made.file(name).read_bytes() == content, f"{name} was replaced in silence"


def _pipe() -> None:
    with _Made() as made:
        for name in ("tokens", "settings", "record"):
            made.file(name).unlink()
            os.mkfifo(made.file(name))
        _look(made)
        made.says("up", "--detach", codes=(1,))
