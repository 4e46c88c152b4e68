"""The gang of a TrainJob on this node: who runs together, who must die together.

Pure: it is shown the pods, the rank files and the ends of processes, and answers with
commands. ARCHITECTURE.md, "Elastic gangs", and `base/segment.py` say the rules it follows.

A *round* is the restart of those that a death takes along: they are killed at once and, when
all are dead, start together as members of a generation that does not exist yet.

A *failure* is one such death by the program's own doing. What Mizzen or the machine brought about
is none (Kubernetes: a disruption), and neither are the deaths of other processes that ran by then:
they went down with it, or for the same reason, whoever finds them later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mizzen.base.segment import FLAG_STOP, RankState

SECOND = 1_000_000_000
BACKOFF_MAX_S = 60
SILENT_NS = 30 * SECOND  # a worker that has not attached by then is not looked at closely any more
SKEW_STEPS_MAX = 1  # between ranks of a formation, which meet in each step
KILLED = 128 + 9  # the code of who was killed by SIGKILL
ENDED = (RankState.LEFT, RankState.FINISHED)


@dataclass(frozen=True, slots=True)
class RankView:
    """The words of a rank file that matter here."""

    state: int = RankState.NONE
    generation: int = 0
    steps_done: int = 0
    steps_total: int = 0
    own_steps: int = 0

    @property
    def is_attached(self) -> bool:
        """True if the program takes part in formations and leaves by their rules. One that does
        not, or not yet, ends like the program of any pod, by SIGTERM and within its pod's grace."""
        return self.state != RankState.NONE or self.generation > 0


@dataclass(slots=True)
class Member:
    """One rank's pod and process."""

    rank: int
    uid: str
    is_live: bool = False
    started_at: int = 0
    is_terminating: bool = False
    is_finished: bool = False
    awaits: int = 0
    offered: int = 0  # the newest generation with it that was wanted since it was spawned
    is_ready: bool = False
    is_killed: bool = False
    run: int = 0  # number of its newest process, by which a later agent knows it
    was_counted: bool = False  # that process is of the time before the newest failure
    view: RankView = RankView()

    @property
    def has_grace(self) -> bool:
        """True if its pod ends it, not the gang."""
        return self.is_terminating and not self.view.is_attached


@dataclass(slots=True)
class Round:
    """Ranks that go down together; `give_up` has the message when they do not come back."""

    ranks: set[int]
    awaits: int
    not_before: int
    give_up: str = ""
    reason: str = "TooManyFailures"


@dataclass(slots=True)
class Gang:
    """The state of one job's gang."""

    generation: int = 0
    size: int = 0
    flags: int = 0
    control_at: int = 0
    formed: int = 0  # the newest generation that rank 0 chose to form
    max_failures: int = 3
    deadline_ns: int = 300 * SECOND
    members: dict[int, Member] = field(default_factory=dict[int, Member])
    failures: int = 0  # in a row without a new step
    last_failure: str = ""  # whose it was and why
    best_step: int = 0  # common steps at the last failure
    common_step: int = 0  # steps done when every rank had completed one in its formation
    steps_done: int = 0
    progress_at: int = 0
    round: Round | None = None

    def of(self, uid: str) -> Member | None:
        return next((m for m in self.members.values() if m.uid == uid), None)

    def is_current(self, member: Member) -> bool:
        """True if the rank belongs to the formation that the control word wants."""
        return member.rank < self.size and 0 < member.awaits <= self.generation

    def may_be_joining(self, member: Member) -> bool:
        """True if others may be assembling with a rank a formation later than any it was in: they
        are to, or were and rank 0 has not formed a later control word without it."""
        lead = self.members.get(0)
        is_leading = lead is not None and lead.is_live and lead.view.state not in ENDED
        is_open = is_leading and self.formed < self.generation
        is_wanted = member.offered > member.view.generation
        return is_wanted and (self.is_current(member) or is_open)

    @property
    def joining(self) -> set[int]:
        """The ranks that may be assembling, or about to."""
        return {m.rank for m in self.members.values() if self.may_be_joining(m)}

    @property
    def live(self) -> list[Member]:
        return [m for m in self.members.values() if m.is_live]


# -- commands -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetControl:
    generation: int
    size: int
    flags: int


@dataclass(frozen=True, slots=True)
class Kill:
    uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class Restart:
    uid: str
    awaits: int
    not_before: int


@dataclass(frozen=True, slots=True)
class Fail:
    uid: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker waits to join: the pod's JoinReady condition becomes true."""

    uid: str


@dataclass(frozen=True, slots=True)
class Hung:
    uid: str
    message: str


Command = SetControl | Kill | Restart | Fail | Ready | Hung


# -- events --------------------------------------------------------------------------------------


def on_formation(gang: Gang, formation: tuple[int, int], at: int) -> list[Command]:
    """A pod carries this (generation, size); newer ones become the control word."""
    generation, size = formation
    if generation > gang.generation and size > 0:
        gang.generation, gang.size, gang.control_at = generation, size, at
        for member in gang.members.values():
            if gang.is_current(member):
                member.offered = generation
        return [SetControl(generation, size, gang.flags), *_advance(gang, at)]
    return _advance(gang, at)


def on_spawn(gang: Gang, uid: str, at: int) -> tuple[int, list[Command]]:
    """A member's process is about to start: the generation it may join, and the flags."""
    member = gang.of(uid)
    assert member is not None, uid
    member.awaits = max(member.awaits, gang.generation + 1)
    member.is_live, member.started_at = True, at
    member.is_ready = member.is_killed = member.is_finished = member.was_counted = False
    member.offered = 0
    member.view = RankView()
    return member.awaits, _advance(gang, at)


def on_rank_views(gang: Gang, views: Mapping[int, RankView], at: int) -> list[Command]:
    """The rank files as they are now."""
    commands: list[Command] = []
    for rank, view in views.items():
        member = gang.members.get(rank)
        if member is None:
            continue
        if view.generation > member.view.generation:
            gang.progress_at = at
        member.view = view
        if view.steps_done > gang.steps_done:
            gang.steps_done, gang.progress_at = view.steps_done, at
        if member.is_live and view.state == RankState.AWAITING and not member.is_ready:
            member.is_ready = True
            commands.append(Ready(member.uid))
    _note_common(gang)
    return commands + _advance(gang, at) + _watch(gang, at)


def on_exit(
    gang: Gang, uid: str, code: int, message: str, at: int, counts: bool = True
) -> list[Command]:
    """A member's process ended; `counts`: by its own fault, as far as it is alone to judge."""
    member = gang.of(uid)
    if member is None or (not member.is_live and not code):
        return []
    joining = gang.joining  # while rank 0, if it is the one that ended, still counts as leading
    member.is_live = False
    gang.steps_done = max([gang.steps_done, *(m.view.steps_done for m in gang.members.values())])
    if code == 0 and not member.is_terminating:
        member.is_finished = True
        return _advance(gang, at)
    if gang.round is not None and member.rank in gang.round.ranks:
        return _advance(gang, at)
    is_own_end = counts and code != KILLED  # after the last step it would only fail again
    if member.view.state == RankState.FINISHED and is_own_end and not member.is_terminating:
        member.is_finished = True
        return [Fail(uid, "FailedAfterTraining", message), *_advance(gang, at)]
    is_apart = member.view.state in ENDED or member.view.generation == 0
    if member.is_terminating and is_apart and member.rank not in joining:
        return _advance(gang, at)
    is_awaited = gang.is_current(member) or member.rank in joining
    if member.view.state == RankState.LEFT and not is_awaited:
        return _rejoin(gang, member, at)
    return _fail(gang, member, joining, message, at, counts) + _advance(gang, at)


def is_premature(gang: Gang, member: Member) -> str:
    """Why a worker that ends with code 0 is not done; "" if it is."""
    lead, view = gang.members.get(0), member.view
    if view.state == RankState.JOINED:
        return f"rank {member.rank} ended in the middle of formation {view.generation}"
    if view.state == RankState.LEFT and not (lead is not None and lead.is_finished):
        return f"rank {member.rank} left its formation and starts anew"
    return ""


def is_watched_closely(gang: Gang, at: int) -> bool:
    """True if a worker is expected to act, so that its file is read often."""
    for member in gang.live:
        state = member.view.state
        fresh = at - member.started_at < SILENT_NS
        if member.is_terminating or (state == RankState.NONE and fresh):
            return True
        if state in (RankState.STARTING, RankState.AWAITING):
            return True
        if state == RankState.JOINED and member.view.generation < gang.generation:
            return True
        if state in ENDED:
            return True
    return False


# -- what follows -----------------------------------------------------------------------------------


def _fail(
    gang: Gang, culprit: Member, joining: set[int], message: str, at: int, counts: bool = True
) -> list[Command]:
    """A death: kills those who hang with it and opens a round, or adds to the open one."""
    fallen = {culprit.rank} | {m.rank for m in _hanging_with(gang, culprit, joining)}
    newest = max([gang.generation, *(gang.members[r].view.generation for r in fallen)])
    _note_common(gang)
    _count(gang, culprit, message, counts)
    pause_s = 0 if gang.failures <= 1 else min(2 ** (gang.failures - 2), BACKOFF_MAX_S)
    if gang.round is None:
        gang.round = Round(fallen, newest + 1, at + pause_s * SECOND)
    else:
        gang.round.ranks |= fallen
        gang.round.not_before = max(gang.round.not_before, at + pause_s * SECOND)
    if gang.failures >= gang.max_failures:
        gang.round.give_up = (
            f"the gang failed {gang.failures} times in a row without a new step, "
            f"at last {gang.last_failure}"
        )
        others = (m for m in gang.members.values() if not (m.is_finished or m.has_grace))
        gang.round.ranks |= {m.rank for m in others}
    reason = f"rank {culprit.rank} of the gang died"
    return [c for r in sorted(gang.round.ranks) for c in _kill(gang.members[r], reason)]


def _count(gang: Gang, culprit: Member, message: str, counts: bool) -> None:
    """The death as a failure, where it is one; a member that is deleted is ended by its pod."""
    if gang.common_step > gang.best_step:
        gang.best_step, gang.failures = gang.common_step, 0
        for member in gang.members.values():
            member.was_counted = False
    if not counts or culprit.was_counted or culprit.is_terminating:
        return
    gang.failures += 1
    gang.last_failure = f"rank {culprit.rank}: {message}"
    for member in gang.members.values():
        member.was_counted = True


def _rejoin(gang: Gang, member: Member, at: int) -> list[Command]:
    """It left at a step boundary since a rank below it was missing: no failure, it starts anew."""
    if gang.round is None:
        gang.round = Round(set(), gang.generation + 1, at)
    gang.round.ranks.add(member.rank)
    return _advance(gang, at)


def _hanging_with(gang: Gang, culprit: Member, joining: set[int]) -> Iterator[Member]:
    """Live members that are in a collective, or about to be, with the dead one. Rank 0 does its
    last step again with all that did theirs: others start anew alone, and leave once it is done."""
    generation = culprit.view.generation
    is_done = culprit.rank == 0 and culprit.view.state == RankState.FINISHED
    ended = (RankState.LEFT,) if is_done else ENDED
    others = [m for m in gang.live if m.rank != culprit.rank and m.view.state not in ended]
    same = [m for m in others if generation and m.view.generation == generation]
    if not culprit.view.is_attached:
        same = [m for m in others if not (m.view.is_attached or m.has_grace)]  # no mizzen.train
    yield from same
    meant = joining | {m.rank for m in gang.members.values() if gang.is_current(m)}
    if culprit.rank in meant or any(gang.is_current(m) for m in same):
        yield from (m for m in others if m.rank in meant and m not in same)


def _kill(member: Member, reason: str) -> list[Command]:
    if not member.is_live or member.is_killed:
        return []
    member.is_killed = True
    return [Kill(member.uid, reason)]


def _advance(gang: Gang, at: int) -> list[Command]:
    commands: list[Command] = []
    for member in gang.live:
        leaving = member.is_terminating or member.rank >= gang.size > 0
        if member.view.state == RankState.LEFT and leaving:
            commands += _kill(member, "left its gang at a step boundary")
        elif member.is_terminating and _never_joined(gang, member):
            commands += _kill(member, "deleted before it joined a formation")
    commands += _stop_or_go(gang)
    if gang.round is not None and not any(
        gang.members[r].is_live for r in gang.round.ranks if r in gang.members
    ):
        commands += _close_round(gang, gang.round)
    return commands


def _never_joined(gang: Gang, member: Member) -> bool:
    """True if it waits for a formation that will not come; a program without any does not."""
    is_waiting = member.view.is_attached and not member.view.generation
    return is_waiting and not gang.may_be_joining(member)


def _stop_or_go(gang: Gang) -> list[Command]:
    """Stops the job when none is left to re-form with: all that run are being deleted, or rank 0
    is done, so that those who came too late to join leave, too, instead of waiting."""
    live = gang.live
    lead = gang.members.get(0)
    is_over = lead is not None and lead.is_finished
    flags = FLAG_STOP if is_over or all(m.is_terminating for m in live) else 0
    if not live or flags == gang.flags & FLAG_STOP:
        return []
    gang.flags = gang.flags & ~FLAG_STOP | flags
    return [SetControl(gang.generation, gang.size, gang.flags)]


def _close_round(gang: Gang, finished: Round) -> list[Command]:
    gang.round = None
    commands: list[Command] = []
    if not finished.give_up and (apart := _apart(gang, finished.ranks)):
        finished.give_up, finished.reason = apart, "RanksOutOfStep"
        finished.ranks |= {m.rank for m in gang.members.values() if not m.is_live}
    for rank in sorted(finished.ranks):
        member = gang.members.get(rank)
        if member is None or member.is_terminating or member.is_finished:
            continue
        if finished.give_up:
            member.is_finished = True
            commands.append(Fail(member.uid, finished.reason, finished.give_up))
        else:
            member.awaits = max(member.awaits, finished.awaits)
            commands.append(Restart(member.uid, member.awaits, finished.not_before))
    return commands


def _note_common(gang: Gang) -> None:
    """Steps count as progress once every rank has completed one in its formation: a rank that
    gets on by one step in each of its lives, while another gets nowhere, brings the job nowhere."""
    newest = max((m.view.generation for m in gang.members.values()), default=0)
    same = [m for m in gang.members.values() if newest and m.view.generation == newest]
    if same and all(m.view.own_steps for m in same):
        gang.common_step = max(gang.common_step, gang.steps_done)


def _apart(gang: Gang, ranks: set[int]) -> str:
    """Why these ranks cannot go on from the newest state of their formation; "" if they can."""
    fallen = {gang.members[r].view.generation for r in ranks if r in gang.members}
    for generation in sorted(fallen - {0}):
        same = [m for m in gang.members.values() if m.view.generation == generation]
        first = max(same, key=lambda m: m.view.own_steps)
        last = min(same, key=lambda m: m.view.own_steps)
        if first.view.own_steps - last.view.own_steps > SKEW_STEPS_MAX:
            return (
                f"rank {first.rank} completed {first.view.own_steps} steps of formation "
                f"{generation} and rank {last.rank} {last.view.own_steps}: the ranks do not compute "
                "in step, so neither has the other's state; every rank is to call world.mean or "
                "world.sum equally often in each step"
            )
    return ""


def _watch(gang: Gang, at: int) -> list[Command]:
    """A worker, or a formation, that makes no progress within the deadline is a failure."""
    if gang.round is not None:
        return []
    for member in sorted(gang.live, key=lambda m: (m.view.generation, m.rank)):
        state = member.view.state
        if state in ENDED or state == RankState.NONE or member.is_killed:
            continue
        if state == RankState.STARTING:
            since, what = member.started_at, "did not get ready to join"
        elif gang.is_current(member) or member.view.generation:
            since = max(gang.progress_at, gang.control_at, member.started_at)
            formed = member.view.generation >= gang.generation
            what = "completed no step" if formed else f"did not form generation {gang.generation}"
        else:
            continue
        lead = gang.members.get(0)
        is_over = lead is not None and lead.is_live and lead.view.state == RankState.FINISHED
        if is_over and not member.view.generation:
            continue  # rank 0 forms nothing any more: whoever waits leaves once it has ended
        if at - since >= gang.deadline_ns:
            text = f"rank {member.rank} {what} within {gang.deadline_ns // SECOND} s"
            return [
                Hung(member.uid, text),
                *_fail(gang, member, gang.joining, text, at),
                *_advance(gang, at),
            ]
    return []
