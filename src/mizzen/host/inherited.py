"""Corrects what a process inherits and must not keep: its standard files, its umask, its limit
of open files."""

from __future__ import annotations

import io
import os
import resource
import sys

# An API server with a watch for each kind of each role, the agent with its pods' pipes: less than
# this and something stops in the middle of its work.
FILES_MIN = 256
FILES_MAX = (
    1 << 20
)  # some hosts allow 2**30, and programs that close all they may have take minutes


class TooFewFiles(Exception):
    """The hard limit of open files is too low to work at all; the message says what to do."""


def open_standard_files() -> None:
    """Opens /dev/null where descriptors 0 to 2 are closed.

    Else the next file that is opened takes the number, and what is printed goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    # Python has no stream where it found none at its start.
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115


def print_anything() -> None:
    """Makes print escape characters that the locale lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def keep_own_rights() -> None:
    """Takes out of the umask what would lock this process out of its own files (umask 0777).

    What others may do is left to the user; our own folders say it themselves.
    """
    os.umask(os.umask(0o077) & 0o077)


def files_max() -> int:
    """No descriptor of this process has this number or a higher one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FILES_MAX if hard < 0 else min(hard, FILES_MAX)


def raise_file_limit() -> None:
    """As many open files as we may have: connections, two memory maps and a pidfd per worker.

    Errors: TooFewFiles.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < FILES_MIN:
        raise TooFewFiles(
            f"this process may open {hard} files, at least {FILES_MIN} are needed; raise the hard "
            "limit (`ulimit -Hn`, LimitNOFILE= of systemd, nofile in limits.conf)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max(), hard))
