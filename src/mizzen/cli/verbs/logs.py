"""`mizzen logs`"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from mizzen.cli.context import Context
from mizzen.cli.exits import USAGE, CliError
from mizzen.cli.numbers import whole
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.client.client import Client


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "object", metavar="[KIND/]NAME", help="a pod, TrainJob, Job or ModelEndpoint"
    )
    parser.add_argument(
        "-c", "--container", default="", metavar="NAME", help="of a pod that has several"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until it is done")
    parser.add_argument(
        "--tail", type=whole(), metavar="LINES", help="only the last lines of each pod"
    )
    parser.add_argument(
        "-p", "--previous", action="store_true", help="of the run before the last restart"
    )


def run(context: Context) -> int:
    return context.with_client(lambda client: _show(context, client))


async def _show(context: Context, client: Client) -> int:
    from mizzen.base.resources import PODS
    from mizzen.cli import following
    from mizzen.cli.finding import find

    args = context.args
    if args.follow and args.previous:
        raise CliError("--previous has ended: there is nothing to --follow", USAGE)
    resource, obj = await find(client, args.object, context.namespace)
    options = following.LogOptions(args.follow, args.tail, args.previous, args.container)
    if resource == PODS:
        await following.print_pod(client, obj, "", options)
        return 0
    if resource not in following.WITH_LOGS:
        raise CliError(
            f"a {resource.kind} has no log: name a pod, TrainJob, Job or ModelEndpoint", USAGE
        )
    return await following.print_workload(client, resource, obj, options)


VERB = Verb(
    name="logs",
    summary="print the log of a pod, or of all ranks of a workload",
    example="mizzen logs -f trainjob/first-light\nmizzen logs --tail 20 pod/tiny-0",
    configure=configure,
    run=run,
    namespaced=True,
)
