"""Reasons for waiting, as values and as sentences, with what would change them.

The sentence is the message of the pod's `PodScheduled` condition; `mizzen why` prints it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.base.objects import Key
from mizzen.scheduler.core.conventions.gang import Refused
from mizzen.scheduler.core.dra.allocate import Shortage
from mizzen.scheduler.core.explaining.changes import Change, Relax, amount, named
from mizzen.scheduler.core.explaining.scattered import Scattered
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.types import PodSpecView, Reason, Unschedulable
from mizzen.scheduler.core.units import Unit

Misfits = Sequence[tuple[Misfit, int]]  # with how many nodes each

REASONS_MAX = 8  # told apart; what few nodes lack is counted together beyond


def message(why: Unschedulable) -> str:
    """`0/1 nodes fit Pod "a/b": <reasons>; <change>`."""
    reasons = ", ".join(reason.detail for reason in why.reasons)
    head = f"{why.subject}: {reasons}"
    if not (why.is_transient or why.is_held):
        head = f"0/{why.nodes} nodes fit {why.subject}: {reasons}"
    change = changes_sentence(why.changes)
    return f"{head}; {change}" if change else head


def changes_sentence(changes: Sequence[Change]) -> str:
    """The smallest change, and the one after it where that asks for nothing but a constraint."""
    if not changes:
        return ""
    text = changes[0].sentence
    if len(changes) > 1 and isinstance(changes[1], Relax):
        text = f"{text}, or {changes[1].sentence.removeprefix('it fits ')}"
    return text.replace("; ", ", ")


def no_fit(
    subject: str,
    nodes: int,
    misfits: Misfits,
    changes: Sequence[Change] = (),
    domains: Scattered | None = None,
    free: int = 0,
) -> Unschedulable:
    """All nodes' misfits grouped by what they lack, the most frequent first.

    `domains` says what the domains of a required level have; `free` how many devices are free on
    all nodes together, for a pod that finds too few on each.
    """
    grouped: dict[tuple[str, str], list[tuple[Misfit, int]]] = {}
    for misfit, count in misfits:
        grouped.setdefault((misfit.word, misfit.what), []).append((misfit, count))
    reasons = [
        _reason(word, group, alone=nodes == 1, domains=domains, free=free)
        for (word, _), group in grouped.items()
    ]
    reasons = reasons or [Reason("NoNodes", 0, "there are no nodes")]
    reasons.sort(key=lambda r: (-r.nodes, r.word, r.detail))
    return Unschedulable(subject, nodes, tuple(_bounded(reasons)), tuple(changes))


def _bounded(reasons: list[Reason]) -> list[Reason]:
    if len(reasons) <= REASONS_MAX:
        return reasons
    kept, rest = reasons[: REASONS_MAX - 1], reasons[REASONS_MAX - 1 :]
    nodes = sum(reason.nodes for reason in rest)
    return [*kept, Reason("Other", nodes, f"{_nodes(nodes)} for {len(rest)} other reasons")]


def _reason(
    word: str, group: Misfits, *, alone: bool, domains: Scattered | None, free: int
) -> Reason:
    count = sum(number for _, number in group)
    first = group[0][0]
    if word == "DomainTooSmall" and domains is not None:
        figures = [
            ("level", domains.level),
            ("domains", domains.domains),
            ("domain", domains.best),
            ("membersThere", domains.room),
            ("membersAnywhere", domains.anywhere),
        ]
        if domains.want:
            figures += [
                ("want", domains.want),
                ("freeThere", domains.free_best),
                ("free", domains.free),
            ]
        return Reason(word, count, domains.sentence, tuple(figures))
    detail = _detail(group, alone=alone)
    if first.shortage is not None:
        shortages = [m.shortage for m, _ in group if m.shortage]
        best = most_free(shortages)
        most = best.matching - best.in_use
        figures = [("deviceClass", best.device_class), ("want", best.want), ("mostFree", most)]
        if free >= best.want and not alone and most < best.want and best.matching >= best.want:
            figures.append(("free", free))
            detail = f"{detail.removesuffix(')')}; {free} free in all, scattered)"
        return Reason(word, count, detail.replace("; ", ", "), tuple(figures))
    most = max(m.have for m, _ in group)
    what = (("what", first.what),) if first.what and first.what != detail else ()
    amounts = (("want", first.want), ("mostFree", most)) if first.want else ()
    if word == "DomainHeld":
        amounts = (("domains", first.want),)
    return Reason(word, count, detail, (*what, *amounts))


def waiting(subject: str, word: str, detail: str) -> Unschedulable:
    """Something that is about to be made is missing; said only if it stays missing."""
    return Unschedulable(subject, 0, (Reason(word, 0, detail),), is_transient=True)


def lacks_members(unit: Unit, held_back: Sequence[PodSpecView] = ()) -> Unschedulable:
    """`held_back`: members that are there, and that something keeps from being placed."""
    if unit.short_of and unit.ready >= unit.needed:
        text = f'subgroup "{unit.short_of}" has fewer members than it needs to start with'
        return waiting(unit.subject, "GangIncomplete", f"{text}; create the others")
    have = unit.staying + unit.ready
    text = f"{have} of the {unit.expected} members it needs (minCount) are there to be placed"
    if held_back:
        who = named([pod.key for pod in held_back])
        by = ", ".join(dict.fromkeys(pod.held_back for pod in held_back))
        verb = "is" if len(held_back) == 1 else "are"
        then = f"it starts when {who}, which {verb} held back by {by}, may be placed"
    elif unit.ready < len(unit.pods):
        then = "it starts when the others exist with contiguous ranks from 0"
    else:
        then = "it starts when the others exist"
    return waiting(unit.subject, "GangIncomplete", f"{text}; {then}")


def owner_missing(unit: Unit, kind: str, owner: Key) -> Unschedulable:
    """The object that says how large a gang is does not exist."""
    return waiting(unit.subject, f"{kind}Missing", f'{kind} "{owner}" does not exist; create it')


def refused(subject: str, why: Refused, nodes: int) -> Unschedulable:
    """The request contradicts itself, or the cluster: no wait helps."""
    return Unschedulable(subject, nodes, (Reason(why.word, nodes, why.sentence),))


def held(subject: str, reason: Reason) -> Unschedulable:
    """Its queue does not admit it yet: no node was asked."""
    return Unschedulable(subject, 0, (reason,), is_held=True)


def broken(subject: str, error: Exception) -> Unschedulable:
    """The scheduler itself failed on it."""
    text = (
        f"the scheduler failed on it ({type(error).__name__}: a bug, its trace is in the "
        "scheduler's log); the others are placed, and it is tried again with every change"
    )
    return Unschedulable(subject, 0, (Reason("SchedulerError", 0, text),))


def rank_gap(subject: str) -> Unschedulable:
    """A member behind one that has no place: ranks stay contiguous."""
    return waiting(
        subject,
        "RankGap",
        "a member of its gang before it has no place yet; ranks get places in order from 0",
    )


def beyond_maximum(subject: str, maximum: int) -> Unschedulable:
    """A member that its gang has no use for now."""
    text = f"its gang runs at most {maximum} members; raise the maximum, or delete this one"
    return waiting(subject, "MaxCountReached", text)


def selectors_busy(subject: str) -> Unschedulable:
    return waiting(
        subject,
        "SelectorsBusy",
        "its device selectors wait for their turn: those of all claims may take the scheduler "
        "about half a second at a time; shorter and cheaper ones are through sooner",
    )


def missing_claim(subject: str, claim: Key) -> Unschedulable:
    return waiting(
        subject,
        "ClaimMissing",
        f'ResourceClaim "{claim}" does not exist or is being deleted; create it',
    )


def foreign_claim(subject: str, claim: Key) -> Unschedulable:
    return waiting(
        subject,
        "ClaimForeign",
        f'ResourceClaim "{claim}" was made for another pod; delete it, its controller makes a new one',
    )


def promised_claim(subject: str, claim: Key) -> Unschedulable:
    return waiting(
        subject,
        "ClaimPromised",
        f'ResourceClaim "{claim}" gets its devices with another pod that shares it, '
        "once those that hold them have left",
    )


def unmade_claims(subject: str, entries: Sequence[str]) -> Unschedulable:
    return waiting(
        subject,
        "ClaimMissing",
        f"its claims {', '.join(entries)} are not made yet; "
        "look for their ResourceClaimTemplates and the resource-claim controller",
    )


def awaits(subject: str, node: str, leaving: Sequence[PodSpecView]) -> str:
    """A pod whose place is being vacated, and whom it waits for."""
    if not leaving:
        return (
            f"{subject} has a place on node {node} and waits for claims no longer used to be freed"
        )
    who = named([pod.key for pod in leaving])
    return f"{subject} has a place on node {node} and waits for {who} to leave"


def awaits_leaving(unit: Unit, leaving: Sequence[PodSpecView]) -> str:
    """A unit that has places, and whom they wait for."""
    if not leaving:
        return f"{unit.subject} has places and waits for claims no longer used to be freed"
    who = named([pod.key for pod in leaving])
    return f"{unit.subject} has places and waits for {who} to leave"


def preempted(unit: Unit, cause: str) -> str:
    """The sentence on a victim: who took its place, and why that one came."""
    text = f"Preempted by {unit.subject.replace(chr(34), '')} (priority {unit.preempting})"
    return f"{text}: {cause}" if cause else text


def _detail(group: Misfits, *, alone: bool) -> str:
    """One phrase for nodes that lack the same; `alone` drops the count where there is one node."""
    first, count = group[0][0], sum(number for _, number in group)
    if first.shortage is not None:
        return _shortage([m.shortage for m, _ in group if m.shortage], count, alone=alone)
    best = max((m for m, _ in group), key=lambda m: m.have)
    figures = f"(want {amount(best.what, best.want)}, most free {amount(best.what, best.have)})"
    match first.word:
        case "InsufficientCPU":
            return f"{_nodes(count)} {_lack(count)} cpu not claimed by others {figures}"
        case "InsufficientResource":
            return f"{_nodes(count)} {_lack(count)} {first.what} {figures}"
        case "TaintNotTolerated":
            return f"{count} tainted {first.what}"
        case "ImagesOfOthers":
            verb = "runs" if count == 1 else "run"
            return f"{count} {verb} no {first.what}, which its images are for"
        case "NodeSelectorMismatch":
            return f"{_nodes(count)} {_lack(count)} label {first.what}"
        case "NodeAffinityMismatch":
            return f"{count} outside the pod's node affinity"
        case "NodeUnschedulable":
            return f"{count} cordoned"
        case "NodeNotReady":
            return f"{count} not ready"
        case "ClaimElsewhere":
            return f"ResourceClaim {first.what} is allocated where {_nodes(count)} cannot reach it"
        case "ClaimShared":
            where = f"where {_nodes(count)} cannot reach it"
            return f"ResourceClaim {first.what}, which others share, would get its devices {where}"
        case "ClaimPromised":
            return f"the devices of ResourceClaim {first.what} are promised to a more important pod"
        case "DomainHeld":
            them = "1 is" if first.want == 1 else f"{first.want} are"
            return f"of the domains of {first.what} with enough room {them} held alone by others"
        case "OtherDomain":
            level = f" of {first.what}" if first.what else ""
            return f"{count} in other domains{level}, where no more of them fit"
        case "DomainTooSmall":
            return (
                f"no domain of {first.what} has room for all its members (want {best.want}, "
                f"the best takes {best.have})"
            )
        case "HostPortTaken":
            return (
                f"{_nodes(count)} {'has' if count == 1 else 'have'} host port {first.what} in use"
            )
        case "TopologyLabelMissing":
            return f"{_nodes(count)} {_lack(count)} label {first.what}, which its constraints name"
        case "TopologySpread":
            return f"{count} would break its spread over {first.what}"
        case "PodAffinity":
            return f"{count} not in one {first.what} with the pods that it must be near"
        case "PodAntiAffinity":
            return f"{count} in one {first.what} with pods that it must not be near"
        case "PodAntiAffinityOfOthers":
            return f"{count} in one {first.what} with pods that must not have it near"
        case "ClaimFull":
            return f"ResourceClaim {first.what} is shared by {first.have} pods, the most allowed"
        case _:
            return first.what


def most_free(group: Sequence[Shortage]) -> Shortage:
    """The one whose figures are told of them all, whichever order the nodes are known in."""
    return max(
        group,
        key=lambda s: (
            s.matching - s.in_use,
            s.matching,
            s.of_class,
            s.sub.name if s.sub else "",
            s.problem,
        ),
    )


def _shortage(group: Sequence[Shortage], count: int, *, alone: bool) -> str:
    best = most_free(group)
    free = best.matching - best.in_use
    if best.matching == 0 and best.of_class:
        return f"none of {best.of_class} devices of class {best.device_class} match the selectors"
    if best.matching == 0:
        return f"there are no devices of class {best.device_class} (want {best.want})"
    if alone:
        free_text = "none" if free == 0 else str(free)
        return (
            f"{best.in_use} of {best.matching} devices of class {best.device_class} are in use, "
            f"{free_text} free (want {best.want})"
        )
    return (
        f"{_nodes(count)} {_lack(count)} devices of class {best.device_class} "
        f"(want {best.want}, most free {free})"
    )


def _nodes(count: int) -> str:
    return f"{count} node" if count == 1 else f"{count} nodes"


def _lack(count: int) -> str:
    return "lacks" if count == 1 else "lack"
