"""Controller, agent and workers of one gang together, through random histories of faults.

The controller's and the agent's decisions are the real ones; workers are played by the rules of
`base/segment.py`. Whatever is killed, evicted or deleted when, the job completes once that ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mizzen.base.segment import FLAG_STOP, Control, RankState
from mizzen.controllers.core import formation
from mizzen.controllers.core.formation import Rank
from mizzen.node.core import gang as core
from mizzen.node.core.gang import Gang, Member, RankView

pytestmark = pytest.mark.slow


TICK = 10_000_000  # ns
GRACE = 3_000  # ticks: 30 s, more than any history has, so nothing is saved by the end of a grace
STEPS = 60
NOTHING = Control(0, 0)
PATIENCE = 600  # ticks after the last fault


@dataclass
class Worker:
    uid: str
    awaits: int
    state: int = RankState.STARTING
    generation: int = 0  # as its word says
    joining: Control | None = None  # it has read rank 0's word and connects
    size: int = 0
    reforming: bool = False
    exports: int = 3  # ticks between the last step and exit 0


@dataclass
class World:
    wish: int
    minimum: int
    ranks: dict[int, Rank] = field(default_factory=dict[int, Rank])
    workers: dict[int, Worker] = field(default_factory=dict[int, Worker])
    gang: Gang = field(default_factory=lambda: Gang(max_failures=1000))
    control: Control = NOTHING
    formed: Control = NOTHING
    leave: tuple[int, int] = (0, 0)
    capacity: int = 3
    now: int = 1
    steps: int = 0
    made: int = 0
    seen: list[Rank] = field(default_factory=list[Rank])  # the controller's cache
    is_complete: bool = False
    undone: list[core.Command] = field(default_factory=list[core.Command])
    is_carrying: bool = False

    # -- the controller, on a cache that may lag ----------------------------------------------

    def controls(self) -> None:
        ranks = self.seen
        if formation.is_complete(ranks, self.minimum):
            self.is_complete = True
            return
        finishing = formation.is_finishing(ranks, self.minimum)
        if not finishing:
            for rank in ranks:
                if rank.is_finished and self._is(rank):
                    self.forget(rank.rank)
            for number in range(self.wish):
                if number not in {r.rank for r in ranks} and number not in self.ranks:
                    self.made += 1
                    self.ranks[number] = Rank(number, f"p{number}", f"u{self.made}")
        new = formation.next_formation(ranks, self.minimum)
        notified = formation.pods_to_notify(ranks, new) if new else []
        if new is None or not all(self._is(rank) for rank in notified):
            return  # nothing due, or refused as a whole
        for rank in notified:
            now = self.ranks[rank.rank]
            self.ranks[rank.rank] = replace(now, generation=new.generation, size=new.size)
        for _ in notified:
            self.carry(core.on_formation(self.gang, (new.generation, new.size), self.now))

    def _is(self, rank: Rank) -> bool:
        return rank.rank in self.ranks and self.ranks[rank.rank].uid == rank.uid

    # -- the scheduler ---------------------------------------------------------------------------

    def schedules(self) -> None:
        bound = [r for r in self.ranks.values() if r.is_bound and not r.is_finished]
        stay = sorted(r.rank for r in bound if not r.is_terminating)
        while len(stay) > self.capacity:
            gone = stay if len(stay) <= self.minimum else [stay[-1]]
            for number in list(gone):
                self.delete(number)
                stay.remove(number)
        ready: list[int] = []
        for number in range(self.wish):
            rank = self.ranks.get(number)
            if rank is None or rank.is_terminating:
                break
            if not rank.is_bound:
                ready.append(number)
        room = self.capacity - len(bound)
        if len(stay) + min(len(ready), room) >= self.minimum:
            for number in ready[: max(room, 0)]:
                self.ranks[number] = replace(self.ranks[number], is_bound=True, phase="Running")
                self.gang.members[number] = Member(number, self.ranks[number].uid)
                self.spawn(number)

    # -- the agent ---------------------------------------------------------------------------------

    def spawn(self, number: int) -> None:
        uid = self.ranks[number].uid
        awaits, commands = core.on_spawn(self.gang, uid, self.now)
        self.workers[number] = Worker(uid, awaits)
        self.ranks[number] = replace(self.ranks[number], awaits=awaits, is_join_ready=False)
        self.carry(commands)

    def delete(self, number: int) -> None:
        rank = self.ranks.get(number)
        if rank is None:
            return
        self.ranks[number] = replace(rank, is_terminating=True)
        member = self.gang.members.get(number)
        if member is not None:
            member.is_terminating = True
            self.carry(core.on_formation(self.gang, (rank.generation, rank.size), self.now))
        self.sweep(number)

    def sweep(self, number: int) -> None:
        """A deleted pod without process is gone."""
        rank = self.ranks.get(number)
        if rank is not None and rank.is_terminating and number not in self.workers:
            self.forget(number)

    def forget(self, number: int) -> None:
        self.ranks.pop(number)
        self.gang.members.pop(number, None)
        if self.gang.round is not None:
            self.gang.round.ranks.discard(number)

    def ends(self, number: int, code: int) -> None:
        worker = self.workers.pop(number, None)
        if worker is None:
            return
        member = self.gang.members[number]
        member.view = RankView(worker.state, worker.generation, self.steps, STEPS, 1)
        if code == 0 and not member.is_terminating and core.is_premature(self.gang, member):
            code = 1
        rank = self.ranks[number]
        if code == 0:
            self.ranks[number] = replace(rank, phase="Succeeded")
        self.gang.formed = self.formed.generation
        for other, member in self.gang.members.items():
            if other in self.workers:
                member.view = self.view(other)
        self.carry(core.on_exit(self.gang, worker.uid, code, "", self.now))
        self.sweep(number)

    def view(self, number: int) -> RankView:
        worker = self.workers[number]
        return RankView(worker.state, worker.generation, self.steps, STEPS, 1)

    def looks(self) -> None:
        self.gang.formed = self.formed.generation
        views = {number: self.view(number) for number in self.workers}
        self.carry(core.on_rank_views(self.gang, views, self.now))

    def carry(self, commands: list[core.Command]) -> None:
        """Does one after the other: what follows from one waits until those before it are done."""
        self.undone += commands
        if self.is_carrying:
            return
        self.is_carrying = True
        while self.undone:
            command = self.undone.pop(0)
            if isinstance(command, core.SetControl):
                self.control = Control(command.generation, command.size, command.flags)
                continue
            number = next((n for n, r in self.ranks.items() if r.uid == command.uid), None)
            assert not isinstance(command, core.Hung | core.Fail), command
            if number is None:
                continue
            if isinstance(command, core.Kill):
                self.ends(number, 137)
            elif isinstance(command, core.Ready):
                self.ranks[number] = replace(self.ranks[number], is_join_ready=True)
            elif isinstance(command, core.Restart):
                self.spawn(number)
        self.is_carrying = False

    # -- the workers ------------------------------------------------------------------------------------

    def works(self, number: int) -> None:
        worker = self.workers.get(number)
        if worker is None:
            return
        if worker.state == RankState.STARTING:
            worker.state = RankState.AWAITING
        elif worker.state == RankState.FINISHED:
            worker.exports -= 1
            if worker.exports <= 0:
                self.ends(number, 0)
        elif worker.state == RankState.LEFT:
            self.ends(number, 0)
        elif worker.state == RankState.AWAITING or worker.reforming:
            self.joins(number, worker)
        elif number == 0:
            self.trains(worker)

    def joins(self, number: int, worker: Worker) -> None:
        if worker.joining is not None:
            self.connects(worker.joining)
            return
        least = max(worker.awaits, worker.generation + 1)
        formed = self.reads(number, worker, least)
        if formed is None or formed.generation < least:
            return
        if formed.size > number:
            worker.joining = formed
        elif worker.generation or formed.flags & FLAG_STOP:
            worker.state, worker.reforming = RankState.LEFT, False

    def reads(self, number: int, worker: Worker, least: int) -> Control | None:
        stop = bool(self.control.flags & FLAG_STOP)
        if number == 0:
            if stop:
                generation = max(self.control.generation, least)
                self.formed = Control(generation, 0, FLAG_STOP)
            elif self.control.generation >= least:
                self.formed = self.control
            else:
                return None
            return self.formed
        if stop and not worker.generation:
            return Control(least, 0, FLAG_STOP)
        return Control(self.formed.generation, self.formed.size)

    def connects(self, formed: Control) -> None:
        """A barrier: all of the formation or nobody."""
        team = [self.workers.get(number) for number in range(formed.size)]
        if all(w is not None and w.joining == formed for w in team):
            for worker in team:
                assert worker is not None
                worker.state, worker.generation = RankState.JOINED, formed.generation
                worker.size, worker.joining, worker.reforming = formed.size, None, False

    def trains(self, lead: Worker) -> None:
        team = [self.workers.get(number) for number in range(lead.size)]
        if any(w is None or w.generation != lead.generation or w.reforming for w in team):
            return  # somebody is dead: the collective hangs
        is_last = self.steps + 1 >= STEPS
        leaves = self.leave[0] > lead.generation and self.steps >= self.leave[1]
        self.steps += self.steps < STEPS
        change = self.control.generation > lead.generation or self.control.flags & FLAG_STOP
        if change and self.leave[0] <= lead.generation:
            self.leave = (lead.generation + 1, self.steps)
            leaves = lead.size == 1
        for worker in team:
            assert worker is not None
            if is_last:
                worker.state = RankState.FINISHED
            else:
                worker.reforming = leaves

    # -- time ---------------------------------------------------------------------------------------------

    def tick(self, is_lagging: bool) -> None:
        self.now += TICK
        self.schedules()
        for number in sorted(self.workers):
            self.works(number)
        self.looks()
        if not is_lagging:
            self.seen = list(self.ranks.values())
        self.controls()

    def fault(self, kind: str, number: int) -> None:
        if kind == "kill":
            self.ends(number, 137)
        elif kind == "delete":
            self.delete(number)
        elif kind == "room":
            self.capacity = number + 1


faults = st.lists(
    st.tuples(
        st.integers(0, 12),  # ticks before it
        st.sampled_from(["kill", "delete", "room", "room"]),
        st.integers(0, 2),
        st.booleans(),  # the controller's cache stands still meanwhile
    ),
    max_size=8,
)


LATER = (2, "delete", 1, False)


@settings(max_examples=200, deadline=None)
@given(faults, st.integers(1, 3))
@example([(1, "delete", 2, False), (1, "delete", 0, False), (0, "kill", 1, False), LATER], 1)
@example([(2, "kill", 2, True), (1, "delete", 1, False), (1, "kill", 1, False)], 1)
@example([(2, "kill", 2, False), (1, "delete", 1, False), (1, "kill", 0, False)], 1)
def test_every_history_ends_in_completion(history, minimum):
    world = World(wish=3, minimum=minimum)
    for ticks, kind, number, is_lagging in history:
        for _ in range(ticks):
            world.tick(is_lagging)
            if world.is_complete:
                return
        world.fault(kind, number)
    world.capacity = 3
    for _ in range(PATIENCE):
        world.tick(False)
        if world.is_complete:
            assert world.steps == STEPS
            return
    raise AssertionError(f"stuck: {world}")


@pytest.mark.parametrize("minimum", [1, 3])
@pytest.mark.parametrize("lasts", [(3, 3, 3), (12, 1, 1), (1, 12, 4)])  # what follows the last step
@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("second", range(3))
def test_who_is_killed_after_the_last_step_ends_well_all_the_same(first, second, lasts, minimum):
    for before in range(4):
        for between in range(14):
            world = World(wish=3, minimum=minimum)
            while not any(w.state == RankState.FINISHED for w in world.workers.values()):
                world.tick(False)
            for number, ticks in enumerate(lasts):
                world.workers[number].exports = ticks
            for _ in range(before):
                world.tick(False)
            world.fault("kill", first)
            for _ in range(between):
                world.tick(False)
            world.fault("kill", second)
            for _ in range(PATIENCE):
                world.tick(False)
            assert world.is_complete, (before, between, world)
