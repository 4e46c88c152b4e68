"""The shared-memory files of `base/segment.py`, from the agent's side: made, read, removed."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from ipaddress import IPv4Address
from pathlib import Path

from mizzen.base import segment
from mizzen.base.ring import Interval, Ring
from mizzen.host import private
from mizzen.node.core.gang import RankView

_STEPS = (segment.Line.USEFUL_STEP, segment.Line.REDONE_STEP)
_AFTER_A_STEP = 2  # intervals written from a step's record to its count: the record and the stall


class MappedFile:
    """A file of 64-bit words, made when it is missing or was cut short, mode 0600.

    Programs may write there, and cut it short (`: > $MIZZEN_RANK_FILE`): a touch of what is no
    longer there would end the agent by SIGBUS, so its length is looked at before each.
    Errors: OSError, also where no plain file lies.
    """

    def __init__(self, path: Path, magic: int, length: int) -> None:
        self.path = path
        self._magic, self._length = magic, length
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = private.open_file(path, os.O_RDWR | os.O_CREAT)
        try:
            if os.fstat(self._fd).st_size < length:
                _allocate(self._fd, length, path)
            self._map = mmap.mmap(self._fd, length)
        except OSError:
            os.close(self._fd)
            raise
        self.view = memoryview(self._map)
        self._words = self.view.cast("Q")
        if self.get(0) != magic:
            self.set(0, magic)

    def get(self, offset: int) -> int:
        self.mend()
        return self._words[offset >> 3]

    def set(self, offset: int, value: int) -> None:
        self.mend()
        self._words[offset >> 3] = value

    def mend(self) -> None:
        """Restores the file's length if it was truncated; the lost part reads as zero."""
        if os.fstat(self._fd).st_size < self._length:
            _allocate(self._fd, self._length, self.path)
            self._words[0] = self._magic

    def close(self) -> None:
        self._words.release()
        self.view.release()
        os.close(self._fd)
        with contextlib.suppress(BufferError):
            self._map.close()


def _allocate(descriptor: int, length: int, path: Path) -> None:
    """Room for the whole file, not sparse: no SIGBUS later on a full tmpfs."""
    try:
        os.posix_fallocate(descriptor, 0, length)
    except OSError as error:
        room = os.fstatvfs(descriptor)
        free = room.f_bavail * room.f_frsize
        text = f"{error.strerror}: {length} bytes are needed there and {free} are free"
        raise OSError(error.errno, text, str(path)) from error


class GangPage(MappedFile):
    """The page through which the agent directs all ranks of a job."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, segment.GANG_MAGIC, segment.PAGE_BYTES)

    @property
    def control(self) -> segment.Control:
        return segment.unpack_control(self.get(segment.GANG_OFFSET_CONTROL))

    @property
    def formed(self) -> segment.Control:
        return segment.unpack_control(self.get(segment.GANG_OFFSET_FORMED))

    def set_control(self, control: segment.Control, coordinator_ip: str, port: int) -> None:
        """Writes the coordinator first: a reader that sees the generation finds its address."""
        if coordinator_ip:
            self.set(segment.GANG_OFFSET_COORDINATOR_IP, int(IPv4Address(coordinator_ip)))
        self.set(segment.GANG_OFFSET_COORDINATOR_PORT, port)
        self.set(segment.GANG_OFFSET_CONTROL, segment.pack_control(control))


class RankFile(MappedFile):
    """The file through which one worker reports to the agent: header and ring; its state buffers
    are not mapped."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, segment.RANK_MAGIC, segment.BUFFERS_OFFSET)
        self._ring = Ring(self.view)

    @property
    def ring(self) -> Ring:
        self.mend()
        return self._ring

    def prepare(self, awaits: int) -> None:
        """Before a process starts on it: it is in no formation and has done nothing yet."""
        self.set(segment.RANK_OFFSET_STATE, segment.RankState.NONE)
        self.set(segment.RANK_OFFSET_GENERATION, 0)
        self.set(segment.RANK_OFFSET_OWN_STEPS, 0)
        self.set(segment.RANK_OFFSET_AWAITS, awaits)

    @property
    def staged_word(self) -> int:
        """The step word of the newest staged state, 0: none."""
        return max(self.get(segment.RANK_OFFSET_BUFFER0), self.get(segment.RANK_OFFSET_BUFFER1))

    def settle(self, at: int) -> None:
        """After its worker's death: records the step whose state was staged in the worker's last
        moment, before it could say so itself. Nobody else writes here then."""
        done = self.staged_word - 1  # completed steps; the last of them has number done - 1
        if done <= self.get(segment.RANK_OFFSET_STEPS_DONE) or not self.ring.count:
            return
        latest, _, _ = self.ring.read(max(self.ring.count - _AFTER_A_STEP, 0))
        if not latest:
            return  # a worker's words are what it likes
        began = latest[-1].end
        if all(i.line not in _STEPS or i.step != done - 1 for i in latest) and began < at:
            with contextlib.suppress(ValueError):  # numbers that no worker of ours writes
                self.ring.append(Interval(began, at, 0, segment.Line.USEFUL_STEP, done - 1))
        self.set(segment.RANK_OFFSET_STEPS_DONE, done)

    @property
    def look(self) -> RankView:
        """The words as far as they can be true: a program may write any."""
        return RankView(
            self.get(segment.RANK_OFFSET_STATE),
            min(self.get(segment.RANK_OFFSET_GENERATION), segment.GENERATION_MAX),
            min(self.get(segment.RANK_OFFSET_STEPS_DONE), segment.STEPS_MAX),
            min(self.get(segment.RANK_OFFSET_STEPS_TOTAL), segment.STEPS_MAX),
            min(self.get(segment.RANK_OFFSET_OWN_STEPS), segment.STEPS_MAX),
        )

    @property
    def loss(self) -> float:
        return struct.unpack("<d", segment.WORD.pack(self.get(segment.RANK_OFFSET_LOSS)))[0]

    @property
    def step_seconds(self) -> float:
        return self.get(segment.RANK_OFFSET_STEP_NS) / 1e9

    def close(self) -> None:
        self._ring.release()
        super().close()


def remove(shm: Path, key: str) -> None:
    """Removes a job's segments (`key`: namespace/name); workers that map them keep their pages."""
    private.remove_tree(shm, *key.split("/"))
    with contextlib.suppress(OSError):
        (shm / key).parent.rmdir()  # the namespace's, when it was the last


def set_aside(shm: Path, key: str, uid: str) -> str:
    """The key under which the segments wait for `remove`, which may take long: from here on the
    name is free for another job. `uid`: whose they are. Errors: OSError."""
    folder = shm / key
    aside = folder.with_name(f".{folder.name}.{uid}")  # no job's name begins with a dot
    os.rename(folder, aside)
    return f"{aside.parent.name}/{aside.name}"
