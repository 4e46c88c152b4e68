"""`mizzen down`"""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from mizzen.cli.context import Context, say
from mizzen.cli.exits import TIMED_OUT, CliError
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.compose.state import InstanceState


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=float, default=75.0, metavar="S", help="seconds to wait (75)"
    )


def run(context: Context) -> int:
    from mizzen.compose.state import ended_uncleanly, running_instance
    from mizzen.host.process import send, wait_until_gone

    home = context.home
    state = running_instance(home)
    if state is None and ended_uncleanly(home):
        state = _take_over(context)
    if state is None:
        say(f"mizzen is not running (home {home.root})")
        return 0
    send(state.process, signal.SIGTERM)
    if not wait_until_gone(state.process, context.args.timeout):
        raise CliError(
            f"mizzen (pid {state.pid}) still stops its workloads after {context.args.timeout:.0f} s; "
            "run `mizzen down` again to go on waiting",
            TIMED_OUT,
        )
    say("mizzen is stopped; `mizzen up` continues with all that was there")
    return 0


def _take_over(context: Context) -> InstanceState | None:
    """Its supervisor was killed, its workloads may still run: only an agent can end them well."""
    from mizzen.compose import start
    from mizzen.compose.settings import Wishes
    from mizzen.compose.state import running_instance
    from mizzen.host.clock import RealClock

    say("mizzen was killed before: starting it once more to stop what it left running")
    home = context.home
    try:
        _, lock = start.prepare(home, Wishes(), RealClock())
        start.start_detached(home, lock)
    except (start.AlreadyRunning, start.DoesNotStart) as error:
        raise CliError(str(error)) from error
    return running_instance(home)


VERB = Verb(
    name="down",
    summary="stop everything, workloads included; all state is kept",
    example="mizzen down",
    configure=configure,
    run=run,
)
