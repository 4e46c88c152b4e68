"""Queue policies are found by being there."""

from __future__ import annotations

from mizzen.scheduler.core.conventions.watched import OPTIONAL
from mizzen.scheduler.core.queue import priority
from mizzen.scheduler.queue_policies import optional_kinds, queue_policies


def test_policies_are_found_and_the_default_comes_last() -> None:
    found = queue_policies()
    assert found[-1] is priority.POLICY
    assert len({policy.name for policy in found}) == len(found)


def test_what_policies_read_is_followed() -> None:
    kinds = optional_kinds()
    assert set(kinds) >= {
        *OPTIONAL,
        *(kind for policy in queue_policies() for kind in policy.reads),
    }
    assert len(set(kinds)) == len(kinds)
