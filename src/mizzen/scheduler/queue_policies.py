"""The queue policies there are, and the kinds that the scheduler follows for them."""

from __future__ import annotations

from mizzen.base.registry import collect
from mizzen.base.resources import Resource
from mizzen.scheduler.core.conventions.watched import OPTIONAL
from mizzen.scheduler.core.queue import priority
from mizzen.scheduler.core.queue.policy import QueuePolicy


def queue_policies() -> tuple[QueuePolicy, ...]:
    """Every module of `core.queue` with a `POLICY`, in name order; the default comes last."""
    found: list[QueuePolicy] = [p for _, p in collect(f"{__package__}.core.queue", "POLICY")]
    return tuple(sorted(found, key=lambda policy: policy is priority.POLICY))


def optional_kinds() -> tuple[Resource, ...]:
    """Kinds that a CustomResourceDefinition may bring: those of gangs, topologies and queues."""
    read = (kind for policy in queue_policies() for kind in policy.reads)
    return tuple(dict.fromkeys((*OPTIONAL, *read)))
