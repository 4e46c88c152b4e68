"""Turns what happened to a pod's runs while no agent looked into events for its machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from mizzen.base.objects import Obj
from mizzen.node.core.events import Adopted, AdoptedRun, Event, Exited, Started
from mizzen.node.core.pod import STABLE_NS
from mizzen.node.podfiles import write_json
from mizzen.node.runtimes.interface import split_key
from mizzen.node.slot import INTERRUPTED, Slot, exited_of

_TIME_NS_MAX = (1 << 63) - 1
_MOST = {
    "code": 255, "signal": 64, "started": _TIME_NS_MAX, "finished": _TIME_NS_MAX,
}  # fmt: skip


def restore(slot: Slot, now: int) -> list[Event]:
    """Adopts the pod's runs: their newest numbers, then how each is; [] when none was begun.

    What its runtime holds runs, whatever became of its record: the pod may have removed its folder,
    or the disk was full. A run that was begun, has not ended by its record and that nobody holds is
    lost: it is killed and counts as ended with code 137.
    """
    adopted: list[AdoptedRun] = []
    events: list[Event] = []
    running = slot.runtime.running
    for run in slot.state.containers:
        live = _live(slot.uid, run.name, running)
        records = {n: _sound(r, now) for n, r in slot.files.runs(run.name).items()}
        if not records and not live:
            continue
        number = max(live or records)
        record = records.get(number) or _sound({}, now)
        if live:
            event = Started(run.name, number, live[number], record["started"])
        else:
            event = _end(slot, run.name, number, record, now)
        is_interrupted = isinstance(event, Exited) and event.reason == INTERRUPTED
        failures = 0 if is_interrupted else _failures_before(records, number)
        before = records.get(number - 1) or {}
        is_ended = before.get("state") == "exited"
        last = exited_of(slot, run.name, number - 1, before) if is_ended else None
        adopted.append(AdoptedRun(run.name, number, last, failures))
        events.append(event)
    return [Adopted(tuple(adopted)), *events] if adopted else []


def _live(uid: str, name: str, running: Mapping[str, str]) -> dict[int, str]:
    """Id by number of a container's runs that its runtime holds."""
    found: dict[int, str] = {}
    for key, id in running.items():
        whose, container, number, what = split_key(key)
        if (whose, container, what) == (uid, name, ""):
            found[number] = id
    return found


def end_of(slot: Slot, name: str, number: int, now: int) -> Exited:
    """The end of a run that its runtime does not hold any more, by its record."""
    record = slot.files.runs(name).get(number)  # none where the disk was full
    return _end(slot, name, number, _sound(record or {}, now), now)


def _sound(record: Obj, now: int) -> Obj:
    """The record with whole numbers where they belong, whatever became of its file."""
    kept: Obj = {k: v for k, v in record.items() if k not in _MOST or _is_sound(v, _MOST[k])}
    for key, default in (("code", 137), ("started", now)):
        kept.setdefault(key, default)
    if "finished" not in kept:
        kept.pop("state", None)
    return kept


def _is_sound(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _failures_before(records: Mapping[int, Obj], newest: int) -> int:
    """The number of short runs in a row before this one: the back-off goes on growing."""
    number = newest - 1
    while number in records:
        record = records[number]
        if record["started"] + STABLE_NS <= (record.get("finished") or record["started"]):
            return newest - 1 - number
        number -= 1
    return newest  # older records are dropped in a crash loop


def _end(slot: Slot, name: str, number: int, record: Obj, now: int) -> Exited:
    if record.get("state") != "exited":
        slot.runtime.kill_lost(slot.uid, record)
        end = {"state": "exited", "code": 137, "signal": 9, "finished": now, "lost": True}
        record = {**record, **end}
        with contextlib.suppress(OSError):  # a full disk: told all the same
            write_json(slot.files.record(name, number), record)
    is_odd = record["finished"] > now  # the clock went back since
    return exited_of(slot, name, number, record, now if is_odd else 0)
