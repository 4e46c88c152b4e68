"""A job's folders on this node, and whose they are.

Segments, durable checkpoints and outputs outlive the pods that fill them, and a name may belong to
one TrainJob after another: a file says by its uid which TrainJob owns a folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Container
from pathlib import Path

from mizzen.host import private
from mizzen.node.config import NodeConfig
from mizzen.node.training.segments import remove, set_aside

OWNER = "owner"  # file in a job's folders: the uid of the TrainJob whose they are
OWNER_BYTES_MAX = 256
_MODE = 0o700


class JobFolders:
    """The folders of all jobs of the node; `submit`: runs slow work in a thread, by a name."""

    def __init__(
        self, config: NodeConfig, submit: Callable[[str, Callable[[], None]], None]
    ) -> None:
        self._config = config
        self._submit = submit

    def segments(self, key: str) -> Path:
        return self._config.shm / key

    def checkpoints(self, key: str) -> Path:
        return self._config.checkpoints / key

    def output(self, key: str) -> Path:
        return self._config.outputs / key

    def take_over(self, key: str, uid: str) -> None:
        """The folders are this TrainJob's from here on. What a former job of the same name left
        is not its: staged state is removed, durable checkpoints and outputs are put aside as
        `<name>.<8 of the old uid>`. Errors: OSError."""
        for place, is_durable in ((self.segments(key), False), (self.checkpoints(key), True)):
            place.mkdir(mode=_MODE, parents=True, exist_ok=True)
            old = owner_of(place)
            if old and old != uid:
                if is_durable:
                    _put_aside(place, place.with_name(f"{place.name}.{old[:8]}"))
                else:
                    self._remove_later(key, old)
                    place.mkdir(mode=_MODE, parents=True, exist_ok=True)
            if old != uid:
                claim(place, uid)
        self._take_over_output(self.output(key), uid)

    def _take_over_output(self, place: Path, uid: str) -> None:
        """The same for what a former job made; whose it is lies beside it, not among its files."""
        place.parent.mkdir(mode=_MODE, parents=True, exist_ok=True)
        mark = f".{place.name}.owner"
        old = owner_of(place.parent, mark)
        if old and old != uid:
            with contextlib.suppress(FileNotFoundError):  # it made nothing
                os.replace(place, place.with_name(f"{place.name}.{old[:8]}"))
        if old != uid:
            claim(place.parent, uid, mark)

    def make(self, key: str) -> None:
        """Makes the folders that processes of the job may write to. Errors: OSError."""
        for place in (self.checkpoints(key), self.output(key)):
            place.mkdir(mode=_MODE, parents=True, exist_ok=True)

    def discard(self, key: str, uid: str) -> None:
        """The segments of a job that is gone; what lies there by now of another job stays."""
        with contextlib.suppress(OSError):
            if owner_of(self.segments(key)) == uid:
                self._remove_later(key, uid)

    def sweep(self, kept: Container[str]) -> None:
        """Removes the segments of jobs that went while no agent ran; `kept`: those that stay."""
        for space in private.real_folders(self._config.shm):
            for folder in private.real_folders(space):
                key = f"{space.name}/{folder.name}"
                if key not in kept:
                    remove(self._config.shm, key)

    def _remove_later(self, key: str, uid: str) -> None:
        shm = self._config.shm
        aside = set_aside(shm, key, uid)
        self._submit(aside, lambda: remove(shm, aside))


def owner_of(place: Path, mark: str = OWNER) -> str:
    """The uid of the TrainJob that owns the folder, "" for none. Errors: OSError.

    Programs may write there, too: only a plain file is read, and never waited for.
    """
    try:
        return private.read_end(place / mark, OWNER_BYTES_MAX).decode(errors="replace")
    except FileNotFoundError:
        return ""


def claim(place: Path, uid: str, mark: str = OWNER) -> None:
    """The folder is this TrainJob's from here on. Errors: OSError."""
    private.replace(place / mark, uid.encode())


def _put_aside(place: Path, aside: Path) -> None:
    """The folder itself moves, so that a copy still being made of the old job's state goes with
    it or fails; compiled programs know nothing of jobs and stay."""
    os.replace(place, aside)
    place.mkdir(mode=_MODE)
    with contextlib.suppress(FileNotFoundError):
        os.replace(aside / "programs", place / "programs")
