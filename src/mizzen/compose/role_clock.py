"""One time for all roles of an instance, also for those that are started again.

Were a role that starts after the wall was set back behind those that run on, it would call their
leases expired, or wait out their hour.
"""

from __future__ import annotations

import os

from mizzen.host.clock import RealClock

NOT_BEFORE = "MIZZEN_CLOCK_NOT_BEFORE"  # ns since the epoch: what the supervisor's clock says


def role_clock() -> RealClock:
    """A clock that goes on from the supervisor's."""
    told = os.environ.get(NOT_BEFORE, "")
    return RealClock(int(told) if told.isascii() and told.isdigit() else 0)
