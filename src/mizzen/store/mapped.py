"""The pages of a mapped file that this process holds, let go where they become many.

LMDB reads its file through a map. Who goes down its trees maps the pages it meets and, as the kernel
does it, those around them; none is ever let go, so that in the end the process weighs the whole file,
history included, though it reads hardly any of it again. What is let go here stays in the kernel's
cache as long as there is room, and costs a soft fault when it is read again.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

MAPPED_BYTES_MAX = 32 << 20  # by which files mapped may grow before their pages are let go
LONG_READ = 64  # after so many uses of the file what is mapped is looked at
_MAPS, _STATM = Path("/proc/self/maps"), Path("/proc/self/statm")


class MappedPages:
    """Those of one file, by its descriptor.

    Whoever calls sees to it that no map of the file is moved or closed meanwhile: what lies there
    then would be somebody else's.
    """

    def __init__(self, file: int) -> None:
        status = os.fstat(file)
        self._id = (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
        self._uses = 0
        self._least = _mapped_bytes()

    def used(self, uses: int = 1) -> None:
        """The file was written, or read; a long read is `LONG_READ` uses."""
        self._uses += uses
        if self._uses >= LONG_READ:
            self._uses = 0
            if _mapped_bytes() > self._least + MAPPED_BYTES_MAX:
                self.let_go()

    def let_go(self) -> None:
        with contextlib.suppress(OSError):  # a container may have no /proc
            for start, end in self._maps():
                _madvise(start, end - start, mmap.MADV_DONTNEED)
        self._least = _mapped_bytes()

    def _maps(self) -> Iterator[tuple[int, int]]:
        """Where the file is mapped. Source: proc(5), /proc/PID/maps."""
        for line in _MAPS.read_text(errors="replace").splitlines():
            extent, flags, _, device, inode, *_ = line.split(None, 5)
            major, minor = (int(part, 16) for part in device.split(":"))
            # Shared alone: of a private map pages would be lost that were written to.
            if (major, minor, int(inode)) == self._id and flags[3] == "s":
                start, end = extent.split("-")
                yield int(start, 16), int(end, 16)


def _mapped_bytes() -> int:
    """What this process holds of files; 0 where it cannot be told."""
    try:
        return int(_STATM.read_text().split()[2]) * mmap.PAGESIZE
    except OSError:
        return 0


def _madvise(start: int, length: int, advice: int) -> None:
    call = ctypes.CDLL(None, use_errno=True).madvise
    call.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if call(start, length, advice) != 0:
        raise OSError(ctypes.get_errno(), "madvise(MADV_DONTNEED)")
