"""`mizzen cost`"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from mizzen.cli.context import Context, say
from mizzen.cli.exits import FAILED, OK
from mizzen.cli.output import document, emit
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.cli.core.cost import Bill
    from mizzen.client.client import Client

_COLUMNS = [
    ("WORKLOAD", "workload"),
    ("LINE", "line"),
    ("DEVICE-SECONDS", "seconds"),
    ("CPU-SECONDS", "cpuSeconds"),
    ("SHARE", "share"),
]


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--check",
        action="store_true",
        help="also look for gaps and overlaps; fail if there are any",
    )


def run(context: Context) -> int:
    return context.with_client(lambda client: _bill(context, client))


async def _bill(context: Context, client: Client) -> int:
    from mizzen.base.resources import USAGE_RECORDS
    from mizzen.cli.core.cost import bill, faults

    records, _ = await client.list(USAGE_RECORDS)
    sums = bill(records)
    rows = _rows(sums)
    found = faults(records) if context.args.check else []
    form = context.args.output
    if form in ("json", "yaml"):
        whole: dict[str, Any] = {"lines": rows, "devices": sums.devices, "total": sums.total}
        if context.args.check:
            whole["faults"] = found
        print(document(form, whole))
    else:
        emit(form, rows, _COLUMNS, "line")
    if form == "table":
        time = sum(sums.devices.values())
        exact = "exactly" if time == sums.total else "NOT"
        print(
            f"sum {sums.total / 1e9:.3f} device-seconds, {exact} the time of "
            f"{len(sums.devices)} devices"
        )
    for fault in found:
        say(f"mizzen: {fault}")
    if context.args.check and not found and form == "table":
        print(f"checked {len(records)} records: no gap, no overlap")
    return FAILED if found or sum(sums.devices.values()) != sums.total else OK


def _rows(sums: Bill) -> list[dict[str, Any]]:
    total = sums.total or 1
    return [
        {
            "workload": workload,
            "line": line,
            "nanoseconds": nanoseconds,
            "seconds": f"{nanoseconds / 1e9:.3f}",
            "cpuSeconds": f"{sums.cpu[workload, line] / 1e9:.3f}",
            "share": f"{100 * nanoseconds / total:.1f}%",
        }
        for (workload, line), nanoseconds in sorted(sums.lines.items())
    ]


VERB = Verb(
    name="cost",
    summary="show where every device-second went: the ledger, per workload and line",
    example="mizzen cost\nmizzen cost --check -o json",
    configure=configure,
    run=run,
    prints_data=True,
)
