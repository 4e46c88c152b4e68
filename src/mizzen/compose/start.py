"""From `mizzen up` to a running supervisor: prepare, then become it or leave it running."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

from mizzen.base.clock import Clock
from mizzen.compose import settings as settings_module
from mizzen.compose.banner import ready_text
from mizzen.compose.settings import Settings, StartOptions
from mizzen.compose.state import running_instance, take_lock
from mizzen.host import ports, service_ranges
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.host.pki import server_url

_READY_WITHIN_S = 60.0
_MAIN = Path(__file__).with_name("__main__.py")


class AlreadyRunning(Exception):
    """Another supervisor holds this instance's lock."""


class DoesNotStart(Exception):
    """The instance could not be brought up; the message names the role and its last words."""


def prepare(home: Home, options: StartOptions, clock: Clock) -> tuple[Settings, int]:
    """Folders, ports, keys and kubeconfigs; returns the settings and the held lock.

    Errors: AlreadyRunning, ports.PortTaken, settings.BadSettings, records.Damaged, OSError.
    """
    from mizzen.host import pki

    home.make()
    lock = take_lock(home)
    if lock is None:
        raise AlreadyRunning(str(home.root))
    remembered = settings_module.load(home)
    settings = settings_module.settle(remembered, options, home.seed)
    _check_store(home, settings)
    settings_module.try_out(home, settings)
    own = service_ranges.first_address(settings.service_cluster_ip_range)
    pki.ensure(home, clock, listen=settings.listen, port=settings.port, service_address=own)
    return settings, lock


def _check_store(home: Home, settings: Settings) -> None:
    """Errors: BadSettings where the store may hold what the emulated version does not know."""
    version = settings.version
    if not version.is_emulated:
        return
    from mizzen.store.inspection import format_in

    if (found := format_in(home.store)) > version.store_format:
        raise settings_module.BadSettings(
            f"--emulate-version: the store {home.store} has format {found}, mizzen "
            f"{version.emulation} reads format {version.store_format}: `mizzen rollback` makes it "
            "that, or says what stands in the way"
        )


def become_supervisor(home: Home, lock: int) -> NoReturn:
    """Replaces this process, so that what preparing needed takes no memory any more."""
    for held in (lock, *ports.claims()):
        os.set_inheritable(held, True)
    sys.stdout.flush()
    os.execv(sys.executable, [*_command(home, "supervisor"), "--lock-fd", str(lock)])


def start_detached(home: Home, lock: int) -> str:
    """Starts the supervisor in its own session and waits until all roles are ready, but for those
    that it returns: they still sync with a large store.

    Errors: DoesNotStart.
    """
    reader, writer = os.pipe()
    log = home.logs / "supervisor.log"
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [
                *_command(home, "supervisor"),
                "--lock-fd",
                str(lock),
                "--ready-fd",
                str(writer),
                "--no-banner",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(lock, writer, *ports.claims()),
            start_new_session=True,
            cwd=home.state,
        )
    os.close(writer)
    os.close(lock)
    with os.fdopen(reader) as pipe:
        try:
            line = _line_in_time(pipe, home)
        except KeyboardInterrupt:
            supervisor.terminate()
            supervisor.wait()
            raise
    if not line:
        raise DoesNotStart(f"the supervisor ended before it was ready (log: {log})")
    outcome = json.loads(line)
    if outcome["event"] != "ready":
        raise DoesNotStart(outcome["message"])
    return str(outcome["message"])


def _line_in_time(pipe: IO[str], home: Home) -> str:
    ready, _, _ = select.select([pipe], [], [], _READY_WITHIN_S)
    if ready:
        return pipe.readline()
    state = running_instance(home)
    late = ", ".join(role.role for role in state.roles if not role.ready) if state else "nothing"
    raise DoesNotStart(
        f"not ready after {_READY_WITHIN_S:.0f} s: {late}; it goes on starting, see "
        f"`mizzen status` and the logs in {home.logs}"
    )


def supervise(
    home: Home,
    lock: int | None,
    ready_fd: int | None,
    main: Callable[[list[str]], None],
    *,
    banner: bool,
) -> int:
    """The supervisor's whole life; its exit code. `main` is a role's, by the words of its command."""
    from mizzen.compose import forking
    from mizzen.compose.supervisor import Supervisor, message_line

    clock = RealClock()
    started = clock.monotonic_ns()
    settings = settings_module.current(home)
    if lock is None:
        lock = take_lock(home)
        if lock is None:
            print("mizzen: this instance is already running", file=sys.stderr)
            return 1
    os.set_inheritable(lock, False)

    def report(event: str, message: str) -> None:
        if event == "ready":
            # A full disk, say: the next start chooses again.
            with contextlib.suppress(OSError, settings_module.BadSettings):
                settings_module.remember(home)
        with contextlib.suppress(OSError, ValueError):  # nobody listens any more
            if ready_fd is not None:
                os.write(ready_fd, message_line(event, message))
            if banner and event == "ready":
                took_s = (clock.monotonic_ns() - started) / 1e9
                print(ready_text(home, settings, took_s, foreground=True, syncing=message))
            elif banner:
                print(f"mizzen: {message}", file=sys.stderr)
            sys.stdout.flush()

    if ready_fd is not None:
        os.set_inheritable(ready_fd, False)
    roles = addresses(settings)

    forking.load_shared()

    def become(role: str, words: list[str]) -> None:
        main([role, *home.arguments(), *words])

    command = partial(_command, home)
    code = Supervisor(home, clock, roles, command, become, report, partial(end_pods, home)).run()
    # Staged state of unfinished jobs stays for the next start; an empty folder need not.
    with contextlib.suppress(OSError):
        home.shm.rmdir()
    return code


def end_pods(home: Home) -> str:
    """Ends the pods that no agent is there to end; what was done, "" where there were none."""
    from mizzen.node.runtimes import registry  # needed at the end only

    return registry.end_pods(home.node, RealClock())


def addresses(settings: Settings) -> list[tuple[str, str]]:
    """The roles in the order they start, with where each listens ("" for those that do not)."""
    api = server_url(settings.listen, settings.port)
    gateway = server_url(settings.listen, settings.gateway_port).replace("https://", "http://")
    return [
        ("apiserver", api),
        ("controllers", ""),
        ("scheduler", ""),
        ("node", ""),
        ("gateway", gateway),
    ]


def _command(home: Home, role: str) -> list[str]:
    assert Path(sys.executable).is_absolute(), "python knows where it lives"
    # -E: whatever PYTHONPATH and its kin hold, Mizzen imports its own; -P: nor from the folder it
    # is started in. What is found in PYTHONPATH alone is still found, behind all else (__main__).
    flags = ["-E", "-P", "-u", "-X", "utf8"]
    return [sys.executable, *flags, str(_MAIN), role, *home.arguments()]
