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
]


def run(context: Context) -> int:
    from mizzen.host.process import resident_bytes

    state = context.running()
    now_ns = time.time_ns()
    rows = [_row("supervisor", state.pid, "", 0, state.started_ns, True, now_ns)]
    for role in state.roles:
        rows.append(
            _row(
                role.role,
                role.pid,
                role.address,
                role.restarts,
                role.started_ns,
                role.ready,
                now_ns,
            )
        )
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
    return 0 if all(row["state"] == "Running" for row in rows) else 1


def _row(
    role: str, pid: int, address: str, restarts: int, started_ns: int, ready: bool, now_ns: int
) -> dict[str, Any]:
    state = "Running" if ready else ("Starting" if pid else "Restarting")
    return {
        "role": role,
        "state": state,
        "pid": pid,
        "address": address,
        "restarts": restarts,
        "age": age((now_ns - started_ns) / 1e9),
    }


VERB = Verb(
    name="status",
    summary="show each process with its pid, memory, address and restarts",
    example="mizzen status\nmizzen status -o json | jq .memoryBytes",
    configure=nothing_to_configure,
    run=run,
    prints_data=True,
)
