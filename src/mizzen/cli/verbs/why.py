"""`mizzen why`"""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mizzen.cli.context import Context
from mizzen.cli.output import document, one_line, visible
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.base.objects import Obj
    from mizzen.cli.core.why import Change, Explanation, Unplaced
    from mizzen.client.client import Client

_LINKS_SHOWN = 40


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("object", metavar="[KIND/]NAME", help="what to explain")
    parser.add_argument(
        "--all", action="store_true", help=f"more than the last {_LINKS_SHOWN} links"
    )


def run(context: Context) -> int:
    return context.with_client(lambda client: _explain(context, client))


async def _explain(context: Context, client: Client) -> int:
    from mizzen.cli.core.nouns import shown
    from mizzen.cli.core.why import explain
    from mizzen.cli.finding import find

    resource, target = await find(client, context.args.object, context.namespace)
    namespace = context.namespace if resource.namespaced else ""
    objects, events, history = await asyncio.gather(
        _objects(client, namespace), _events(client, namespace), _history(client, namespace)
    )
    told = explain(target, [target, *objects], history, events)
    name = shown(resource, target["metadata"]["name"])
    if context.args.output in ("json", "yaml"):
        print(document(context.args.output, _plain(name, told)))
    elif context.args.output == "name":
        print(name)
    else:
        _print(name, told, everything=context.args.all)
    return 0


async def _objects(client: Client, namespace: str) -> list[Obj]:
    from mizzen.base import resources

    wanted = (
        resources.TRAIN_JOBS,
        resources.MODEL_ENDPOINTS,
        resources.JOBS,
        resources.CRON_JOBS,
        resources.DEPLOYMENTS,
        resources.REPLICA_SETS,
        resources.STATEFUL_SETS,
        resources.DAEMON_SETS,
        resources.REPLICATION_CONTROLLERS,
        resources.PODS,
        resources.POD_GROUPS,
        resources.RESOURCE_CLAIMS,
    )
    listed = await asyncio.gather(*(client.list(resource, namespace) for resource in wanted))
    return [obj for objects, _ in listed for obj in objects]


async def _events(client: Client, namespace: str) -> list[Obj]:
    from mizzen.base.resources import EVENTS

    events, _ = await client.list(EVENTS, namespace)
    return events


async def _history(client: Client, namespace: str) -> list[Change]:
    from mizzen.cli.core.why import Change

    changes: list[Change] = []
    async for line in client.lines("/mizzen/v1/history"):
        record: dict[str, Any] = json.loads(line)
        obj: Obj | None = record.get("object")
        if obj and (not namespace or record.get("namespace") == namespace):
            changes.append(
                Change(
                    revision=int(record["revision"]),
                    time_ns=int(record["time"]),
                    identity=str(record.get("identity") or ""),
                    verb=str(record.get("verb") or ""),
                    object=obj,
                    gone=record.get("type") == "DELETED",
                )
            )
    return changes


def _plain(name: str, told: Explanation) -> dict[str, Any]:
    return {
        "object": name,
        "chain": [
            {"time": link.time_ns, "object": link.subject, "what": link.what, "by": link.by}
            for link in told.chain
        ],
        "waiting": list(told.waiting),
        "change": list(told.change),
        "unplaced": [{"objects": list(u.who), **u.record} for u in told.unplaced],
    }


def _print(name: str, told: Explanation, *, everything: bool) -> None:
    links = told.chain if everything else told.chain[-_LINKS_SHOWN:]
    hidden = len(told.chain) - len(links)
    print(f"{name}, newest last" + (f" ({hidden} earlier links: --all)" if hidden else ""))
    for link in links:
        # Ledger and events are compared by people: local time with milliseconds.
        moment = datetime.fromtimestamp(link.time_ns / 1e9).strftime("%H:%M:%S.%f")[:-3]
        by = f"  [{visible(link.by)}]" if link.by else ""
        print(f"  {moment}  {visible(link.subject)}  {one_line(link.what)}{by}")
    for reason in told.waiting:
        print(f"it waits: {one_line(reason)}")
    for change in told.change:
        print(f"what would change it: {one_line(change)}")
    for unplaced in told.unplaced:
        _print_unplaced(unplaced)


def _print_unplaced(unplaced: Unplaced) -> None:
    """The reasons apart, and every change that was found, smallest first."""
    who = unplaced.who
    print(f"{who[0]}{f' and {len(who) - 1} more' if len(who) > 1 else ''} in detail:")
    for line in unplaced.reasons:
        print(f"  {one_line(line)}")
    for number, change in enumerate(unplaced.changes, 1):
        print(f"  change {number}: {one_line(change)}")


VERB = Verb(
    name="why",
    summary="tell how an object came to be as it is, and what would change it",
    example="mizzen why trainjob/first-light\nmizzen why pod/tiny-1",
    configure=configure,
    run=run,
    prints_data=True,
    namespaced=True,
)
