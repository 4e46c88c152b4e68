"""Folders shown to one child at other paths: a mount namespace of its own, where root may have one.

Best effort: who may not mount, or has no such path, runs as before; programs are told the folder by
a variable, too. Source: mount_namespaces(7), mount(2).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_SLAVE = 32, 4096, 16384, 1 << 19
_READ_ONLY = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
_MODE = 0o755
_LIBC = ctypes.CDLL(None, use_errno=True)


def show(binds: Iterable[tuple[str, str]]) -> bool:
    """Shows each folder, for reading, at a path in this process alone; False where it may not.

    A folder that is not there yet is made on the machine, empty, for there is nothing to mount on
    without one. Mounts that the machine makes later still appear here, none of ours there.
    """
    wanted = list(binds)
    if not wanted:
        return True
    try:
        for _, where in wanted:
            os.makedirs(where, _MODE, exist_ok=True)
        if _LIBC.unshare(_CLONE_NEWNS):
            return False
        _mount("none", "/", _MS_REC | _MS_SLAVE)
        for folder, where in wanted:
            _mount(folder, where, _MS_BIND)
            _mount("none", where, _READ_ONLY)
    except OSError:
        return False
    return True


def _mount(source: str, target: str, flags: int) -> None:
    if _LIBC.mount(os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)
