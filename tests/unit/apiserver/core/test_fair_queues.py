"""Seats are lent and kept, flows take turns, and nobody waits behind a greedy one."""

from __future__ import annotations

from mizzen.apiserver.core.fair_queues import FairQueues, LevelLimits, Ticket, dealt
from mizzen.apiserver.core.work_estimate import ONE, Work

LOW = LevelLimits(50, lendable_percent=50, queues=64, hand_size=6, queue_length=50)


def queues(seats: int = 10, **levels: LevelLimits) -> FairQueues:
    made = FairQueues(seats)
    made.configure(levels or {"low": LOW})
    return made


def take(
    made: FairQueues, count: int, level: str = "low", flow: str = "greedy", work: Work = ONE
) -> list[Ticket]:
    tickets = [made.arrive(level, flow, 0.0, work) for _ in range(count)]
    return [ticket for ticket in tickets if ticket is not None]


def end(made: FairQueues, ticket: Ticket, now_s: float) -> list[Ticket]:
    """Those whose turn it is once the request is over."""
    made.served(ticket, now_s)
    return made.finish(ticket, now_s)


def started(tickets: list[Ticket]) -> list[Ticket]:
    return [ticket for ticket in tickets if ticket.started_s is not None]


def test_requests_start_as_long_as_there_are_seats_and_then_in_order() -> None:
    made = queues(seats=2)
    first, second, third, fourth = take(made, 4)
    assert started([first, second, third, fourth]) == [first, second]
    third_flow = [third, fourth]
    assert end(made, second, 1.0)[0] in third_flow
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
        running = end(made, running, now)[0]
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
        running = end(made, running, now)[0]
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
    assert end(made, started(greedy)[0], 1.0) == [boss[0]], "before those that wait for longer"


def test_who_gives_up_is_forgotten_and_levels_may_go() -> None:
    made = queues(1)
    running, waiting, last = take(made, 3)
    assert made.give_up(waiting, 0.0) == []
    made.configure({"other": LOW})
    assert end(made, running, 1.0) == [last]
    assert end(made, last, 2.0) == []
    made.configure({"other": LOW})
    assert list(made.statistics()) == ["other"]


def test_a_wide_request_takes_its_seats_and_waits_until_it_has_them() -> None:
    made = queues(10, low=LevelLimits(1, queues=1, queue_length=50))
    narrow = take(made, 8)
    wide = take(made, 1, work=Work(seats=4))[0]
    later = take(made, 1)[0]
    assert wide.started_s is None and later.started_s is None, "or it would never have four"
    assert end(made, narrow[0], 1.0) == []
    assert end(made, narrow[1], 1.0) == [wide]
    assert made.statistics()["low"]["executing"] == 10
    assert end(made, wide, 2.0) == [later]
    assert made.statistics()["low"]["executing"] == 7


def test_who_waited_for_a_wide_request_alone_starts_when_it_gives_up() -> None:
    made = queues(10, low=LevelLimits(1, queues=1, queue_length=50))
    take(made, 8)
    wide, later = take(made, 1, work=Work(seats=4))[0], take(made, 1)[0]
    assert made.give_up(wide, 1.0) == [later]


def test_wide_requests_of_a_greedy_flow_count_by_their_seats() -> None:
    made = queues(8, low=LevelLimits(1, queues=64, hand_size=6, queue_length=50))
    running = take(made, 2, work=Work(seats=4))
    take(made, 200, work=Work(seats=4))
    modest = take(made, 4, flow="modest")
    order: list[Ticket] = []
    now = 0.0
    while running and len(order) < 12:
        now += 0.01
        found = end(made, running.pop(0), now)
        running += found
        order += found
    places = [order.index(ticket) for ticket in modest]
    assert max(places) <= 6, places


def test_seats_are_kept_until_the_watches_have_been_told() -> None:
    made = queues(4, low=LevelLimits(1, queues=1, queue_length=50))
    told = take(made, 1, work=Work(1, 4, 0.05))[0]
    waiting = take(made, 1)[0]
    made.served(told, 1.0)
    assert waiting.started_s is None and made.statistics()["low"]["executing"] == 4
    assert made.finish(told, 1.05) == [waiting]


def test_no_request_is_wider_than_its_level() -> None:
    made = queues(10, low=LOW, high=LevelLimits(50, hand_size=2))
    assert made.seats_max("low") == 1, "a fifth of one of six"
    assert queues(600).seats_max("low") == 90 and made.seats_max("high") == 1
    wide = take(made, 1, work=Work(seats=40))[0]
    assert wide.started_s is not None and wide.seats == 5


def test_hands_are_different_numbers_and_the_flows_own() -> None:
    hand = dealt("x", 64, 6)
    assert len(set(hand)) == 6 and all(0 <= card < 64 for card in hand)
    assert dealt("x", 64, 6) == hand != dealt("y", 64, 6)
    shared = sum(set(dealt(f"flow {n}", 64, 6)) <= set(hand) for n in range(2000))
    assert shared == 0 and dealt("x", 3, 6) in (
        [a, b, c] for a in range(3) for b in range(3) for c in range(3)
    )
