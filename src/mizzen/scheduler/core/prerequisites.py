"""Prerequisites of placing: the members, owners and claims that must be there first."""

from __future__ import annotations

from collections.abc import Callable, Collection

from mizzen.base.objects import Key
from mizzen.base.resources import POD_GROUPS
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions.gang import Refused
from mizzen.scheduler.core.conventions.watched import owner_of
from mizzen.scheduler.core.explaining import reasons as explain
from mizzen.scheduler.core.types import PodSpecView, Unschedulable
from mizzen.scheduler.core.units import Unit


def missing(
    cluster: Cluster,
    unit: Unit,
    promised: Collection[Key],
    is_young: Callable[[PodSpecView], bool],
) -> Unschedulable | None:
    """The first thing without which no place is looked for; None where all of it is there.

    `promised` claims get their devices once somebody has left. A gang that starts waits a moment
    for the claims of its extra members as well, while these are young: growing right after the
    start would cost more than that.
    """
    refused = _refused(cluster, unit)
    if refused is not None:
        return explain.refused(unit.subject, refused, len(cluster.nodes))
    if unit.gang is not None and unit.gang not in cluster.gangs:
        resource, owner = owner_of(unit.gang) or (POD_GROUPS, unit.gang)
        return explain.owner_missing(unit, resource.kind, owner)
    if unit.lacks_members:
        members = cluster.members.get(unit.gang, {}) if unit.gang is not None else {}
        waiting = (p for p in members.values() if not (p.node or p.is_finished or p.is_terminating))
        return explain.lacks_members(unit, [pod for pod in waiting if pod.held_back])
    first = unit.pods[: unit.ready]
    for index, pod in enumerate(first if unit.needed else ()):
        found = missing_claims(cluster, pod, promised)
        if found is not None and (index < unit.needed or is_young(pod)):
            return found
    return None


def missing_claims(
    cluster: Cluster, pod: PodSpecView, promised: Collection[Key]
) -> Unschedulable | None:
    """The first of the pod's claims that nothing can be allocated for yet."""
    subject = f'Pod "{pod.key}"'
    unmade = [c.name for c in pod.claims if c.claim is None and not c.not_needed]
    if unmade:
        return explain.unmade_claims(subject, unmade)
    for entry in pod.claims:
        if entry.claim is None:
            continue
        state = cluster.claims.get(entry.claim)
        claim = state.claim if state is not None else None
        if entry.claim in cluster.unread:
            return explain.selectors_busy(subject)
        if claim is None or claim.is_terminating:
            return explain.missing_claim(subject, entry.claim)
        if entry.claim in promised:
            return explain.promised_claim(subject, entry.claim)
        owner_uid = pod.uid if entry.shared_by is None else entry.shared_by.uid
        if entry.is_generated and claim.owner_uid not in ("", owner_uid):
            return explain.foreign_claim(subject, entry.claim)
    return None


def _refused(cluster: Cluster, unit: Unit) -> Refused | None:
    """The contradiction in what the unit asks for, if there is one."""
    group = cluster.gangs.get(unit.gang) if unit.gang is not None else None
    if group is not None:
        return group.refused
    return next((pod.membership.refused for pod in unit.pods if pod.membership.refused), None)
