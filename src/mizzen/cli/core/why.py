"""`mizzen why`: how an object came to be as it is, and what would change it.

The chain is read, not guessed: from the store's history (who wrote what), from conditions and
from Events, of the object, of what it owns (pods, claims, pod group; also those deleted since)
and of what owns it. Every decision in Mizzen carries its reason; here they only meet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mizzen.base.clock import parse_rfc3339
from mizzen.base.names import CAUSE, FORMATION_SIZE, IDENTITY_PREFIX, UNSCHEDULABLE
from mizzen.base.objects import (
    Obj,
    annotations_of,
    is_terminating,
    name_of,
    uid_of,
)
from mizzen.base.reading import entries, number, part, text

# Every container has these of its node; what they follow from has links of its own.
_ROUTINE = frozenset({"Pulling", "Pulled", "Created", "Started", "Killing"})
_QUIET = frozenset({"Lease", "Event", "ResourceSlice", "UsageRecord"})
# Conditions that follow from others and explain nothing by themselves.
_DERIVED = frozenset({"ContainersReady", "Initialized", "PodReadyToStartContainers"})
_DERIVED_REASONS = frozenset({"ContainersNotReady", "PodCompleted", "NotWaiting"})


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the history: `object` as written; its last form where it is `gone`."""

    revision: int
    time_ns: int
    identity: str
    verb: str
    object: Obj
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain: what happened to which object, by whom, and why it says."""

    time_ns: int
    subject: str
    what: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Members that wait for the same, and the scheduler's record of why.

    `record` is the annotation `mizzen.dev/unschedulable`, {} where none was written.
    """

    who: tuple[str, ...]
    sentence: str
    record: Obj

    @property
    def reasons(self) -> tuple[str, ...]:
        """`480 nodes  InsufficientDevices: …`, a line each, the most frequent first."""
        listed = entries(self.record, "reasons")
        shown = [f"{number(r, 'nodes')}" for r in listed]
        wide = max((len(text) for text in shown), default=0)
        return tuple(
            f"{count:>{wide}} node{'s'[: count != '1']}  {text(r, 'reason')}: {text(r, 'message')}"
            for count, r in zip(shown, listed, strict=True)
        )

    @property
    def changes(self) -> tuple[str, ...]:
        """The changes that would place them, smallest first; untried ones say so."""
        return tuple(
            text(c, "message") + ("" if c.get("verified") else " (not tried)")
            for c in entries(self.record, "changes")
        )


@dataclass(frozen=True, slots=True)
class Explanation:
    chain: tuple[Link, ...]  # oldest first
    waiting: tuple[str, ...]  # what is pending and why
    change: tuple[str, ...]  # what would change that
    unplaced: tuple[Unplaced, ...] = ()  # the same, as the scheduler recorded it


def explain(
    target: Obj, objects: Sequence[Obj], history: Sequence[Change], events: Sequence[Obj]
) -> Explanation:
    """The chain of causes of `target`, without duplicates.

    `objects`: what exists now in its namespace; `history`: oldest first, may begin late.
    """
    family = _family(target, [*objects, *(change.object for change in history)])
    seen: dict[str, Obj] = {}
    links: list[Link] = []
    for change in history:
        uid = uid_of(change.object)
        if uid in family and change.object.get("kind") not in _QUIET:
            links += _links_of_change(change, seen.get(uid))
            seen[uid] = change.object
    for obj in objects:
        if uid_of(obj) in family and uid_of(obj) not in seen:
            links += _links_of_object(obj)
    # An Event says its seconds; the history says exactly when it was written.
    written = {uid_of(c.object): c.time_ns for c in history if c.object.get("kind") == "Event"}
    told = {(link.subject, link.what.split(": ", 1)[-1]) for link in links}
    for event in events:
        if text(event, "involvedObject", "uid") in family and not _is_routine(event):
            link = _link_of_event(event, written.get(uid_of(event), 0))
            if (link.subject, text(event, "message")) not in told:
                links.append(link)
    links.sort(key=lambda link: link.time_ns)
    present = {uid_of(obj): obj for obj in objects if uid_of(obj) in family}
    pending = _pending(present.values(), "PodScheduled") or _pending([target], "PodGroupScheduled")
    return Explanation(
        _without_repeats(links),
        _grouped((who, reason) for who, reason, _ in pending),
        tuple(dict.fromkeys(change for _, _, change in pending if change)),
        _unplaced(present.values()),
    )


def _is_routine(event: Obj) -> bool:
    return event.get("type") == "Normal" and event.get("reason") in _ROUTINE


def _family(target: Obj, objects: Sequence[Obj]) -> set[str]:
    """The uids of the target, of all it owns (and those own), and of its owners."""
    owners: dict[str, set[str]] = {}
    for obj in objects:
        for reference in entries(obj, "metadata", "ownerReferences"):
            owners.setdefault(uid_of(obj), set()).add(text(reference, "uid"))
    family = {uid_of(target)}
    grown = True
    while grown:
        members = {uid for uid, above in owners.items() if above & family}
        grown = not members <= family
        family |= members
    above = owners.get(uid_of(target), set())
    while above - family:
        family |= above
        above = set[str]().union(*(owners.get(uid, set()) for uid in above))
    return family


def _links_of_change(change: Change, before: Obj | None) -> list[Link]:
    obj = change.object
    by = change.identity.removeprefix(IDENTITY_PREFIX)
    subject = _subject(obj)

    def link(what: str) -> Link:
        return Link(change.time_ns, subject, what, by)

    if change.gone:
        return [
            link("gone" if is_terminating(before or _nothing()) else _with_cause("deleted", obj))
        ]
    links: list[Link] = []
    if before is None and number(obj, "metadata", "generation") <= 1 and _is_new(change, obj):
        links.append(link(_with_cause("created", obj)))
    elif not is_terminating(obj) and annotations_of(obj).get(CAUSE, "") not in (
        "",
        annotations_of(before or {}).get(CAUSE),
    ):
        links.append(link(f"cause: {annotations_of(obj)[CAUSE]}"))
    links += [link(what) for what in _changed_facts(obj, before or _nothing())]
    return links


def _is_new(change: Change, obj: Obj) -> bool:
    return change.verb.lower() in ("create", "created", "added", "post", "plan", "commit") or (
        number(obj, "metadata", "resourceVersion") == change.revision and not obj.get("status")
    )


def _nothing() -> Obj:
    return {"metadata": {}}


def _changed_facts(obj: Obj, before: Obj) -> list[str]:
    facts: list[str] = []
    old_conditions = {text(c, "type"): c for c in entries(before, "status", "conditions")}
    for entry in _informative_conditions(obj):
        old = old_conditions.get(text(entry, "type"), {})
        if any(text(entry, key) != text(old, key) for key in ("status", "reason", "message")):
            facts.append(_condition_text(entry))
    if text(obj, "spec", "nodeName") != text(before, "spec", "nodeName"):
        facts.append(f"bound to node {text(obj, 'spec', 'nodeName')}")
    size = annotations_of(obj).get(FORMATION_SIZE, "")
    if size and size != annotations_of(before).get(FORMATION_SIZE):
        facts.append(f"belongs to a formation of {size}")
    if text(obj, "status", "phase") not in ("", "Pending", text(before, "status", "phase")):
        facts.append(f"is {text(obj, 'status', 'phase')}{_how_it_ended(obj)}")
    demand = part(obj, "status", "demand")
    if demand and demand.get("replicas") != part(before, "status", "demand").get("replicas"):
        facts.append(f"demand for {number(demand, 'replicas')} replicas: {text(demand, 'cause')}")
    devices = _devices(obj)
    if devices and devices != _devices(before):
        facts.append(f"allocated {', '.join(devices)}")
    if is_terminating(obj) and not is_terminating(before):
        facts.append(_with_cause("asked to stop", obj))
    return facts


def _informative_conditions(obj: Obj) -> list[Obj]:
    return [
        entry
        for entry in entries(obj, "status", "conditions")
        if text(entry, "type") not in _DERIVED and text(entry, "reason") not in _DERIVED_REASONS
    ]


def _how_it_ended(pod: Obj) -> str:
    """How the pod's containers ended, with messages; "" while they run."""
    ends: list[str] = []
    for container in entries(pod, "status", "containerStatuses"):
        ended = part(container, "state", "terminated")
        if ended:
            how = f"exit code {number(ended, 'exitCode')}"
            if number(ended, "signal"):
                how = f"signal {number(ended, 'signal')}"
            ends.append(f"{text(container, 'name')} ended with {how}")
    ends += [
        said for said in (text(pod, "status", "reason"), text(pod, "status", "message")) if said
    ]
    return f": {'; '.join(ends)}" if ends else ""


def _devices(obj: Obj) -> list[str]:
    results = entries(obj, "status", "allocation", "devices", "results")
    return [text(result, "device") for result in results]


def _links_of_object(obj: Obj) -> list[Link]:
    """An object whose history is gone: what it says about itself."""
    subject = _subject(obj)
    created = parse_rfc3339(text(obj, "metadata", "creationTimestamp"))
    links = [Link(created, subject, _with_cause("created", obj))]
    for entry in _informative_conditions(obj):
        when = _time(entry, "lastTransitionTime") or created
        links.append(Link(when, subject, _condition_text(entry)))
    return links


def _link_of_event(event: Obj, written_ns: int) -> Link:
    involved = part(event, "involvedObject")
    count = number(event, "count")
    times = f" ({count} times)" if count > 1 else ""
    when = (
        written_ns
        or _time(event, "lastTimestamp")
        or _time(event, "eventTime")
        or _time(part(event, "metadata"), "creationTimestamp")
    )
    return Link(
        when,
        f"{text(involved, 'kind').lower()}/{text(involved, 'name')}",
        f"{text(event, 'reason')}: {text(event, 'message')}{times}",
        (text(event, "source", "component") or text(event, "reportingComponent")).removeprefix(
            "mizzen-"
        ),
    )


def _condition_text(entry: Obj) -> str:
    kind = text(entry, "type") if text(entry, "status") == "True" else f"not {text(entry, 'type')}"
    reason, message = text(entry, "reason"), text(entry, "message")
    head = f"{kind} ({reason})" if reason and reason != text(entry, "type") else kind
    return f"{head}: {message}" if message else head


def _with_cause(what: str, obj: Obj) -> str:
    cause = annotations_of(obj).get(CAUSE)
    return f"{what}: {cause}" if cause else what


def _pending(family: Iterable[Obj], condition: str) -> list[tuple[str, str, str]]:
    """(who, why it waits, what would change it) of every member whose `condition` is False."""
    found: list[tuple[str, str, str]] = []
    for obj in family:
        for entry in entries(obj, "status", "conditions"):
            if text(entry, "type") == condition and text(entry, "status") == "False":
                reason, _, change = text(entry, "message").rpartition("; ")
                found.append((_subject(obj), reason or change, change if reason else ""))
        if condition == "PodScheduled" and _is_unseen(obj):
            found.append((_subject(obj), *_no_scheduler_yet(text(obj, "spec", "schedulerName"))))
    return found


def _no_scheduler_yet(scheduler: str) -> tuple[str, str]:
    if scheduler in ("", "default-scheduler", "mizzen"):
        return "the scheduler has said nothing of it yet", "`mizzen status` says whether it runs"
    text = f'scheduler "{scheduler}", which is not Mizzen\'s, has said nothing of it yet'
    return text, "start that scheduler, or leave spec.schedulerName out"


def _is_unseen(obj: Obj) -> bool:
    """A pod without a node of which no scheduler has said anything."""
    heard = any(
        text(entry, "type") == "PodScheduled" for entry in entries(obj, "status", "conditions")
    )
    is_over = is_terminating(obj) or text(obj, "status", "phase") not in ("", "Pending")
    return obj.get("kind") == "Pod" and not (heard or is_over or text(obj, "spec", "nodeName"))


def _unplaced(family: Iterable[Obj]) -> tuple[Unplaced, ...]:
    """The records of members that still wait; equal ones together."""
    members: dict[tuple[str, str], list[str]] = {}
    for obj in family:
        written = annotations_of(obj).get(UNSCHEDULABLE, "")
        for entry in entries(obj, "status", "conditions"):
            waits = text(entry, "type") == "PodScheduled" and text(entry, "status") == "False"
            if waits and written:
                members.setdefault((text(entry, "message"), written), []).append(_subject(obj))
    return tuple(
        Unplaced(tuple(who), sentence, _read_record(written))
        for (sentence, written), who in members.items()
    )


def _read_record(written: str) -> Obj:
    """The JSON object, {} for invalid JSON: any client may write annotations."""
    try:
        return part({"record": json.loads(written)}, "record")
    except ValueError:
        return {}


def _grouped(waiting: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Members that wait for the same are named together."""
    members: dict[str, list[str]] = {}
    for who, reason in waiting:
        members.setdefault(reason, []).append(who)
    return tuple(
        f"{who[0]}{f' and {len(who) - 1} more' if len(who) > 1 else ''}: {reason}"
        for reason, who in members.items()
    )


def _without_repeats(links: Iterable[Link]) -> tuple[Link, ...]:
    kept: list[Link] = []
    last: dict[str, str] = {}
    for link in links:
        if last.get(link.subject) != link.what:
            kept.append(link)
        last[link.subject] = link.what
    return tuple(kept)


def _subject(obj: Obj) -> str:
    return f"{str(obj.get('kind')).lower()}/{name_of(obj)}"


def _time(obj: Mapping[str, object], field: str) -> int:
    value = obj.get(field)
    return parse_rfc3339(str(value)) if value else 0
