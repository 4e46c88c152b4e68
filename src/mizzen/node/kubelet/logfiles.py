"""The log files of one container, in the order of their lines: through rotations and restarts.

The agent's shim writes `<pods>/<uid>/<container>/<run>.log`, rotated to `.log.1`, older `.log.2`,
in CRI form: `2026-01-01T00:00:00.123456789Z stdout F text`, P instead of F where the line goes on.
The folder is within reach of the pod's programs, so files are opened as `host/private.py` says.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mizzen.host import private

CHUNK_BYTES = 256 << 10  # above what one line may have
_LOOKS_MAX = 10  # a rotation is a few renames; whoever never stops is no shim
_NAME = re.compile(r"([0-9]{1,9})\.log(?:\.([0-9]{1,3}))?")


class Part:
    """One open log file and how far it has been read."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        found = os.fstat(handle)
        self.identity = (found.st_dev, found.st_ino)
        self._at = 0

    def read(self) -> bytes:
        """The next whole lines, b"" when there are none yet."""
        data = os.pread(self._handle, CHUNK_BYTES, self._at)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == CHUNK_BYTES:
            end = len(data)  # nobody of ours wrote this
        self._at += end
        return data[:end]

    def seek_last(self, lines: int) -> int:
        """Goes to where the last `lines` lines begin; how many are lacking, the file read whole."""
        at = os.fstat(self._handle).st_size
        if not lines:
            self._at = at
            return 0
        wanted = lines + 1  # the line end before the first of them
        while at > 0:
            size = min(CHUNK_BYTES, at)
            at -= size
            data = os.pread(self._handle, size, at)
            count = data.count(b"\n")
            if count < wanted:
                wanted -= count
                continue
            place = len(data)
            for _ in range(wanted):
                place = data.rfind(b"\n", 0, place)
            self._at = at + place + 1
            return 0
        return wanted - 1

    def seek_line(self, beginning: bytes) -> bool:
        """Goes to the line that begins so; whether there is one."""
        mark, at, before = b"\n" + beginning, 0, b"\n"
        while data := os.pread(self._handle, CHUNK_BYTES, at):
            found = (before + data).find(mark)
            if found >= 0:
                self._at = at - len(before) + found + 1
                return True
            at += len(data)
            before = (before + data)[-len(mark) + 1 :]
        return False

    def close(self) -> None:
        os.close(self._handle)


class Folder:
    """The runs of one container by number."""

    def __init__(self, pods: Path, uid: str, container: str) -> None:
        self._place: tuple[Path, str, str] = (pods, uid, container)

    def runs(self) -> list[int]:
        """Numbers of the runs that have a log, the newest last."""
        return sorted({run for run, _ in self._names()})

    def open(self, run: int) -> list[Part]:
        """All parts of a run's log, oldest first; [] if it cannot be read.

        The newest is opened first: a rotation meanwhile shows it again under its new name. In the
        midst of one a part may have neither name: then it is looked at again.
        """
        names = self._names()
        for _ in range(_LOOKS_MAX):
            parts = self._opened(run, names)
            before, names = names, self._names()
            if names == before:
                return parts
            for part in parts:
                part.close()
        return self._opened(run, names)

    def _opened(self, run: int, names: list[tuple[int, int]]) -> list[Part]:
        parts: list[Part] = []
        for _, age in (name for name in names if name[0] == run):
            part = self._open(run, age)
            if part is None:
                continue
            if any(part.identity == other.identity for other in parts):
                part.close()
            else:
                parts.append(part)
        return parts[::-1]

    def from_line(self, beginning: bytes) -> tuple[int, list[Part]] | None:
        """The log from the line on that begins so, as (run, its parts); None: it is gone."""
        for run in reversed(self.runs()):
            parts = self.open(run)
            for at in reversed(range(len(parts))):
                if parts[at].seek_line(beginning):
                    for part in parts[:at]:
                        part.close()
                    return run, parts[at:]
            for part in parts:
                part.close()
        return None

    def after(self, run: int, part: Part) -> tuple[int, Part, bool] | None:
        """The part after one that was read: (run, part, whether lines between them are lost).

        That is the next younger part of the run, else the oldest part of the next run. None:
        nothing follows yet. Lost is what was rotated away before it could be read.
        """
        parts = self.open(run)
        at = next((i for i, other in enumerate(parts) if other.identity == part.identity), -1)
        following, lost = parts[at + 1 :], at < 0 and bool(parts)
        for later in self.runs():
            if not following and later > run:
                following = self.open(later)
                parts += following
                run = later
        for other in parts:
            if other not in following[:1]:
                other.close()
        return (run, following[0], lost) if following else None

    def _names(self) -> list[tuple[int, int]]:
        """(run, age) of every log file, sorted: age 0 is the newest part."""
        try:
            handle = private.open_folder(*self._place)
        except OSError:
            return []
        try:
            found = [_NAME.fullmatch(name) for name in os.listdir(handle)]
        finally:
            os.close(handle)
        return sorted((int(m[1]), int(m[2] or 0)) for m in found if m is not None)

    def _open(self, run: int, age: int) -> Part | None:
        name = f"{run}.log.{age}" if age else f"{run}.log"
        try:
            folder = private.open_folder(*self._place)
        except OSError:
            return None
        try:
            return Part(private.open_file(name, folder=folder))
        except OSError:  # rotated away meanwhile, or nothing that may be read
            return None
        finally:
            os.close(folder)
