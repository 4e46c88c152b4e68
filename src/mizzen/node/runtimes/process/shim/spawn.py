"""Starting one process: fork from a tiny parent, prepare, exec; failures come back by pipe.

What happens between fork and exec touches only the child. Joining a v1 cgroup waits for an
RCU grace period (about 10 ms); the child does it, so the parent never waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import termios
from typing import Any

from mizzen.node.runtimes.process.shim.children import adopt_orphans
from mizzen.node.runtimes.process.shim.mounts import show

STDOUT, STDERR = b"stdout", b"stderr"
_DEFAULTED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGHUP)


class Spawned:
    """A child between fork and exec, or running: its pid and the parent's ends of its streams."""

    def __init__(self, pid: int, error_fd: int, outputs: dict[int, bytes], stdin_fd: int) -> None:
        self.pid = pid
        self.error_fd = error_fd  # EOF: exec succeeded; bytes: why it did not
        self.outputs = outputs  # what is read from each is of this stream
        self.stdin_fd = stdin_fd  # -1: its input is empty, or somebody else's


def spawn(request: dict[str, Any]) -> Spawned:
    """Forks. Errors: OSError when the system has no pipe, terminal or process left.

    `request`: argv, env, cwd, cpus (list), nice, rlimits {name: [soft, hard]}, cgroups (paths of
    cgroup.procs files), oom_score_adj, binds ([folder, where] pairs); and of the streams: `stdio`, three paths that the child
    opens ("" is /dev/null), else `stdin` (it has an input) and `tty` (a terminal of its own).
    """
    made: list[int] = []

    def pipe() -> tuple[int, int]:
        made.extend(os.pipe())
        return made[-2], made[-1]

    try:
        error_r, error_w = pipe()
        theirs: tuple[int, ...] = ()
        outputs: dict[int, bytes] = {}
        stdin_fd = -1
        if request.get("tty") and not request.get("stdio"):
            master, slave = os.openpty()
            made += master, slave
            theirs, outputs = (slave, slave, slave), {master: STDOUT}
            if request.get("stdin"):
                stdin_fd = os.dup(master)
                made.append(stdin_fd)
        elif not request.get("stdio"):
            in_r = -1
            if request.get("stdin"):
                in_r, stdin_fd = pipe()
            (out_r, out_w), (err_r, err_w) = pipe(), pipe()
            theirs, outputs = (in_r, out_w, err_w), {out_r: STDOUT, err_r: STDERR}
        pid = os.fork()
    except OSError:
        for fd in made:
            os.close(fd)
        raise
    if pid == 0:
        _child(request, error_w, theirs)
    for fd in {error_w, *theirs} - {-1}:
        os.close(fd)
    for fd in (error_r, *outputs, stdin_fd):
        if fd >= 0:
            os.set_blocking(fd, False)
    return Spawned(pid, error_r, outputs, stdin_fd)


def _child(request: dict[str, Any], error_fd: int, streams: tuple[int, ...]) -> None:
    step = "start"
    try:
        os.setsid()
        adopt_orphans()
        signal.set_wakeup_fd(-1)
        for number in _DEFAULTED:
            signal.signal(number, signal.SIG_DFL)
        step = "open its streams"
        streams = streams or _opened(request["stdio"])
        null = os.open("/dev/null", os.O_RDWR)
        for number, fd in enumerate(streams):
            os.dup2(fd if fd >= 0 else null, number)
        if request.get("tty"):
            fcntl.ioctl(0 if streams[0] >= 0 else 1, termios.TIOCSCTTY, 0)
        os.set_inheritable(error_fd, False)
        step = "start"
        _limit(request)
        show(request.get("binds") or ())
        step = f"enter the working directory {request['cwd']!r}"
        os.chdir(request["cwd"])
        step = f"run {request['argv'][0]!r}"
        os.execvpe(request["argv"][0], request["argv"], request["env"])
    except OSError as error:
        os.write(error_fd, f"cannot {step}: {error.strerror}".encode(errors="replace"))
    except (ValueError, TypeError, LookupError) as error:  # a NUL byte in an argument, say
        os.write(error_fd, f"cannot {step}: {error!r}".encode(errors="replace"))
    finally:
        os._exit(127)


def _opened(paths: list[str]) -> tuple[int, ...]:
    """Input, output and errors by path; -1 for what leads nowhere."""
    modes = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)
    return tuple(
        os.open(path, mode | os.O_NOCTTY) if path else -1
        for path, mode in zip(paths, modes, strict=True)
    )


def _limit(request: dict[str, Any]) -> None:
    """Best effort by design: what the system refuses here the agent reports as enforcement."""
    for path in request.get("cgroups") or ():
        _write(path, "0")
    _write("/proc/self/oom_score_adj", str(request.get("oom_score_adj", 500)))
    nice = int(request.get("nice", 10))
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    _write("/proc/self/autogroup", str(nice))  # setsid made an own autogroup, where nice is void
    if request.get("cpus"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, request["cpus"])
    limits: dict[str, list[int]] = request.get("rlimits") or {}
    for name, (soft, hard) in limits.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (soft, hard))


def _write(path: str, text: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError:
        pass
