"""A role as a fork of the supervisor: what both need is imported once, and its pages are shared.

Forking is safe as long as one thread runs, which starts no other and opens nothing that libraries
keep: no event loop, no store, no connection. What is loaded before stays frozen for the collector,
which would otherwise write to all of it and so copy it into each role.
"""

from __future__ import annotations

import gc
import importlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mizzen.host import inherited
from mizzen.host.process import bound_arenas, set_command_line

# What all roles, or all but the API server, import; what fewer need they load themselves, or each
# of the others would wait for it.
SHARED_MODULES = (
    "mizzen.compose.shell", "mizzen.compose.role_clock",
    "mizzen.compose.connect", "mizzen.compose.monitoring", "mizzen.host.pki",
    "mizzen.client.informer", "mizzen.client.events",
)  # fmt: skip
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def load_shared() -> None:
    """Imports what the roles have in common, before the first of them is forked."""
    for name in SHARED_MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A new process's own: where its output goes, the descriptor it keeps beside the standard ones,
    its folder, variables on top of the supervisor's, and the words that ps shows."""

    output: int
    kept: int
    folder: Path
    variables: Mapping[str, str]
    command_line: list[str]


def spawn(surroundings: Surroundings, become: Callable[[], None]) -> int:
    """The pid of a fork in a session of its own that runs `become` and ends with it: exit code 0,
    that of its SystemExit, or 1 after a traceback.

    Nothing of its parent's but memory is left to it: no descriptor, no signal handler. Errors:
    OSError.
    """
    assert threading.active_count() == 1, "a lock that another thread holds is never let go"
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _run(surroundings, become, blocked)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _run(surroundings: Surroundings, become: Callable[[], None], mask: Iterable[int]) -> NoReturn:
    # The parent's objects lie in frames above, which are never left: freed, they would close
    # descriptors whose numbers are this process's files by then.
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _enter(surroundings)
        become()
        code = 0
    except SystemExit as error:
        code = _code(error)
    except BaseException:  # noqa: BLE001 - as the interpreter does at the end of a program
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _enter(surroundings: Surroundings) -> None:
    os.setsid()  # Ctrl-C in the terminal is for the supervisor alone
    null = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((null, surroundings.output, surroundings.output)):
        os.dup2(file, number)
    # The parent's streams know its files' positions, and whether they have any.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process lives
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    kept = surroundings.kept
    os.closerange(3, kept)
    os.closerange(kept + 1, inherited.files_max())
    os.chdir(surroundings.folder)
    os.environ.update(surroundings.variables)
    set_command_line(surroundings.command_line)
    bound_arenas()


def _stream(number: int) -> io.TextIOWrapper:
    """As of an interpreter started with -u."""
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)


def _code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1
