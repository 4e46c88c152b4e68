from __future__ import annotations

from mizzen.gateway.core.admit import queue_full, retry_after_s, waited_too_long


def test_retry_after_follows_the_pace() -> None:
    assert retry_after_s(queued=10, finished=5, window_s=2.0) == 4
    assert retry_after_s(queued=1, finished=64, window_s=0.1) == 1
    assert retry_after_s(queued=1000, finished=1, window_s=10) == 60
    assert retry_after_s(queued=3, finished=0, window_s=1) == 1


def test_messages_say_what_was_seen_and_allowed() -> None:
    error = queue_full("tiny", 256, 256, 3)
    assert (error.status, error.headers()) == (429, {"Retry-After": "3"})
    assert "256 requests wait already, at most 256 may" in error.message


def test_busy_replicas_and_missing_ones_differ() -> None:
    assert waited_too_long("tiny", 60, 2, "", 1).status == 429
    missing = waited_too_long("tiny", 60, 0, "0/1 nodes fit", 1)
    assert missing.status == 429
    assert missing.message.endswith("within 60 s: 0/1 nodes fit")
