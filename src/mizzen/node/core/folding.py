"""Old usage records folded into one per owner, so that the ledger does not grow without end.

A folded record keeps what the ledger adds up: the device, its owner, how long it was used for
what, and the CPU. It gives up when within the stretch, and which step: its intervals are
sums, laid end to end in the order of LINES.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from mizzen.base.ledger import LINES
from mizzen.base.objects import Obj, name_of, revision_of
from mizzen.base.operations import Create, Delete, Operation
from mizzen.base.resources import USAGE_RECORDS

OPERATIONS_MAX = 200
LEAST = 12  # fewer than these are not worth a write: a minute of records


def fold(records: Iterable[Obj], before: int) -> list[list[Operation]]:
    """Plans, each of which replaces neighbouring records that ended before `before` (ns) by one.

    Each plan deletes what it replaces, so a crash leaves either all of the old or the new. The
    newest record of a device stays: a restarted agent goes on from it.
    """
    plans: list[list[Operation]] = []
    for _, found in groupby(sorted(records, key=_place), key=lambda r: _place(r)[:3]):
        for run in _runs([r for r in list(found)[:-1] if r["spec"]["end"] < before]):
            for at in range(0, len(run), OPERATIONS_MAX - 1):
                part = run[at : at + OPERATIONS_MAX - 1]
                if len(part) >= LEAST:
                    plans.append(_replacing(part))
    return plans


def _place(record: Obj) -> tuple[str, str, str, int]:
    spec = record["spec"]
    return spec["node"], spec["driver"], spec["device"], spec["start"]


def _runs(records: list[Obj]) -> Iterator[list[Obj]]:
    """Neighbours that touch and have one owner."""
    run: list[Obj] = []
    for record in records:
        if run and (
            _owner(run[-1]) != _owner(record) or run[-1]["spec"]["end"] != record["spec"]["start"]
        ):
            yield run
            run = []
        run.append(record)
    if run:
        yield run


def _owner(record: Obj) -> tuple[Any, ...]:
    spec = record["spec"]
    return tuple(spec.get(name) for name in ("claim", "podUID", "workload"))


def _replacing(records: list[Obj]) -> list[Operation]:
    first, last = records[0]["spec"], records[-1]["spec"]
    spec: Obj = {**first, "end": last["end"], "folded": True, "intervals": _sums(records)}
    if any("kernelCPU" in r["spec"] for r in records):
        spec["kernelCPU"] = sum(r["spec"].get("kernelCPU", 0) for r in records)
    name = f"{first['node']}.{first['device']}.{first['start']}-{last['end']}"
    deletes = [
        Delete(USAGE_RECORDS, "", name_of(r), resource_version=str(revision_of(r))) for r in records
    ]
    return [*deletes, Create(USAGE_RECORDS, {"metadata": {"name": name}, "spec": spec})]


def _sums(records: list[Obj]) -> list[Obj]:
    length = dict.fromkeys(LINES, 0)
    cpu = dict.fromkeys(LINES, 0)
    for record in records:
        for interval in record["spec"]["intervals"]:
            length[interval["line"]] += interval["end"] - interval["start"]
            cpu[interval["line"]] += interval.get("cpu") or 0
    intervals: list[Obj] = []
    moment = records[0]["spec"]["start"]
    for line in LINES:
        if length[line] or cpu[line]:
            end = moment + length[line]
            intervals.append({"line": line, "start": moment, "end": end, "cpu": cpu[line]})
            moment = end
    return intervals
