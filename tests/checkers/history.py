"""An independent check of the store's history against what is listed, from the API alone.

Shares no code with the store, on purpose: it plays the records again and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Obj = Mapping[str, Any]
_Key = tuple[str, str, str]  # resource, namespace, name


def faults(records: Iterable[Obj], listed: Sequence[tuple[str, Obj]] = ()) -> list[str]:
    """Everything that is wrong, one sentence each.

    `records` are lines of `/mizzen/v1/history`, oldest first; `listed` objects with their
    resource, as they were after the last record.
    """
    found: list[str] = []
    state: dict[_Key, Obj | None] = {}
    plans: set[str] = set()
    revision, time_ns, plan = 0, 0, ""
    for record in records:
        where = f"revision {record['revision']}"
        if record["revision"] <= revision:
            found.append(f"{where} follows {revision}")
        if record["time"] < time_ns:
            found.append(f"{where} is older than the one before")
        if record["plan"] != plan and record["plan"] in plans:
            found.append(f"{where}: plan {record['plan']} was torn apart")
        revision, time_ns, plan = record["revision"], record["time"], record["plan"]
        if plan:
            plans.add(plan)
        found += [f"{where}: {fault}" for fault in _step(record, state)]
    for resource, obj in listed:
        metadata = obj["metadata"]
        key = (resource, metadata.get("namespace") or "", metadata["name"])
        if key in state and state[key] != obj:
            found.append(f"{'/'.join(key)} is not what the history says")
        state.pop(key, None)
    resources = {resource for resource, _ in listed}
    left = [key for key, obj in state.items() if obj is not None and key[0] in resources]
    return found + [f"{'/'.join(key)} is in the history and is not listed" for key in left]


def _step(record: Obj, state: dict[_Key, Obj | None]) -> list[str]:
    key = (record["resource"], record["namespace"], record["name"])
    obj, kind = record["object"], record["type"]
    found: list[str] = []
    if kind == "ADDED" and state.get(key) is not None:
        found.append(f"{'/'.join(key)} was added and was there")
    if kind != "ADDED" and key in state and state[key] is None:
        found.append(f"{'/'.join(key)} was {kind.lower()} and was gone")
    if obj["metadata"].get("resourceVersion") != str(record["revision"]):
        found.append(f"{'/'.join(key)} says it is {obj['metadata'].get('resourceVersion')}")
    state[key] = None if kind == "DELETED" else obj
    return found
