"""Decides whether a request without a free place may wait, and the refusal if not."""

from __future__ import annotations

from math import ceil

from mizzen.base.openai import OpenAIError

RETRY_AFTER_MAX_S = 60


def retry_after_s(queued: int, finished: int, window_s: float) -> int:
    """Seconds until the queue of now is gone at the pace of the last `window_s` seconds."""
    if finished <= 0:
        return min(RETRY_AFTER_MAX_S, max(1, ceil(window_s)))
    return min(RETRY_AFTER_MAX_S, max(1, ceil(queued * window_s / finished)))


def queue_full(model: str, queued: int, bound: int, after_s: int) -> OpenAIError:
    """429: the queue holds as much as it may."""
    return OpenAIError(
        429,
        f'model "{model}": {queued} requests wait already, at most {bound} may; '
        f"try again in {after_s} s",
        code="queue_full",
        retry_after_s=after_s,
    )


def waited_too_long(model: str, waited_s: int, ready: int, why: str, after_s: int) -> OpenAIError:
    """429, with what was in the way: `ready` replicas were busy all the time, or none was ready."""
    if ready:
        return OpenAIError(
            429,
            f'model "{model}": no free place on {ready} ready replicas within {waited_s} s; '
            f"try again in {after_s} s",
            code="queue_timeout",
            retry_after_s=after_s,
        )
    reason = f": {why}" if why else ""
    return OpenAIError(
        429,
        f'model "{model}": no replica became ready within {waited_s} s{reason}',
        code="no_replica_ready",
        retry_after_s=after_s,
    )
