"""The scheduler's decision: the cluster and what waits in it in, a plan out.

Units go by importance. One that fits is bound. One that would fit once those already leaving are
gone waits and keeps its place reserved, so that nobody less important takes what was freed for it,
and no second victim is made for it, not even by a scheduler that has just started. Otherwise
victims are chosen, or the reason written down together with what would change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mizzen.base.objects import Key
from mizzen.base.operations import Operation
from mizzen.scheduler.core import prerequisites, render
from mizzen.scheduler.core.claiming import awaiting
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions import pod_group_status
from mizzen.scheduler.core.conventions.pod_group_status import PodGroupState
from mizzen.scheduler.core.dra.model import SelectorsBusy
from mizzen.scheduler.core.explaining import reasons as explain
from mizzen.scheduler.core.explaining.changes import Change
from mizzen.scheduler.core.explaining.record import record
from mizzen.scheduler.core.explaining.scattered import free_devices, scattered
from mizzen.scheduler.core.explaining.smallest import changes
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.preemption.policy import LOWER_PRIORITY, PreemptionPolicy
from mizzen.scheduler.core.preemption.victims import find_victims
from mizzen.scheduler.core.queue.policy import (
    ADMITTED,
    Admitted,
    Held,
    QueuePolicy,
    Verdicts,
    failed,
)
from mizzen.scheduler.core.queue.priority import POLICY as PRIORITY
from mizzen.scheduler.core.types import (
    Decision,
    Note,
    Placement,
    Plan,
    PodSpecView,
    Unschedulable,
)
from mizzen.scheduler.core.units import Unit, units

TRANSIENT_S = 1.0  # what is missing for less is not written on the object
COMMITTED_S = 0.001  # after which a plan is committed and assumed; asks for another look at once
BUSY_S = 0.1  # after which selectors that have to wait get another turn


def place(what_if: WhatIf, now_ns: int, policies: Sequence[QueuePolicy] = (PRIORITY,)) -> Plan:
    """A decision about every pod that waits, as far as it differs from what its status says.

    The queue policy in force says who may be placed now, and in which order. The cluster is left
    as it was: what is decided enters it once it is written.
    """
    cluster = what_if.cluster
    mark, leaving = what_if.mark(), cluster.leaving
    planner = _Planner(cluster, what_if, Placer(what_if), now_ns, policies)
    decisions: list[Decision] = []
    for unit, verdict in planner.verdicts(units(cluster)):
        decisions += planner.decide(unit, verdict)
    decisions += planner.deserted()
    what_if.rollback(mark)
    cluster.leaving = leaving
    cluster.arrived = []
    return Plan(tuple(decisions), planner.recheck_after_s, tuple(planner.failures))


# What decides whether a pod fits: shape, queue, priority, may preempt, what its neighbours look at.
FitClass = tuple[int, str, int, bool, tuple[object, ...]]


@dataclass(slots=True)
class _Planner:
    cluster: Cluster
    what_if: WhatIf
    placer: Placer
    now_ns: int
    policies: Sequence[QueuePolicy]
    policy: QueuePolicy = PRIORITY  # the one in force, once it was asked for verdicts
    preemption: PreemptionPolicy = LOWER_PRIORITY
    recheck_after_s: float = 0.0
    changes: int = 0
    known_unschedulable: dict[FitClass, Unschedulable] = field(
        default_factory=dict[FitClass, Unschedulable]
    )
    written_claims: set[Key] = field(default_factory=set[Key])  # claims that decisions so far write
    promised_claims: set[Key] = field(default_factory=set[Key])  # allocated once somebody has left
    failures: list[tuple[str, Exception]] = field(default_factory=list[tuple[str, Exception]])

    def verdicts(self, waiting: Sequence[Unit]) -> Verdicts:
        """The policy's, in its order. Where it fails, it is asked about each unit that it has not
        named yet alone: those that it fails on again wait, and the others go on."""
        left = {id(unit): unit for unit in waiting}
        try:
            for unit, verdict in self._ask(waiting):
                left.pop(id(unit), None)
                yield unit, verdict
            return
        except Exception as error:  # noqa: BLE001 - a bug in a policy keeps nobody else waiting
            self.failures.append((f'queue policy "{self.policy.name}"', error))
        for unit in left.values():
            try:
                found = list(self._ask([unit]))
            except Exception as error:  # noqa: BLE001 - as above; logged is the first one
                found = [(unit, failed(self.policy.name, error))]
            yield from found

    def _ask(self, waiting: Sequence[Unit]) -> Verdicts:
        for policy in self.policies:  # the last of them is always in force
            self.policy = policy
            if policy.is_in_force(self.cluster):
                break
        self.preemption = self.policy.preemption(self.cluster)
        yield from self.policy.admit(self.cluster, waiting, self.now_ns)

    def decide(self, unit: Unit, verdict: Admitted | Held = ADMITTED) -> list[Decision]:
        """The unit's decisions; one that breaks the scheduler is told so, and the others go on."""
        self.what_if.begin_unit()
        mark, arrived = self.what_if.mark(), len(self.cluster.arrived)
        leaving = self.cluster.leaving
        try:
            return self._decide_with_status(unit, verdict)
        except Exception as error:  # noqa: BLE001 - a bug stops one unit, reported, not the others
            self.what_if.rollback(mark)
            self.cluster.leaving = leaving
            del self.cluster.arrived[arrived:]
            if isinstance(error, SelectorsBusy):
                self._recheck(BUSY_S)
                return self._refuse(unit.pods, explain.selectors_busy(unit.subject))
            self.failures.append((unit.subject, error))
            return self._refuse(unit.pods, explain.broken(unit.subject, error))

    def _decide_with_status(self, unit: Unit, verdict: Admitted | Held) -> list[Decision]:
        """Its PodGroup, if it has one, learns of the decisions in the same write."""
        decisions = self._hold(unit, verdict) if isinstance(verdict, Held) else self._decide(unit)
        group = self.cluster.pod_groups.get(unit.gang) if unit.gang is not None else None
        if group is None:
            return decisions
        for index, decision in enumerate(decisions):
            patch = self._pod_group_patch(unit, group, decision)
            if patch is not None:
                operations = (*decision.operations, patch)
                return [
                    *decisions[:index],
                    replace(decision, operations=operations),
                    *decisions[index + 1 :],
                ]
        return decisions

    def deserted(self) -> list[Decision]:
        """Groups that say they have places, and of which no member is left."""
        found: list[Decision] = []
        for key in self.cluster.deserted:
            group = self.cluster.pod_groups.get(key)
            if group is not None:
                text = "none of its members is left"
                patch = pod_group_status.unscheduled(group, text, self.now_ns, reason="NoMembers")
                found += [Decision(f'gang "{key}"', (patch,))] if patch is not None else []
        return found

    def _pod_group_patch(
        self, unit: Unit, group: PodGroupState, decision: Decision
    ) -> Operation | None:
        """The PodGroup's status after this decision, if that is news."""
        why = decision.unschedulable
        if decision.placements:
            count = unit.staying + len(decision.placements)
            text = f"{count} members have got places, of at least {unit.expected} needed"
            return pod_group_status.scheduled(group, text, self.now_ns)
        if why is not None and why.subject.startswith(unit.subject):
            return pod_group_status.unscheduled(group, explain.message(why), self.now_ns)
        if decision.awaits:
            return pod_group_status.unscheduled(group, decision.awaits, self.now_ns)
        return None

    def _hold(self, unit: Unit, held: Held) -> list[Decision]:
        """The unit stays in its queue; whatever places were kept for it are not any longer."""
        if held.again_s:
            self._recheck(held.again_s)
        return self._refuse(unit.pods, explain.held(unit.subject, held.reason))

    def _decide(self, unit: Unit) -> list[Decision]:
        if self._rests_on_this_plan(unit):
            return []
        missing = prerequisites.missing(self.cluster, unit, self.promised_claims, self._is_young)
        if missing is not None:
            return self._refuse(unit.pods, missing)
        pause = awaiting.setback(self.cluster, unit.subject, unit.pods, self.now_ns)
        if pause is not None:
            return self._pause(pause)
        needed = unit.pods[: unit.needed]
        fit_class = self._equivalence_class(unit)
        if fit_class is not None and fit_class in self.known_unschedulable:
            return self._refuse(
                unit.pods, replace(self.known_unschedulable[fit_class], subject=unit.subject)
            )
        attempt = self._place(unit, needed)
        if not attempt.fits:
            return self._preempt_or_explain(unit, needed, attempt)
        placements, refusals = self._place_extras(unit, [p.node for p in attempt.placements])
        placements = [*attempt.placements, *placements]
        return [*self._bind(unit, placements), *refusals]

    def _rests_on_this_plan(self, unit: Unit) -> bool:
        """A claim it uses is written by an earlier decision: look again once that is committed."""
        claims = {c.claim for pod in unit.pods for c in pod.claims if c.claim is not None}
        if claims & self.written_claims:
            self._recheck(COMMITTED_S)
            return True
        return False

    def _place(self, unit: Unit, pods: Sequence[PodSpecView]) -> Attempt:
        return self.placer.place(pods, unit.constraints(unit.member_nodes))

    # -- the members that stand or fall together ------------------------------------------------

    def _bind(self, unit: Unit, placements: Sequence[Placement]) -> list[Decision]:
        if not placements:
            return []
        self.cluster.arrived += placements
        self.written_claims |= {
            c.claim for p in placements for c in p.pod.claims if c.claim is not None
        }
        pause = awaiting.hold(self.cluster, unit.subject, placements, self.now_ns)
        if pause is not None:
            return self._pause(pause)
        operations = render.bind_operations(self.cluster, placements, self.now_ns)
        notes = render.scheduled_notes(placements)
        return [Decision(unit.subject, operations, notes, tuple(placements), needed=unit.needed)]

    def _pause(self, pause: awaiting.Pause) -> list[Decision]:
        """Nobody is bound: devices are being made ready, or could not be."""
        self._recheck(pause.again_s or COMMITTED_S)
        return [] if pause.decision is None else [pause.decision]

    def _preempt_or_explain(
        self, unit: Unit, pods: Sequence[PodSpecView], attempt: Attempt
    ) -> list[Decision]:
        """Waits for what is leaving, or makes somebody leave, or says why neither helps."""
        future = self._once_vacated(unit, pods)
        if future is not None:
            return self._nominate(unit, future, ())
        if all(pod.may_preempt for pod in pods):
            eviction = find_victims(self.placer, unit, self.now_ns, self.preemption)
            if eviction is not None:
                self.known_unschedulable.clear()
                leaving = {pod.key: pod for pod in eviction.victims}
                self.cluster.leaving = {**self.cluster.leaving, **leaving}
                return self._nominate(unit, eviction.attempt, eviction.victims)
        why = self._no_fit(unit, pods, attempt)
        fit_class = self._equivalence_class(unit)
        if fit_class is not None:
            self.known_unschedulable[fit_class] = why
        return self._refuse(unit.pods, why)

    def _equivalence_class(self, unit: Unit) -> FitClass | None:
        """Single pods equal in this all find a place, or none does; None: it is unlike any other."""
        pod = unit.pods[0]
        if len(unit.pods) > 1 or unit.needed != 1 or pod.nominated_node or unit.topology:
            return None
        shape = self.what_if.shape_of(pod)
        near: tuple[object, ...] = ()
        if not self.what_if.is_countable(pod, shape):
            if shape.is_exact or pod.claims:
                return None
            # Whoever gets a place may be whom another one wants near.
            labels = frozenset(pod.labels.items())
            near = (pod.key.namespace, labels, pod.neighbours, len(self.cluster.arrived))
        queue_of = self.policy.queue_of
        queue = queue_of(pod) if queue_of is not None else ""
        return shape.number, queue, unit.priority, pod.may_preempt, near

    def _once_vacated(self, unit: Unit, pods: Sequence[PodSpecView]) -> Attempt | None:
        """Places for all of them once everything that is leaving has left."""
        if not self.cluster.leaving and not self.cluster.idle_claims():
            return None
        mark = self.what_if.mark()
        self.what_if.release_leaving()
        attempt = self._place(unit, pods)
        self.what_if.rollback(mark)
        return attempt if attempt.fits else None

    def _nominate(
        self, unit: Unit, attempt: Attempt, victims: Sequence[PodSpecView]
    ) -> list[Decision]:
        """Reserves the places; victims, if any, go with the preemptors' nomination in one plan."""
        cause = next((p.pod.cause for p in attempt.placements if p.pod.cause), "")
        sentence = explain.preempted(unit, cause)
        operations = [*render.evict_operations(victims, sentence, cause, self.now_ns)]
        notes: list[Note] = [*render.preempted_notes(victims, sentence)]
        self.cluster.arrived += attempt.placements
        for placement in attempt.placements:
            self.what_if.assume(placement)
            self.promised_claims |= {key for key, _ in placement.allocations}
            pod = placement.pod
            if pod.nominated_node == placement.node and not victims:
                continue
            text = explain.awaits(
                f'Pod "{pod.key}"',
                placement.node,
                [p for p in self.cluster.leaving.values() if p.node == placement.node],
            )
            operations.append(
                render.pending_operation(pod, text, self.now_ns, nominated=placement.node)
            )
            notes.append(render.failed_note(pod, text))
        if not operations:
            return []
        return [
            Decision(
                unit.subject,
                tuple(operations),
                tuple(notes),
                victims=tuple(victims),
                awaits=explain.awaits_leaving(unit, list(self.cluster.leaving.values())),
            )
        ]

    # -- members beyond the minimum: they take what is free and never preempt --------------------

    def _place_extras(
        self, unit: Unit, placed: Sequence[str]
    ) -> tuple[list[Placement], list[Decision]]:
        placements: list[Placement] = []
        refusals: list[Decision] = []
        for index in range(unit.needed, len(unit.pods)):
            pod = unit.pods[index]
            alone = unit.alone(pod)
            why = self._behind(unit, index)
            why = why or prerequisites.missing_claims(self.cluster, pod, self.promised_claims)
            if why is None:
                member_nodes = (*unit.member_nodes, *placed, *(p.node for p in placements))
                attempt = self.placer.place((pod,), unit.constraints(member_nodes))
                if attempt.fits:
                    placements += attempt.placements
                    continue
                why = self._no_fit(replace(alone, member_nodes=member_nodes), (pod,), attempt)
            refusals += self._refuse((pod,), why)
            for after in range(index + 1, len(unit.pods)):
                later = unit.pods[after]
                gap = self._behind(unit, after) or explain.rank_gap(f'Pod "{later.key}"')
                refusals += self._refuse((later,), gap)
            break
        return placements, refusals

    def _behind(self, unit: Unit, index: int) -> Unschedulable | None:
        """The reason for which a member may have no place at all for now."""
        if index < unit.ready:
            return None
        subject = f'Pod "{unit.pods[index].key}"'
        group = self.cluster.gangs.get(unit.gang) if unit.gang is not None else None
        if group is not None and group.max_count and unit.staying + index >= group.max_count:
            return explain.beyond_maximum(subject, group.max_count)
        return explain.rank_gap(subject)

    # -- reasons ------------------------------------------------------------------------------

    def _no_fit(self, unit: Unit, pods: Sequence[PodSpecView], attempt: Attempt) -> Unschedulable:
        cluster = self.cluster
        found: Sequence[Change] = ()
        if self.changes < cluster.limits.explained_units(len(cluster.nodes)):
            self.changes += 1
            found = changes(self.placer, unit, attempt, self.preemption)
        words = {m.word for m, _ in attempt.misfits}
        is_domain = "DomainTooSmall" in words and "DomainHeld" not in words
        domains = scattered(self.what_if, unit, pods) if is_domain else None
        short = [m.shortage for m, _ in attempt.misfits if m.shortage is not None]
        free = 0
        if short and len(cluster.nodes) > 1:
            free = free_devices(self.what_if, attempt.pod or pods[0], explain.most_free(short).sub)
        subject = unit.subject
        if attempt.before:
            subject = f"{subject} beyond {attempt.before} of its {len(pods)} members"
        return explain.no_fit(subject, len(cluster.nodes), attempt.misfits, found, domains, free)

    def _refuse(self, pods: Sequence[PodSpecView], why: Unschedulable) -> list[Decision]:
        """Writes the reason on each pod that does not carry it yet."""
        text = explain.message(why)
        decisions: list[Decision] = []
        for pod in pods:
            if why.is_transient and self._is_young(pod):
                continue
            if pod.scheduled_message == text and not pod.nominated_node:
                continue
            operation = render.pending_operation(
                pod, text, self.now_ns, nominated="", record=record(why)
            )
            decisions.append(
                Decision(
                    f'Pod "{pod.key}"',
                    (operation,),
                    (render.failed_note(pod, text),),
                    unschedulable=why,
                )
            )
        return decisions

    def _is_young(self, pod: PodSpecView) -> bool:
        age_s = (self.now_ns - pod.created_ns) / 1e9
        if abs(age_s) >= 2 * TRANSIENT_S:  # creationTimestamp has whole seconds
            return False  # one from the future was made before the clock jumped back
        self._recheck(TRANSIENT_S)
        return True

    def _recheck(self, after_s: float) -> None:
        self.recheck_after_s = min(self.recheck_after_s or after_s, after_s)
