"""`mizzen logs`"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from mizzen.cli.context import Context
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.client.client import Client


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "object", metavar="[KIND/]NAME", help="a pod, TrainJob, Job or ModelEndpoint"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until it is done")
    parser.add_argument("--tail", type=int, metavar="LINES", help="only the last lines of each pod")


def run(context: Context) -> int:
    return context.with_client(lambda client: _show(context, client))


async def _show(context: Context, client: Client) -> int:
    from mizzen.base.resources import PODS
    from mizzen.cli import following
    from mizzen.cli.finding import find

    args = context.args
    resource, obj = await find(client, args.object, context.namespace)
    if resource == PODS:
        name = obj["metadata"]["name"]
        await following.print_pod(client, context.namespace, name, "", args.follow, args.tail)
    else:
        await following.print_workload(client, resource, obj, args.follow, args.tail)
    return 0


VERB = Verb(
    name="logs",
    summary="print the log of a pod, or of all ranks of a workload",
    example="mizzen logs -f trainjob/first-light\nmizzen logs --tail 20 pod/tiny-0",
    configure=configure,
    run=run,
    namespaced=True,
)
