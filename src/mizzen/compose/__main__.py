"""`python -m mizzen.compose ROLE --home DIR`: becomes one process of an instance.

With `--kubeconfig FILE` in place of `--home`, scheduler and controllers work on another cluster;
with `--in-cluster` on the one whose pod they are.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Started as a file by an interpreter that heeds no PYTHONPATH (see start.py). Behind all else, so
# that nothing there takes the place of a module of Python's or ours: Mizzen's own root, if it is
# not installed, and what the user's PYTHONPATH names, if something is installed nowhere else.
if not __package__:
    _found = [str(Path(__file__).parents[2]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    sys.path += [entry for entry in _found if os.path.isabs(entry) and entry not in sys.path]

from mizzen.base.errors import BadRequest, InsufficientStorage
from mizzen.base.log_line import LOG_FORMAT, LOG_FORMATS
from mizzen.compose.settings import BadSettings
from mizzen.host.home import BadHome, Home
from mizzen.host.inherited import (
    TooFewFiles,
    keep_own_rights,
    open_standard_files,
    print_anything,
)
from mizzen.host.process import die_with_parent, prefer_over_workloads, set_title
from mizzen.host.records import Damaged

ROLES = ("apiserver", "controllers", "scheduler", "node", "gateway")


def main(words: Sequence[str] | None = None) -> None:
    """The whole life of the process that `words` name, by default those of the command line."""
    open_standard_files()
    keep_own_rights()
    print_anything()
    parser = argparse.ArgumentParser(prog="python -m mizzen.compose", description=__doc__)
    parser.add_argument("role", choices=[*ROLES, "supervisor"])
    parser.add_argument("--home", metavar="DIR", help="the instance (default: XDG folders)")
    parser.add_argument("--ready-fd", type=int, help="says here when ready (default: prints it)")
    parser.add_argument("--parent", type=int, help="dies when this process does")
    parser.add_argument("--lock-fd", type=int, help="supervisor: the instance's lock, already held")
    parser.add_argument("--no-banner", action="store_true", help="supervisor: prints nothing")
    parser.add_argument("--kubeconfig", metavar="FILE", help="works on the cluster named there")
    parser.add_argument("--in-cluster", action="store_true", help="works on this pod's cluster")
    parser.add_argument("--context", default="", help="of the kubeconfig (default: its current)")
    parser.add_argument(
        "--lease-seconds", type=float, default=15.0, help="how long a silent leader keeps the lead"
    )
    parser.add_argument(
        "--log-format", choices=LOG_FORMATS, help=f"of log lines (default: {LOG_FORMAT}, else text)"
    )
    parser.add_argument(
        "--metrics-bind-address",
        default="0",
        metavar="ADDRESS:PORT",
        help="on another cluster: metrics and health by HTTPS (default: 0, none)",
    )
    parser.add_argument("--tls-cert-file", default="", help="shown there (default: one is made)")
    parser.add_argument("--tls-private-key-file", default="", help="of that certificate")
    args = parser.parse_args(words)
    if args.log_format:
        os.environ[LOG_FORMAT] = args.log_format
    try:
        _become(args)
    except (
        BadHome, BadRequest, BadSettings, Damaged, InsufficientStorage, TooFewFiles
    ) as error:  # fmt: skip
        # A kubeconfig, a record or a limit of this machine that means nothing can be done.
        raise SystemExit(f"mizzen: {error}") from error


def _become(args: argparse.Namespace) -> None:
    if args.parent is not None:
        die_with_parent(args.parent)
    prefer_over_workloads()
    set_title(f"mizzen-{args.role}")
    if args.kubeconfig or args.in_cluster:
        _run_beside(args)
        return
    if args.metrics_bind_address != "0":
        raise BadRequest("--metrics-bind-address goes with --kubeconfig or --in-cluster")
    home = Home.locate(args.home, os.environ)
    if args.role == "supervisor":
        from mizzen.compose.start import supervise

        banner = not args.no_banner
        raise SystemExit(supervise(home, args.lock_fd, args.ready_fd, main, banner=banner))
    _run_role(args.role, home, args.ready_fd)


def _run_role(role: str, home: Home, ready_fd: int | None) -> None:
    from mizzen.compose.shell import run_role

    module = importlib.import_module(f"mizzen.compose.roles.{role}")
    run_role(role, lambda on_ready: module.main(home, on_ready), ready_fd)


def _run_beside(args: argparse.Namespace) -> None:
    from mizzen.compose import beside, secure_port
    from mizzen.compose.shell import run_role

    if args.role not in beside.ROLES:
        raise SystemExit(
            f"{args.role} does not run on another cluster; of {', '.join(ROLES)} these do: "
            + ", ".join(beside.ROLES)
        )
    path = Path(args.kubeconfig) if args.kubeconfig else None
    cluster = beside.Cluster(path, args.context, args.lease_seconds)
    port = secure_port.parse(
        args.metrics_bind_address, args.tls_cert_file, args.tls_private_key_file
    )
    run_role(
        args.role, lambda on_ready: beside.main(args.role, cluster, on_ready, port), args.ready_fd
    )


if __name__ == "__main__":
    main()
