"""Refused clients stay away for longer while many are refused, and then for shorter again."""

from __future__ import annotations

from mizzen.apiserver.core.retry_after import RETRY_AFTER_S_MAX, RetryAfter


def told(retry_after: RetryAfter, second: int, refusals: int) -> int:
    return [retry_after.refused(second) for _ in range(refusals)][-1]


def test_a_few_refusals_change_nothing() -> None:
    retry_after = RetryAfter()
    assert [told(retry_after, second, 1) for second in range(100, 110)] == [1] * 10


def test_many_double_it_up_to_a_bound_and_no_faster_than_clients_come_back() -> None:
    retry_after = RetryAfter()
    seen = [told(retry_after, second, 200) for second in range(100, 200)]
    assert sorted(set(seen)) == [1, 2, 4, 8, 16, 32] and seen[-1] == RETRY_AFTER_S_MAX
    assert seen == sorted(seen)
    for seconds in (4, 8, 16):
        assert seen.count(seconds) >= seconds


def test_it_comes_down_once_few_are_refused() -> None:
    retry_after = RetryAfter()
    for second in range(100, 110):
        told(retry_after, second, 200)
    high = retry_after.seconds
    later = [told(retry_after, 200 + second, 1) for second in range(0, 200, 20)]
    assert high >= 4 and later[0] == high - 1 and later[-1] == 1
