"""Decides how many replicas an endpoint needs, from its requests.

Up at once: the request that tips the number is answered sooner. Down only after the lower number
held for the whole delay, and then to the highest that was wanted within it; to zero after a
longer delay. A state is carried from call to call; time is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Policy:
    """`target` requests for each replica; delays in ns."""

    minimum: int
    maximum: int
    target: int
    down_delay_ns: int
    zero_delay_ns: int


@dataclass(frozen=True, slots=True)
class State:
    """`replicas` wanted now; since when fewer would do, and the most wanted since then."""

    replicas: int
    lower_since_ns: int | None = None
    peak: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    in_flight: int
    queued: int

    @property
    def total(self) -> int:
        return self.in_flight + self.queued


def wanted_now(policy: Policy, load: Load) -> int:
    """Replicas that would hold the load at its target, within the endpoint's bounds."""
    ceiling = max(policy.maximum, policy.minimum)
    return max(policy.minimum, min(ceiling, -(-load.total // policy.target)))


def initial(policy: Policy, demand: int | None) -> State:
    """The state to begin with: what was last written, so that a restart writes nothing."""
    ceiling = max(policy.maximum, policy.minimum)
    return State(max(policy.minimum, min(ceiling, demand or 0)))


def decide(policy: Policy, state: State, load: Load, now_ns: int) -> State:
    """The next state; a write is due when its `replicas` differ from the old one's."""
    wanted = wanted_now(policy, load)
    if wanted >= state.replicas:
        return State(wanted)
    if state.replicas > max(policy.maximum, policy.minimum):
        return State(wanted)  # the endpoint's bounds were lowered: no delay applies
    if state.lower_since_ns is None:
        state = replace(state, lower_since_ns=now_ns, peak=wanted)
    else:
        state = replace(state, peak=max(state.peak, wanted))
    due = due_ns(policy, state)
    if due is None or now_ns < due:
        return state
    if state.peak == 0 and state.replicas > 1:
        # Fewer at once, none only after the longer delay, which began at the same moment.
        return State(1, state.lower_since_ns, 0)
    if state.peak > wanted:
        return State(state.peak, now_ns, wanted)
    return State(state.peak)


def due_ns(policy: Policy, state: State) -> int | None:
    """The time at which to call `decide` again if nothing happens before; None: never."""
    if state.lower_since_ns is None:
        return None
    to_zero = state.peak == 0 and state.replicas == 1
    delay = max(policy.zero_delay_ns, policy.down_delay_ns) if to_zero else policy.down_delay_ns
    return state.lower_since_ns + delay


def cause(policy: Policy, load: Load, request: str, *, rises: bool) -> str:
    """One sentence that travels with the demand to `mizzen why`."""
    count = load.total
    noun = "request" if count == 1 else "requests"
    text = f"{count} {noun} in flight against {policy.target} per replica"
    if rises:
        return f"{text}; tipped by request {request}" if request else text
    return f"{text}, and no more for long enough"
