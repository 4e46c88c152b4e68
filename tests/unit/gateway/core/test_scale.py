from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.gateway.core.scale import Load, Policy, State, cause, decide, due_ns, initial

S = 1_000_000_000
POLICY = Policy(minimum=1, maximum=4, target=8, down_delay_ns=30 * S, zero_delay_ns=300 * S)
TO_ZERO = Policy(minimum=0, maximum=4, target=8, down_delay_ns=30 * S, zero_delay_ns=300 * S)


def test_up_at_once() -> None:
    assert decide(POLICY, State(1), Load(8, 0), 0).replicas == 1
    assert decide(POLICY, State(1), Load(8, 1), 0).replicas == 2
    assert decide(POLICY, State(1), Load(100, 0), 0).replicas == 4


def test_down_only_after_the_delay() -> None:
    state = decide(POLICY, State(3), Load(1, 0), 0)
    assert state.replicas == 3
    assert due_ns(POLICY, state) == 30 * S
    assert decide(POLICY, state, Load(1, 0), 30 * S - 1).replicas == 3
    assert decide(POLICY, state, Load(1, 0), 30 * S).replicas == 1


def test_down_to_the_most_wanted_within_the_delay() -> None:
    state = decide(POLICY, State(4), Load(1, 0), 0)
    state = decide(POLICY, state, Load(12, 0), 10 * S)
    state = decide(POLICY, state, Load(1, 0), 30 * S)
    assert state.replicas == 2
    assert decide(POLICY, state, Load(1, 0), 60 * S).replicas == 1


def test_a_new_burst_ends_the_wait() -> None:
    state = decide(POLICY, State(2), Load(1, 0), 0)
    state = decide(POLICY, state, Load(9, 0), 10 * S)
    assert due_ns(POLICY, state) is None


def test_to_zero_after_its_own_delay_and_back_at_once() -> None:
    state = decide(TO_ZERO, State(3), Load(0, 0), 0)
    state = decide(TO_ZERO, state, Load(0, 0), 30 * S)
    assert state.replicas == 1
    assert due_ns(TO_ZERO, state) == 300 * S
    assert decide(TO_ZERO, state, Load(0, 0), 299 * S).replicas == 1
    state = decide(TO_ZERO, state, Load(0, 0), 300 * S)
    assert state == State(0)
    assert decide(TO_ZERO, state, Load(0, 1), 301 * S).replicas == 1


def test_bounds_that_were_lowered_apply_at_once() -> None:
    lowered = Policy(1, 2, 8, 30 * S, 300 * S)
    assert decide(lowered, State(4), Load(99, 0), 0).replicas == 2


def test_begins_where_the_last_one_ended() -> None:
    assert initial(POLICY, None) == State(1)
    assert initial(POLICY, 3) == State(3)
    assert initial(POLICY, 99) == State(4)
    assert initial(TO_ZERO, None) == State(0)


def test_the_cause_counts_and_names() -> None:
    text = cause(POLICY, Load(16, 3), "r1", rises=True)
    assert text == "19 requests in flight against 8 per replica; tipped by request r1"
    assert cause(POLICY, Load(1, 0), "", rises=False).startswith("1 request in flight")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40 * S)), max_size=40))
def test_never_outside_the_bounds_and_never_below_the_load(
    events: list[tuple[int, int]],
) -> None:
    state, now = State(0), 0
    for total, passed in events:
        now += passed
        state = decide(TO_ZERO, state, Load(total, 0), now)
        assert 0 <= state.replicas <= 4
        assert state.replicas >= min(4, -(-total // 8))
