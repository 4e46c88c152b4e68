"""Starting one process: fork from a tiny parent, prepare, exec; failures come back by pipe.

What happens between fork and exec touches only the child. Joining a v1 cgroup waits for an
RCU grace period (about 10 ms); the child does it, so the parent never waits.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from typing import Any

from mizzen.node.runtimes.process.shim.children import adopt_orphans

STDOUT, STDERR = b"stdout", b"stderr"


class Spawned:
    """A child between fork and exec, or running: its pid and the parent's ends of its pipes."""

    def __init__(self, pid: int, error_fd: int, stdout_fd: int, stderr_fd: int) -> None:
        self.pid = pid
        self.error_fd = error_fd  # EOF: exec succeeded; bytes: why it did not
        self.stdout_fd = stdout_fd
        self.stderr_fd = stderr_fd


def spawn(request: dict[str, Any]) -> Spawned:
    """Forks. Errors: OSError when the system has no pipe or process left.

    `request`: argv, env, cwd, cpus (list), nice, rlimits {name: [soft, hard]}, cgroups (paths of
    cgroup.procs files), oom_score_adj.
    """
    made: list[int] = []
    try:
        for _ in range(3):
            made += os.pipe()
        pid = os.fork()
    except OSError:
        for fd in made:
            os.close(fd)
        raise
    error_r, error_w, out_r, out_w, err_r, err_w = made
    if pid == 0:
        _child(request, error_w, out_w, err_w)
    for fd in (error_w, out_w, err_w):
        os.close(fd)
    for fd in (error_r, out_r, err_r):
        os.set_blocking(fd, False)
    return Spawned(pid, error_r, out_r, err_r)


def _child(request: dict[str, Any], error_fd: int, out_fd: int, err_fd: int) -> None:
    step = "start"
    try:
        os.setsid()
        adopt_orphans()
        signal.set_wakeup_fd(-1)
        for number in (
            signal.SIGCHLD,
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGPIPE,
            signal.SIGHUP,
        ):
            signal.signal(number, signal.SIG_DFL)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(out_fd, 1)
        os.dup2(err_fd, 2)
        os.set_inheritable(error_fd, False)
        _limit(request)
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
