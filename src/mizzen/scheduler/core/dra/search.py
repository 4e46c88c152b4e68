"""Upstream's search, answer for answer: the first full solution in a fixed order, or why not.

Requests in order, alternatives in order, devices in order, combinations within a request (the
stable allocator tries permutations, the first of which to fit is in order, too); what was chosen is taken back when it leads nowhere. Over 32 results for a claim it goes back to the
last alternative that may be smaller. Quirks of the three upstream allocators are kept (see
`Features.variant`, `constraints`, `counters`).
Source: k8s.io/dynamic-resource-allocation/structured/internal allocateOne, allocateDevice, v0.36.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mizzen.scheduler.core.dra.capacity import Consumption
from mizzen.scheduler.core.dra.constraints import Tracker
from mizzen.scheduler.core.dra.counters import Ledger
from mizzen.scheduler.core.dra.model import AllocationError, DeviceId
from mizzen.scheduler.core.dra.requests import RESULTS_MAX, Alternative, Board, Candidate

Order = Callable[["Search", Alternative], Sequence[Candidate]]  # which devices to try, best first


class SearchTooLong(Exception):
    """The search gave up; what it looked at so far did not fit."""


class ResultsExceeded(Exception):
    """No choice below keeps the claim within its results; a smaller alternative above may."""


@dataclass(slots=True)
class Choice:
    """A device chosen for a request, and all that must be undone to take it back."""

    alternative: Alternative
    candidate: Candidate
    consumed: Consumption | None = None  # of a share
    charged: bool = False  # counters were taken
    was_shared: bool = False  # another share of this search came first


@dataclass(slots=True)
class Search:
    """One search; its lists are the path from the root.

    Devices are tried in upstream's order, or in that of `order`, which a request asks once.
    """

    board: Board
    constraints: list[list[Tracker]]  # per claim
    ledger: Ledger
    steps_max: int
    order: Order | None = None
    steps: int = 0
    chosen: list[list[Choice]] = field(default_factory=list[list[Choice]])  # per claim
    selected: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    _users: dict[DeviceId, set[int]] = field(default_factory=dict[DeviceId, set[int]])
    _taken: dict[DeviceId, dict[str, int]] = field(default_factory=dict[DeviceId, dict[str, int]])

    def run(self) -> bool:
        """True if a solution was found; it stands in `chosen` then.

        Errors: AllocationError as upstream; SearchTooLong after `steps_max` devices tried.
        """
        self.chosen = [[] for _ in self.board.claims]
        try:
            return self._claim(0)
        except RecursionError as error:
            raise SearchTooLong from error
        except ResultsExceeded as error:
            raise AllocationError(
                f"the claim needs more than {RESULTS_MAX} devices whatever is chosen"
            ) from error

    # -- claims and requests ------------------------------------------------------------

    def _claim(self, claim: int) -> bool:
        return claim >= len(self.board.claims) or self._request(claim, 0)

    def _request(self, claim: int, request: int) -> bool:
        slots = self.board.slots[claim]
        if request >= len(slots):
            try:
                return self._claim(claim + 1)
            except ResultsExceeded:
                return False
        alternatives = slots[request]
        if not alternatives[0].request.is_list:
            return self._try(alternatives[0], request)
        only_exceeded = True
        for index, alternative in enumerate(alternatives):
            try:
                found = self._try(alternative, request)
            except ResultsExceeded:
                continue
            only_exceeded = False
            if found:
                self.selected[claim, request] = index
                return True
        if only_exceeded:
            raise ResultsExceeded
        return False

    # -- devices of one request -----------------------------------------------------------

    def _try(self, alternative: Alternative, request: int) -> bool:
        if alternative.every is not None:
            return bool(alternative.every) and self._fill(
                alternative, request, alternative.every, 0, 0
            )
        among = self.board.candidates if self.order is None else self.order(self, alternative)
        return self._fill(alternative, request, among, 0, 0)

    def _fill(
        self,
        alternative: Alternative,
        request: int,
        among: Sequence[Candidate],
        have: int,
        start: int,
    ) -> bool:
        """The rest of this request from candidate `start` on, then all that follows."""
        if have >= alternative.count:
            return self._request(alternative.claim, request + 1)
        if len(self.chosen[alternative.claim]) + alternative.count - have > RESULTS_MAX:
            raise ResultsExceeded
        if alternative.every is not None:
            return self._fill_with(alternative, request, among, have, have, must=True)
        # Upstream looks at every device, and so meets its errors; orders of ours need not.
        end = len(among) if self.order is None else len(among) - (alternative.count - have) + 1
        for index in range(start, end):
            if self._may_take(alternative, among[index]) and self._fill_with(
                alternative, request, among, have, index, must=False
            ):
                return True
        return False

    def _fill_with(
        self,
        alternative: Alternative,
        request: int,
        among: Sequence[Candidate],
        have: int,
        index: int,
        *,
        must: bool,
    ) -> bool:
        choice = self._take(alternative, among[index], must)
        if choice is None:
            return False
        done = False
        try:
            done = self._fill(alternative, request, among, have + 1, index + 1)
        finally:
            if not done:
                self._take_back(choice)
        return done

    def _may_take(self, alternative: Alternative, candidate: Candidate) -> bool:
        self.steps += 1
        if self.steps > self.steps_max:
            raise SearchTooLong
        if not self.is_free(alternative, candidate.device.id):
            return False
        return self.board.matches(alternative, candidate) and self._has_capacity(
            alternative, candidate
        )

    # -- one device -----------------------------------------------------------------------

    def is_free(self, alternative: Alternative, device: DeviceId) -> bool:
        """True if nobody stands in the way of this request, counters and capacity aside."""
        if alternative.sub.admin:
            return alternative.claim not in self._users.get(device, ())
        return not self._in_use(device)

    def taken_of(self, device: DeviceId) -> dict[str, int] | None:
        """This search's share of a shared device, in billionths; None if it has none."""
        return self._taken.get(device)

    def _in_use(self, device: DeviceId) -> bool:
        return device in self.board.held.devices or bool(self._users.get(device))

    def _has_capacity(self, alternative: Alternative, candidate: Candidate) -> bool:
        return self.board.matching.fits(
            alternative.sub, candidate.device, self.board.held, self._taken
        )

    def _take(self, alternative: Alternative, candidate: Candidate, must: bool) -> Choice | None:
        board, device = self.board, candidate.device
        shares = board.features.consumable and device.shape.allows_sharing
        if alternative.sub.admin:
            if not shares and alternative.claim in self._users.get(device.id, ()):
                return None
        elif self._in_use(device.id):
            return None
        choice = Choice(alternative, candidate)
        if device.shape.consumes:
            if not board.features.partitions:
                return None
            is_shared = device.id in board.held.consumed or device.id in self._taken
            if not (shares and is_shared):
                if not self.ledger.take(device, candidate.pool):
                    return None
                choice.charged = True
        if board.matching.repels(device, alternative.sub):
            self._give_back_counters(choice)
            return None
        if not self._constrain(choice):
            self._give_back_counters(choice)
            if must and self.order is None:
                raise AllocationError(
                    f"claim #{alternative.claim}, request {alternative.sub.name}: cannot add device {device.id} "
                    "because a constraint of the claim would not be satisfied"
                )
            return None
        if not self._has_capacity(alternative, candidate):
            self._release(choice)
            return None
        if shares:
            self._share(choice)
        else:
            self._users.setdefault(device.id, set()).add(alternative.claim)
        self.chosen[alternative.claim].append(choice)
        return choice

    def _share(self, choice: Choice) -> None:
        device = choice.candidate.device
        choice.consumed = self.board.matching.consumption(choice.alternative.sub, device)
        choice.was_shared = device.id in self._taken
        taken = self._taken.setdefault(device.id, {})
        for name, amount, _ in choice.consumed.nano if choice.consumed else ():
            taken[name] = taken.get(name, 0) + amount

    def _constrain(self, choice: Choice) -> bool:
        """Adds the device to all constraints of its claim, or to none."""
        alternative, device = choice.alternative, choice.candidate.device
        trackers = self.constraints[alternative.claim]
        for index, tracker in enumerate(trackers):
            if not tracker.add(alternative.base_name, alternative.sub_name, device):
                for added in reversed(trackers[:index]):
                    added.remove(alternative.base_name, alternative.sub_name)
                return False
        return True

    def _take_back(self, choice: Choice) -> None:
        alternative, device = choice.alternative, choice.candidate.device
        self.chosen[alternative.claim].pop()
        if choice.consumed is None:
            self._users[device.id].discard(alternative.claim)
        else:
            taken = self._taken[device.id]
            for name, amount, _ in choice.consumed.nano:
                taken[name] -= amount
            if not choice.was_shared and not any(taken.values()):
                del self._taken[device.id]
        self._release(choice)

    def _release(self, choice: Choice) -> None:
        alternative = choice.alternative
        for tracker in reversed(self.constraints[alternative.claim]):
            tracker.remove(alternative.base_name, alternative.sub_name)
        self._give_back_counters(choice)

    def _give_back_counters(self, choice: Choice) -> None:
        if choice.charged:
            self.ledger.give_back(choice.candidate.device, choice.candidate.pool)
