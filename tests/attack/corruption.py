"""Bytes of the store that a disk has changed, lost or zeroed while the instance was down."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from attack.stage import NAMESPACE, Attack, Stage
from mizzen.host.home import Home
from support.instance import Instance

OBJECTS = 40
PAGE = 4096
Spoil = Callable[[Path], None]


class Spoilt:
    """An instance of its own that was stopped in good order, and copies of its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole = folder / "whole"
        instance = Instance(self._whole)
        instance.ok("up", "--detach")
        stage = Stage(instance, Home.locate(str(self._whole), {}))
        try:
            self.values = {f"kept-{n}": f"AMOUNT-{1000 + n}" * 40 for n in range(OBJECTS)}
            for name, value in self.values.items():
                body = {"metadata": {"name": name}, "data": {"v": value}}
                assert stage.request("POST", f"{NAMESPACE}/configmaps", body).status == 201
        finally:
            instance.ok("down")
        self._number = 0

    def strike(self, spoil: Spoil) -> None:
        """It is found and named, or what is served is what was written; never anything else."""
        self._number += 1
        copy = self._folder / f"copy-{self._number}"
        shutil.copytree(self._whole, copy, symlinks=True, ignore=_sockets)
        instance = Instance(copy)
        home = Home.locate(str(copy), {})
        try:
            spoil(home.store / "data.mdb")
            checked = instance.run("check")
            said = checked.stdout + checked.stderr
            assert "Traceback" not in said and checked.returncode >= 0, said[-300:]
            started = instance.run("up", "--detach")
            if started.returncode == 0:
                self._compare(Stage(instance, home))
                assert checked.returncode == 0, f"served, though check says: {said[-300:]}"
            else:
                assert checked.returncode, f"check finds nothing, up says: {started.stderr[-300:]}"
                assert "store" in started.stderr, started.stderr[-300:]
                assert "Traceback" not in started.stderr, started.stderr[-300:]
        finally:
            instance.run("down")
            shutil.rmtree(copy, ignore_errors=True)

    def _compare(self, stage: Stage) -> None:
        listed = stage.request("GET", f"{NAMESPACE}/configmaps")
        assert listed.status == 200, listed.said
        held = {m["metadata"]["name"]: m["data"].get("v") for m in listed.json["items"]}
        for name, value in self.values.items():
            assert held.get(name) == value, f"{name} is served as {str(held.get(name))[:60]}"


def attacks(stage: Stage) -> Iterator[Attack]:
    with _spoilt() as spoilt:
        for name, spoil in _named(next(iter(spoilt.values.values()))).items():
            yield Attack(name, lambda spoil=spoil: spoilt.strike(spoil))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    number = 0
    with _spoilt() as spoilt:
        while True:
            number += 1
            spoil = _flips(chance) if chance.random() < 0.6 else _zeroes(chance)
            yield Attack(f"generated {number}", lambda spoil=spoil: spoilt.strike(spoil))


@contextlib.contextmanager
def _spoilt() -> Iterator[Spoilt]:
    with tempfile.TemporaryDirectory(prefix="mizzen-spoilt-") as name:
        yield Spoilt(Path(name))


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_socket()]


def _named(value: str) -> dict[str, Spoil]:
    def change_value(file: Path) -> None:
        data = bytearray(file.read_bytes())
        at = data.find(value[:40].encode())
        while at >= 0:
            data[at + 7 : at + 8] = b"9"
            at = data.find(value[:40].encode(), at + 1)
        file.write_bytes(data)

    def cut(share: float) -> Spoil:
        return lambda file: os.truncate(file, int(file.stat().st_size * share) // PAGE * PAGE)

    return {
        "an amount changed": change_value,
        "file of no bytes": lambda file: os.truncate(file, 0),
        "file gone": Path.unlink,
        "last page gone": lambda file: os.truncate(file, file.stat().st_size - PAGE),
        "half gone": cut(0.5),
        "first page zeroed": lambda file: _write(file, 0, bytes(PAGE)),
        "both roots zeroed": lambda file: _write(file, 0, bytes(2 * PAGE)),
    }


def _flips(chance: Random) -> Spoil:
    seeds = [(chance.random(), chance.randrange(8)) for _ in range(chance.choice([1, 3, 30]))]

    def spoil(file: Path) -> None:
        size = file.stat().st_size
        for share, bit in seeds:
            at = int(share * size)
            with file.open("rb") as opened:
                opened.seek(at)
                byte = opened.read(1)[0]
            _write(file, at, bytes([byte ^ (1 << bit)]))

    return spoil


def _zeroes(chance: Random) -> Spoil:
    share = chance.random()
    return lambda file: _write(file, int(share * file.stat().st_size) // PAGE * PAGE, bytes(PAGE))


def _write(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)
