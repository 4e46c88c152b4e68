"""`mizzen status`"""

from __future__ import annotations

import time
from typing import Any

from mizzen.cli.context import Context
from mizzen.cli.output import age, document, emit, mebibytes, table
from mizzen.cli.verb import Verb, nothing_to_configure

_COLUMNS = [
    ("ROLE", "role"),
    ("STATE", "state"),
    ("PID", "pid"),
    ("MEMORY", "memory"),
    ("ADDRESS", "address"),
    ("RESTARTS", "restarts"),
    ("AGE", "age"),
    ("DETAIL", "detail"),
]


def run(context: Context) -> int:
    from mizzen.host.process import resident_bytes

    state = context.running()
    now_ns = time.time_ns()
    condition = "Stopping" if state.is_stopping else "Running"
    rows = [_row("supervisor", state.pid, condition, state.started_ns, now_ns)]
    if not state.roles:
        rows[0]["detail"] = "its record is damaged or not written: `mizzen down`, `mizzen up`"
    for role in state.roles:
        row = _row(role.role, role.pid, role.condition, role.started_ns, now_ns)
        detail = f"last end: {role.reason}" if role.reason else ""
        if role.syncing:
            detail = f"{role.syncing} stored objects read so far"
        if role.silent_s:
            detail = f"has not answered for {role.silent_s} s"
        rows.append(row | _extra(role.address, role.restarts, detail))
    for row in rows:
        row["memoryBytes"] = resident_bytes(row["pid"]) if row["pid"] else 0
        row["memory"] = mebibytes(row["memoryBytes"])
    total = sum(row["memoryBytes"] for row in rows)
    form = context.args.output
    if form in ("json", "yaml"):
        whole = {"home": str(context.home.root), "memoryBytes": total, "processes": rows}
        print(document(form, whole))
    else:
        emit(form, rows, _COLUMNS, "role")
    if form == "table":
        print(table(["TOTAL", mebibytes(total)], []))
    return 0 if all(row["state"] in ("Running", "Syncing") for row in rows) else 1


def _row(role: str, pid: int, state: str, started_ns: int, now_ns: int) -> dict[str, Any]:
    since = age((now_ns - started_ns) / 1e9) if started_ns else "-"
    return {"role": role, "state": state, "pid": pid, "age": since} | _extra("", 0, "")


def _extra(address: str, restarts: int, detail: str) -> dict[str, Any]:
    return {"address": address, "restarts": restarts, "detail": detail}


VERB = Verb(
    name="status",
    summary="show each process with its pid, memory, address and restarts",
    example="mizzen status\nmizzen status -o json | jq .memoryBytes",
    configure=nothing_to_configure,
    run=run,
    prints_data=True,
)
