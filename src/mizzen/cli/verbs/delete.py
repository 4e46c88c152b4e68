"""`mizzen delete`"""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from mizzen.cli.context import Context
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.client.client import Client


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "objects",
        metavar="KIND/NAME",
        nargs="+",
        help="what to delete; bare names of workloads too",
    )


def run(context: Context) -> int:
    return context.with_client(lambda client: _delete(context, client))


async def _delete(context: Context, client: Client) -> int:
    from mizzen.base.errors import NotFound
    from mizzen.cli.core.nouns import shown
    from mizzen.cli.finding import find

    # All are found before the first is deleted: a slip of the pen deletes nothing.
    found = [await find(client, text, context.namespace) for text in context.args.objects]
    for resource, obj in found:
        name, uid = obj["metadata"]["name"], obj["metadata"]["uid"]
        with contextlib.suppress(NotFound):  # gone meanwhile, with what it belonged to
            await client.delete(
                resource, name, context.namespace, propagation="Background", uid=uid
            )
        print(f"{shown(resource, name)} deleted")
    return 0


VERB = Verb(
    name="delete",
    summary="delete objects and all that belongs to them",
    example="mizzen delete trainjob/first-light\nmizzen delete first-light pod/probe",
    configure=configure,
    run=run,
    namespaced=True,
)
