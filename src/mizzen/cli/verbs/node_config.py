"""`mizzen node-config`"""

from __future__ import annotations

import shlex
from argparse import ArgumentParser
from pathlib import Path

from mizzen.cli.context import Context, say
from mizzen.cli.exits import FAILED, CliError
from mizzen.cli.verb import Verb


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the node's name")
    parser.add_argument("--address", required=True, metavar="IP", help="where its kubelet listens")
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="the folder to write (default: ./NAME)"
    )
    parser.add_argument(
        "--container-runtime-endpoint", metavar="URL",
        help="of containerd or CRI-O (default: unix:///run/containerd/containerd.sock)",
    )  # fmt: skip
    parser.add_argument("--cluster-dns", metavar="IP", help="of a DNS server for its pods")


def run(context: Context) -> int:
    from mizzen.compose import node_config
    from mizzen.compose.settings import BadSettings
    from mizzen.host.clock import RealClock
    from mizzen.host.records import Damaged

    args = context.args
    wish = node_config.NodeWish(
        args.name,
        args.address,
        args.container_runtime_endpoint or node_config.CONTAINERD,
        args.cluster_dns or "",
    )
    folder = (args.output or Path(args.name)).absolute()
    try:
        advice = node_config.write(context.home, folder, wish, RealClock())
    except (node_config.NotPossible, BadSettings, Damaged) as error:
        raise CliError(str(error), FAILED) from error
    for sentence in advice:
        say(f"mizzen: {sentence}")
    say(
        f"{folder} has the credentials of node {wish.name}: keep it as safe as a password. As root:"
    )
    where = shlex.quote(str(folder))
    print(
        f"kubelet --kubeconfig={where}/kubeconfig --config={where}/kubelet.yaml "
        f"--hostname-override={wish.name} --node-ip={wish.address}"
    )
    return 0


VERB = Verb(
    name="node-config",
    summary="write credentials and configuration for a kubelet that joins",
    example="mizzen node-config worker --address 192.0.2.7 --output /etc/mizzen-node",
    configure=configure,
    run=run,
)
