"""`mizzen delete`"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from mizzen.cli.context import Context
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.client.client import Client


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "object", metavar="KIND/NAME", help="what to delete; bare names of workloads too"
    )


def run(context: Context) -> int:
    return context.with_client(lambda client: _delete(context, client))


async def _delete(context: Context, client: Client) -> int:
    from mizzen.cli.core.nouns import shown
    from mizzen.cli.finding import find

    resource, obj = await find(client, context.args.object, context.namespace)
    name = obj["metadata"]["name"]
    await client.delete(resource, name, context.namespace, propagation="Background")
    print(f"{shown(resource, name)} deleted")
    return 0


VERB = Verb(
    name="delete",
    summary="delete an object and all that belongs to it",
    example="mizzen delete trainjob/first-light",
    configure=configure,
    run=run,
    namespaced=True,
)
