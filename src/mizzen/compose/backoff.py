"""The delay before a role that died is started again."""

from __future__ import annotations

_FIRST_S = 0.1
_LONGEST_S = 30.0
_STEADY_S = 60.0


def next_delay_s(previous_s: float, uptime_s: float) -> float:
    """0.1 s, doubling to 30 s; back to 0.1 s for a role that had run for a minute.

    `previous_s` is the delay before the run that just ended, 0 for its first run.
    """
    if uptime_s >= _STEADY_S or previous_s == 0:
        return _FIRST_S
    return min(previous_s * 2, _LONGEST_S)
