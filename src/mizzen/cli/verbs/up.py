"""`mizzen up`"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, ArgumentTypeError

from mizzen.base.log_line import LOG_FORMAT, LOG_FORMATS
from mizzen.cli.context import Context
from mizzen.cli.exits import FAILED, CliError
from mizzen.cli.numbers import whole
from mizzen.cli.verb import Verb

SIMULATED_MAX = 100_000


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-d", "--detach", action="store_true", help="leave it running in the background"
    )
    parser.add_argument(
        "--listen", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=_port, help="port of the Kubernetes API (default: 7443 or a free one)"
    )
    parser.add_argument(
        "--gateway-port", type=_port, help="port of the OpenAI API (default: 7480 or a free one)"
    )
    parser.add_argument(
        "--service-cluster-ip-range", metavar="CIDR",
        help="addresses for Services (default: a free /20 of 127.1.0.0 to 127.63.255.255)",
    )  # fmt: skip
    parser.add_argument(
        "--node-port-address", metavar="ADDRESS",
        help="where node ports of Services are listened on (default: 127.0.0.1)",
    )  # fmt: skip
    parser.add_argument(
        "--emulate-version", metavar="MINOR",
        help="store and serve nothing that this older version does not know (default: as before)",
    )  # fmt: skip
    parser.add_argument(
        "--new-store",
        action="store_true",
        help="begin with nothing where the store of this instance is gone",
    )
    parser.add_argument(
        "--simulated-devices",
        type=whole(0, SIMULATED_MAX),
        metavar="N",
        help="pretend to have N accelerators",
    )
    parser.add_argument(
        "--log-format", choices=LOG_FORMATS,
        help=f"log lines as text or as JSON objects (default: {LOG_FORMAT}, else text)",
    )  # fmt: skip


def run(context: Context) -> int:
    from mizzen.compose import start
    from mizzen.compose.banner import ready_text
    from mizzen.compose.settings import BadSettings, StartOptions
    from mizzen.compose.state import running_instance
    from mizzen.host.clock import RealClock
    from mizzen.host.inherited import TooFewFiles, raise_file_limit
    from mizzen.host.ports import PortTaken
    from mizzen.host.records import Damaged

    began = time.monotonic()
    args, home = context.args, context.home
    if args.log_format:
        os.environ[LOG_FORMAT] = args.log_format  # every role inherits it
    options = StartOptions(
        args.listen,
        args.port,
        args.gateway_port,
        args.simulated_devices,
        args.service_cluster_ip_range,
        args.node_port_address,
        args.emulate_version,
    )
    try:
        raise_file_limit()
        settings, lock = start.prepare(home, options, RealClock())
        if args.new_store:
            from mizzen.compose import checking  # loads the store

            checking.begin_anew(home)
    except start.AlreadyRunning:
        state = running_instance(home)
        if state is not None and state.is_stopping:
            raise CliError(
                f"mizzen is being stopped (home {home.root}): `mizzen down` returns once it is, "
                "then `mizzen up` again"
            ) from None
        raise CliError(
            f"mizzen already runs (home {home.root}): see `mizzen status`, or stop it with "
            "`mizzen down`"
        ) from None
    except (PortTaken, BadSettings, Damaged, TooFewFiles, FileExistsError) as error:
        raise CliError(str(error)) from error
    if not args.detach:
        start.become_supervisor(home, lock)
    try:
        syncing = start.start_detached(home, lock)
    except start.DoesNotStart as error:
        raise CliError(str(error), FAILED) from error
    took_s = time.monotonic() - began
    print(ready_text(home, settings, took_s, foreground=False, syncing=syncing))
    return 0


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ArgumentTypeError(f"{text!r} is not a port; choose 1 to 65535")
    return int(text)


VERB = Verb(
    name="up",
    summary="start the control plane on this machine",
    example="mizzen up --detach\nmizzen up --home ./scratch --port 7500",
    configure=configure,
    run=run,
)
