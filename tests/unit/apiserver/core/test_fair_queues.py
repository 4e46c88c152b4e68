"""Seats are lent and kept, flows take turns, and nobody waits behind a greedy one."""

from __future__ import annotations

from mizzen.apiserver.core.fair_queues import FairQueues, LevelLimits, Ticket, dealt

LOW = LevelLimits(50, lendable_percent=50, queues=64, hand_size=6, queue_length=50)


def queues(seats: int = 10, **levels: LevelLimits) -> FairQueues:
    made = FairQueues(seats)
    made.configure(levels or {"low": LOW})
    return made


def take(made: FairQueues, count: int, level: str = "low", flow: str = "greedy") -> list[Ticket]:
    tickets = [made.arrive(level, flow, 0.0) for _ in range(count)]
    return [ticket for ticket in tickets if ticket is not None]


def started(tickets: list[Ticket]) -> list[Ticket]:
    return [ticket for ticket in tickets if ticket.started_s is not None]


def test_requests_start_as_long_as_there_are_seats_and_then_in_order() -> None:
    made = queues(seats=2)
    first, second, third, fourth = take(made, 4)
    assert started([first, second, third, fourth]) == [first, second]
    third_flow = [third, fourth]
    assert made.finish(second, 1.0)[0] in third_flow
    assert made.statistics()["low"] == {"executing": 2, "waiting": 1, "rejected": 0, "seats": 2}


def test_a_modest_flow_passes_a_greedy_one() -> None:
    made = queues(seats=1)
    running = take(made, 1)[0]
    greedy = take(made, 200)
    modest = take(made, 2, flow="modest")
    order: list[Ticket] = []
    now = 0.0
    while len(order) < 20:
        now += 0.01
        running = made.finish(running, now)[0]
        order.append(running)
    assert modest[0] in order[:8] and modest[1] in order[:15], "one hand has six queues"
    assert sum(ticket in greedy for ticket in order) == 18


def test_turns_count_by_time_not_by_number() -> None:
    """A flow of slow requests gets fewer of them served than one of quick ones."""
    one = LevelLimits(1, queues=2, hand_size=1, queue_length=500)
    flows = sorted(("a", "b", "c", "d"), key=lambda flow: dealt(flow, 2, 1))
    slow, quick = flows[0], flows[-1]
    assert dealt(slow, 2, 1) != dealt(quick, 2, 1)
    made = queues(1, low=one)
    running = take(made, 1)[0]
    slow_ones, quick_ones = take(made, 300, flow=slow), take(made, 300, flow=quick)
    now, served = 0.0, {slow: 0, quick: 0}
    for _ in range(200):
        is_slow = running in slow_ones
        now += 0.09 if is_slow else 0.01
        running = made.finish(running, now)[0]
        served[slow if running in slow_ones else quick] += 1
    assert running in slow_ones or running in quick_ones
    assert 6 < served[quick] / served[slow] < 12


def test_what_has_no_room_to_wait_is_refused() -> None:
    made = queues(1, low=LevelLimits(1, queues=1, hand_size=1, queue_length=2))
    tickets = [made.arrive("low", "x", 0.0) for _ in range(5)]
    assert [ticket is None for ticket in tickets] == [False, False, False, True, True]
    assert made.statistics()["low"]["rejected"] == 2
    none = queues(1, low=LevelLimits(1))
    assert none.arrive("low", "x", 0.0) is not None and none.arrive("low", "x", 0.0) is None


def test_seats_are_borrowed_but_what_is_not_lent_stays() -> None:
    made = queues(10, low=LOW, high=LevelLimits(50, lendable_percent=40, queues=1, queue_length=9))
    assert len(started(take(made, 20))) == 7, "5 of its own and 2 of 5 that the other lends"
    assert len(started(take(made, 9, "high", "boss"))) == 3, "its own that it did not lend"
    capped = queues(10, low=LevelLimits(50, borrowing_percent=20), high=LevelLimits(50, 100))
    assert len(started(take(capped, 20))) == 6


def test_lent_seats_come_back_first() -> None:
    made = queues(10, low=LOW, high=LevelLimits(50, lendable_percent=100, queues=1, queue_length=9))
    greedy = take(made, 30)
    assert len(started(greedy)) == 10
    boss = take(made, 2, "high", "boss")
    assert not started(boss)
    assert made.finish(started(greedy)[0], 1.0) == [boss[0]], "before those that wait for longer"


def test_who_gives_up_is_forgotten_and_levels_may_go() -> None:
    made = queues(1)
    running, waiting, last = take(made, 3)
    made.give_up(waiting)
    made.configure({"other": LOW})
    assert made.finish(running, 1.0) == [last]
    assert made.finish(last, 2.0) == []
    made.configure({"other": LOW})
    assert list(made.statistics()) == ["other"]


def test_hands_are_different_numbers_and_the_flows_own() -> None:
    hand = dealt("x", 64, 6)
    assert len(set(hand)) == 6 and all(0 <= card < 64 for card in hand)
    assert dealt("x", 64, 6) == hand != dealt("y", 64, 6)
    shared = sum(set(dealt(f"flow {n}", 64, 6)) <= set(hand) for n in range(2000))
    assert shared == 0 and dealt("x", 3, 6) in (
        [a, b, c] for a in range(3) for b in range(3) for c in range(3)
    )
