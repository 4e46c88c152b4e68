"""`mizzen ps`"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from mizzen.cli.context import Context
from mizzen.cli.output import age, emit
from mizzen.cli.verb import Verb, nothing_to_configure

if TYPE_CHECKING:
    from mizzen.client.client import Client

_COLUMNS = [
    ("NAMESPACE", "namespace"),
    ("NAME", "shown"),
    ("STATUS", "status"),
    ("DEVICES", "devices"),
    ("AGE", "age"),
    ("DETAIL", "detail"),
]


def run(context: Context) -> int:
    return context.with_client(lambda client: _list(context, client))


async def _list(context: Context, client: Client) -> int:
    from mizzen.base import resources
    from mizzen.cli.core.listing import rows

    wanted = (
        resources.TRAIN_JOBS,
        resources.MODEL_ENDPOINTS,
        resources.JOBS,
        resources.PODS,
        resources.RESOURCE_CLAIMS,
    )
    listed = await asyncio.gather(*(client.list(resource) for resource in wanted))
    found: list[dict[str, Any]] = rows(*(objects for objects, _ in listed))
    now_ns = time.time_ns()
    for row in found:
        row["path"] = f"{row['kind']}/{row['name']}"
        row["shown"] = ("  " if row["kind"] == "pod" else "") + row["path"]
        row["age"] = age((now_ns - row["created"]) / 1e9)
    form = context.args.output
    if form in ("json", "yaml"):
        shown = ("kind", "namespace", "name", "status", "devices", "detail", "created")
        found = [{key: row[key] for key in shown} for row in found]
    if form == "table" and not found:
        print("nothing runs yet: `mizzen train SCRIPT` or `mizzen serve MODEL` starts something")
        return 0
    emit(form, found, _COLUMNS, "path")
    return 0


VERB = Verb(
    name="ps",
    summary="list workloads and pods of all namespaces with their devices",
    example="mizzen ps\nmizzen ps -o json",
    configure=nothing_to_configure,
    run=run,
    prints_data=True,
)
