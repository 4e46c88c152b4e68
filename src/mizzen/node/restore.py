"""What happened to a pod's runs while no agent looked, as events for its machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from mizzen.base.objects import Obj
from mizzen.node.core.pod import STABLE_NS
from mizzen.node.core.words import Event, Exited, Started
from mizzen.node.podfiles import write_json
from mizzen.node.processes import kill_run
from mizzen.node.slot import INTERRUPTED, Slot, exited_of, run_key


def restore(slot: Slot, running: Mapping[str, tuple[int, int]], now: int) -> list[Event]:
    """Sets each container to its latest run and returns the events since.

    A run that was begun, has not ended by its record and is not held by the shim has lost
    its shim: it is killed and counts as ended with code 137.
    """
    events: list[Event] = []
    for run in slot.state.containers:
        records = {n: _sound(r, now) for n, r in slot.files.runs(run.name).items()}
        if not records:
            continue
        run.number = max(records)
        record = records[run.number]
        before = records.get(run.number - 1)
        if before is not None and before.get("state") == "exited":
            run.last = exited_of(slot, run.name, run.number - 1, before)
        run.phase = "starting"
        key = run_key(slot.uid, run.name, run.number)
        slot.state.prepared = True
        if key in running:
            event = Started(run.name, run.number, record["pid"], record["started"])
        else:
            event = _end(slot, run.name, run.number, record, now)
        if not isinstance(event, Exited) or event.reason != INTERRUPTED:
            run.failures = _failures_before(records, run.number)
        events.append(event)
    return events


def end_of(slot: Slot, name: str, number: int, now: int) -> Exited:
    """The end of a run that the shim does not hold any more, by its record."""
    record = slot.files.runs(name).get(number)  # none where the disk was full
    return _end(slot, name, number, _sound(record or {}, now), now)


def _sound(record: Obj, now: int) -> Obj:
    """The record with whole numbers where they belong, whatever became of its file."""
    kept: Obj = {k: v for k, v in record.items() if not isinstance(v, int) or v >= 0}
    for key, default in (("pid", 0), ("ticks", 0), ("code", 137), ("started", now)):
        if not isinstance(kept.get(key), int):
            kept[key] = default
    if not isinstance(kept.get("finished"), int):
        kept.pop("state", None)
    return kept


def _failures_before(records: Mapping[int, Obj], newest: int) -> int:
    """How many runs in a row were short before this one: the pause after it goes on growing."""
    number = newest - 1
    while number in records:
        record = records[number]
        if record["started"] + STABLE_NS <= (record.get("finished") or record["started"]):
            return newest - 1 - number
        number -= 1
    return newest  # older records are dropped in a crash loop


def _end(slot: Slot, name: str, number: int, record: Obj, now: int) -> Exited:
    if record.get("state") != "exited":
        kill_run(record["pid"], record["ticks"], slot.uid)
        end = {"state": "exited", "code": 137, "signal": 9, "finished": now, "lost": True}
        record = {**record, **end}
        with contextlib.suppress(OSError):  # a full disk: told all the same
            write_json(slot.files.record(name, number), record)
    is_odd = record["finished"] > now  # the clock went back since
    return exited_of(slot, name, number, record, now if is_odd else 0)
