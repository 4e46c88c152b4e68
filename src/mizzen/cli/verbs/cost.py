"""`mizzen cost`"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from mizzen.cli.context import Context, say
from mizzen.cli.exits import FAILED, OK
from mizzen.cli.output import document, emit
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.base.ledger import Totals
    from mizzen.base.objects import Obj
    from mizzen.client.client import Client

_COLUMNS = [
    ("WORKLOAD", "workload"),
    ("LINE", "line"),
    ("DEVICE-SECONDS", "seconds"),
    ("SHARE", "share"),
]


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--check",
        action="store_true",
        help="look for gaps, overlaps and wrong owners (by the store's history); fail if there are any",
    )


def run(context: Context) -> int:
    return context.with_client(lambda client: _bill(context, client))


async def _bill(context: Context, client: Client) -> int:
    from mizzen.base.ledger import check, totals
    from mizzen.base.resources import USAGE_RECORDS

    records, _ = await client.list(USAGE_RECORDS)
    sums = totals(records)
    rows = _rows(sums)
    asked = bool(context.args.check)
    found = check(records, await _history(client)) if asked else []
    form = context.args.output
    if form in ("json", "yaml"):
        devices = {device: sum(lines.values()) for device, lines in sums.devices.items()}
        whole: dict[str, Any] = {"lines": rows, "devices": devices, "total": sums.all}
        print(document(form, whole | ({"faults": found} if asked else {})))
    else:
        emit(form, rows, _COLUMNS, "line")
    if form == "table":
        print(f"sum {sums.all / 1e9:.3f} device-seconds of {len(sums.devices)} devices")
        if asked and not found:
            print(f"checked {len(records)} records: no gap, no overlap, every owner held its claim")
    for fault in found:
        say(f"mizzen: {fault}")
    return FAILED if found else OK


async def _history(client: Client) -> list[Obj]:
    import json

    lines = client.lines("/mizzen/v1/history")
    return [json.loads(line) async for line in lines]


def _rows(sums: Totals) -> list[dict[str, Any]]:
    return [
        {
            "workload": workload,
            "line": line,
            "nanoseconds": nanoseconds,
            "seconds": f"{nanoseconds / 1e9:.3f}",
            "share": f"{100 * nanoseconds / (sums.all or 1):.1f}%",
        }
        for workload, lines in sorted(sums.workloads.items())
        for line, nanoseconds in sorted(lines.items())
    ]


VERB = Verb(
    name="cost",
    summary="show where every device-second went: the ledger, per workload and line",
    example="mizzen cost\nmizzen cost --check -o json",
    configure=configure,
    run=run,
    prints_data=True,
)
