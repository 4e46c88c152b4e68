"""Folders that are ours alone, and files in folders that others write to, opened as enemies.

A program that Mizzen runs may put a link, a pipe or a device where Mizzen looks for a file of its
own; another user of the machine may make a folder before us where its name can be guessed. Nothing
here follows the last link of a path, waits for a pipe, or takes a stranger's folder for ours.
Imports little: the shim, which is to stay small, uses it too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path

FOLDER_MODE = 0o700
_NEVER_BLOCK = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotOurs(OSError):
    """A file is not ours alone; the message says which, whose, and what to do."""


def make_folder(path: Path) -> None:
    """Afterwards `path` is a real folder of this user's with mode 0700, whatever the umask.

    Missing parents are made likewise. Errors: NotOurs, OSError.
    """
    missing: list[Path] = []
    above = path
    while not os.path.lexists(above):
        missing.append(above)
        above = above.parent
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, FOLDER_MODE)
            os.chmod(folder, FOLDER_MODE)  # the umask may have taken the owner's own rights
    check_folder(path)


def check_folder(path: Path) -> None:
    """Errors: NotOurs unless `path` is a real folder of this user's; its mode becomes 0700."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotOurs(
            errno.ENOTDIR, "a link or a file lies where a folder should be; move it away", str(path)
        )
    if found.st_uid != os.geteuid():
        raise NotOurs(
            errno.EPERM,
            f"the folder belongs to user {found.st_uid}, not to {os.geteuid()}; move it away",
            str(path),
        )
    if stat.S_IMODE(found.st_mode) != FOLDER_MODE:
        os.chmod(path, FOLDER_MODE)  # ours: nobody else can have put a link in its place


def unguessable_folder(record: Path, base: Path, prefix: str) -> Path:
    """A folder of our own in `base`, which every user of the machine may write to.

    Its name ends in chance and is kept in the link `record`, in a folder of ours; it is used
    again as long as it is ours. Somebody who made a folder of that name while ours was away (a
    reboot empties shared memory) gets nowhere: another name is taken. What we left under other
    names, when the folder of `record` was removed, goes then. Errors: OSError.
    """
    with contextlib.suppress(OSError):
        known = base / os.path.basename(os.readlink(record))
        if known.name.startswith(prefix):
            make_folder(known)
            return known
    for left in real_folders(base):
        if left.name.startswith(prefix) and os.lstat(left).st_uid == os.geteuid():
            remove_tree(base, left.name)
    path = base / f"{prefix}{os.urandom(8).hex()}"
    os.mkdir(path, FOLDER_MODE)
    os.chmod(path, FOLDER_MODE)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record)
    os.symlink(path, record)
    return path


def real_folders(path: Path) -> list[Path]:
    """The folders in a folder, links left out; [] where there is none."""
    try:
        with os.scandir(path) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return []


def open_file(path: str | Path, flags: int = os.O_RDONLY, *, folder: int | None = None) -> int:
    """A descriptor of a regular file (made with mode 0600); the call never waits.

    `folder`: the open folder that a relative path begins at. Errors: OSError, also where a link,
    a pipe, a device or a socket lies.
    """
    handle = os.open(path, flags | _NEVER_BLOCK, 0o600, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return handle


def open_folder(path: Path, *names: str) -> int:
    """A descriptor of the folder that lies under `path` by these names, none of them a link."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in names:
        try:
            inner = os.open(name, _FOLDER, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle


def read_end(path: str | Path, bytes_max: int) -> bytes:
    """The last bytes of a regular file. Errors: OSError."""
    handle = open_file(path)
    try:
        size = os.fstat(handle).st_size
        return os.pread(handle, bytes_max, max(size - bytes_max, 0))
    finally:
        os.close(handle)


def mode_of(path: str | Path, default: int) -> int:
    """The rights of a regular file, `default` where none lies there that can be read."""
    try:
        handle = open_file(path)
    except OSError:
        return default
    try:
        return stat.S_IMODE(os.fstat(handle).st_mode)
    finally:
        os.close(handle)


def holds(path: str | Path, data: bytes, mode: int) -> bool:
    """True if a regular file with this content and mode lies there."""
    try:
        handle = open_file(path)
    except OSError:
        return False
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        is_alike = (found.st_size, stat.S_IMODE(found.st_mode)) == (len(data), mode)
        return is_alike and file.read() == data


def replace(
    path: str | Path, data: bytes, mode: int = 0o600, temporary: str | Path | None = None
) -> None:
    """The file has this content and mode, whole or not at all; not waited for on the disk.

    For files whose one writer we are: the temporary name, beside it unless another is given, is
    always the same. Errors: OSError, and then the old file is untouched.
    """
    temporary = temporary or f"{path}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    handle = open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fchmod(handle, mode)  # whatever the umask
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(handle)
    os.replace(temporary, path)


def remove_tree(root: Path, *names: str) -> None:
    """Removes the folder under `root` by these names with all that is in it.

    Follows no link, on the way or below; a link or a file in its place goes alone. What cannot be
    removed stays, and what is not there is fine. However deep it is, two descriptors are open.
    """
    with contextlib.suppress(OSError):
        above = open_folder(root, *names[:-1])
        try:
            if stat.S_ISDIR(os.stat(names[-1], dir_fd=above, follow_symlinks=False).st_mode):
                _remove_folder(above, names[-1])
            else:
                os.unlink(names[-1], dir_fd=above)
        finally:
            os.close(above)


def _remove_folder(above: int, name: str) -> None:
    """Folders that lie deeper are moved up into the first one, so that none is ever deep."""
    _regain(above, name)
    with _entered(above, name) as top:
        moved = os.urandom(8).hex()  # no name that a program has given
        folders = _remove_files(top)
        for number, inner in enumerate(folders):  # it grows
            with contextlib.suppress(OSError):
                with _entered(top, inner) as handle:
                    for below in _remove_files(handle):
                        place = f"{moved}-{number}-{len(folders)}"
                        with contextlib.suppress(OSError):
                            os.rename(below, place, src_dir_fd=handle, dst_dir_fd=top)
                            folders.append(place)
                os.rmdir(inner, dir_fd=top)
    os.rmdir(name, dir_fd=above)


@contextlib.contextmanager
def _entered(above: int, name: str) -> Generator[int]:
    handle = os.open(name, _FOLDER, dir_fd=above)
    try:
        yield handle
    finally:
        os.close(handle)


def _regain(above: int, name: str) -> None:
    """Gives the owner of a folder the rights back that a program took: none can go without them."""
    with contextlib.suppress(OSError):
        handle = os.open(
            name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above
        )
        try:
            os.chmod(f"/proc/self/fd/{handle}", FOLDER_MODE)
        finally:
            os.close(handle)


def _remove_files(folder: int) -> list[str]:
    """Removes what is no folder; the names of the folders."""
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _regain(folder, entry.name)
                folders.append(entry.name)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.name, dir_fd=folder)
    return folders


def sync_folder(path: Path) -> None:
    """Afterwards the names in the folder are on the disk, as fsync(2) asks for them apart."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
