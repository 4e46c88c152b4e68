"""`mizzen down`"""

from __future__ import annotations

import signal
import time
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from mizzen.cli.context import Context, say
from mizzen.cli.exits import TIMED_OUT, CliError
from mizzen.cli.numbers import seconds
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.compose.state import InstanceState


_HEEDS_WITHIN_S = 5.0
_POLL_S = 0.02


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=seconds, default=75.0, metavar="S", help="seconds to wait (75)"
    )


def run(context: Context) -> int:
    from mizzen.compose.state import ended_uncleanly, running_instance, take_stopped
    from mizzen.host.process import send, wait_until_gone

    home = context.home
    state = running_instance(home)
    if state is None and ended_uncleanly(home):
        state = _take_over(context)
    if state is None:
        say(f"mizzen is not running (home {home.root})")
        return 0
    take_stopped(home)  # what an earlier stop has left
    send(state.process, signal.SIGTERM)
    if not _heeds(context, state):
        state = _end_supervisor(context, state)
        if state is None:
            say("mizzen is stopped")
            return 0
    if not wait_until_gone(state.process, context.args.timeout):
        raise CliError(
            f"mizzen (pid {state.pid}) still stops its workloads after {context.args.timeout:.0f} s; "
            "run `mizzen down` again to go on waiting",
            TIMED_OUT,
        )
    forced = take_stopped(home)
    for line in forced:
        say(f"mizzen: {line}")
    if any("SIGKILL" in line for line in forced):
        raise CliError("mizzen is stopped but for the processes named above")
    say("mizzen is stopped; `mizzen up` continues with all that was there")
    return 0


def _heeds(context: Context, state: InstanceState) -> bool:
    """True if the supervisor has begun to stop: its state says so, or the first roles are gone.

    A full disk keeps it from saying so, hence the second.
    """
    from mizzen.compose.state import running_instance
    from mizzen.host.process import ProcessId

    roles = [ProcessId(role.pid, role.start) for role in state.roles if role.pid]
    deadline = time.monotonic() + _HEEDS_WITHIN_S
    while time.monotonic() < deadline:
        now = running_instance(context.home)
        if now is None or now.is_stopping or not all(role.alive for role in roles):
            return True
        time.sleep(_POLL_S)
    return False


def _end_supervisor(context: Context, state: InstanceState) -> InstanceState | None:
    """It is frozen: its roles die with it, and another one stops what they have left.

    None where that could not be started, and nothing runs any more.
    """
    from mizzen.host.process import send, wait_until_gone

    say(f"mizzen: the supervisor (pid {state.pid}) does not answer and is killed")
    send(state.process, signal.SIGKILL)
    if not wait_until_gone(state.process, _HEEDS_WITHIN_S):
        raise CliError(
            f"the supervisor (pid {state.pid}) does not even end by SIGKILL: it waits for the "
            "kernel; see `ps -o stat,wchan -p PID`"
        )
    successor = _take_over(context)
    if successor is not None:
        send(successor.process, signal.SIGTERM)
    return successor


def _take_over(context: Context) -> InstanceState | None:
    """Its supervisor was killed, its workloads may still run: only an agent can end them well.

    Where it cannot be started they are ended without.
    """
    from mizzen.compose import start
    from mizzen.compose.settings import BadSettings, StartOptions
    from mizzen.compose.state import running_instance
    from mizzen.host.clock import RealClock
    from mizzen.host.ports import PortTaken
    from mizzen.host.process import send, wait_until_gone
    from mizzen.host.records import Damaged

    say("mizzen was killed before: starting it once more to stop what it left running")
    home = context.home
    try:
        _, lock = start.prepare(home, StartOptions(), RealClock())
        start.start_detached(home, lock)
    except start.AlreadyRunning:
        raise CliError(f"another process starts mizzen just now (home {home.root})") from None
    except start.DoesNotStart as error:  # a store that is gone or damaged, say
        say(f"mizzen: {error}")
        state = running_instance(home)
        if state is not None:  # it has given up, or goes on trying
            send(state.process, signal.SIGTERM)
            if not wait_until_gone(state.process, context.args.timeout):
                return state
        if said := start.end_pods(home):
            say(f"mizzen: {said}")
    except (PortTaken, BadSettings, Damaged) as error:
        raise CliError(str(error)) from error
    return running_instance(home)


VERB = Verb(
    name="down",
    summary="stop everything, workloads included; all state is kept",
    example="mizzen down",
    configure=configure,
    run=run,
)
