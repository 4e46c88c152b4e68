"""apps/v1 StatefulSet: pods with numbers, made, replaced and taken away in order.

Source: kube-controller-manager `pkg/controller/statefulset`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mizzen.base.objects import Key, Obj, is_terminating, name_of, namespace_of, uid_of
from mizzen.base.operations import Create, Delete, Operation, Patch
from mizzen.base.reading import number, part, text
from mizzen.base.resources import (
    CONTROLLER_REVISIONS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STATEFUL_SETS,
)
from mizzen.base.selectors import LabelSelector
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, RequeueAfter
from mizzen.controllers.core.adoption import (
    ORPHANS,
    claim,
    dependents,
    selected_by,
    selector_of,
    unchanged,
)
from mizzen.controllers.core.replica_set import CREATED_PER_PLAN, DELETED_PER_PLAN
from mizzen.controllers.core.replicas import next_available_s
from mizzen.controllers.core.revisions import (
    HASH_LABEL,
    History,
    drop_revision,
    find_update,
    template_of,
)
from mizzen.controllers.core.stateful_set_claims import blocked_by, create_claims, own_claims
from mizzen.controllers.core.stateful_set_pods import (
    Member,
    first_ordinal,
    in_range,
    lacks_identity,
    make_pod,
    member_of,
    most_unavailable,
    parent_and_ordinal,
    partition_of,
)
from mizzen.controllers.core.status_writes import write_status
from mizzen.controllers.core.view import View

BLOCKED_S = 5.0  # until a claim that is on its way out is looked for again
KEPT = ("replicas", "availableReplicas", "collisionCount")


@dataclass(slots=True)
class Turn:
    """One reconcile: what it knows of the set, and the plan so far."""

    view: View
    owner: Obj
    history: History
    current: Obj  # the revision that pods have until they are replaced
    members: list[Member]
    now_ns: int
    actions: list[Action] = field(default_factory=list[Action])
    created: int = 0
    deleted: int = 0
    replaced: int = 0  # of the pods of the current revision

    @property
    def is_ordered(self) -> bool:
        return text(self.owner, "spec", "podManagementPolicy") != "Parallel"

    @property
    def min_ready_s(self) -> int:
        return number(self.owner, "spec", "minReadySeconds")

    def is_unavailable(self, member: Member | None) -> bool:
        return member is None or member.is_unavailable(self.min_ready_s, self.now_ns)

    def tell(self, verb: str, name: str) -> None:
        message = f"{verb} Pod {name} in StatefulSet {name_of(self.owner)} successful"
        self.actions.append(EmitEvent(self.owner, "Normal", f"Successful{verb}", message))

    def delete(self, member: Member) -> bool:
        """True unless the plan is full."""
        if self.deleted >= DELETED_PER_PLAN:
            return False
        self.deleted += 1
        name = name_of(member.pod)
        namespace, uid = namespace_of(member.pod), uid_of(member.pod)
        self.actions.append(Delete(PODS, namespace, name, uid=uid))
        self.tell("Delete", name)
        return True


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """The actions that the StatefulSet named by `key` needs now."""
    owner = view.get(STATEFUL_SETS, key)
    selector = selector_of(owner) if owner is not None else None
    if owner is None or selector is None:
        return []
    found, claims = claim(view, CONTROLLER_REVISIONS, owner, selector)
    history = find_update(view, owner, found, label=HASH_LABEL)
    pods, pod_claims = _claim_pods(view, owner, selector)
    name = text(owner, "status", "currentRevision")
    current = next((each for each in history.revisions if name_of(each) == name), history.update)
    members = [member_of(pod) for pod in pods]
    turn = Turn(view, owner, history, current, members, now_ns)
    if not is_terminating(owner):
        turn.actions += [*claims, *pod_claims, *history.writes]
        _manage(turn)
        turn.actions += _truncate(turn)
    written = _status(turn)
    operations = [a for a in turn.actions if not isinstance(a, EmitEvent | RequeueAfter)]
    if operations and not written:
        written = [unchanged(STATEFUL_SETS, owner)]
    facts = [member.facts for member in members]
    wait_s = next_available_s(facts, turn.min_ready_s, now_ns)
    again = [RequeueAfter(wait_s)] if wait_s is not None else []
    return [*written, *turn.actions, *again]


def _claim_pods(
    view: View, owner: Obj, selector: LabelSelector
) -> tuple[list[Obj], Sequence[Operation]]:
    def is_member(pod: Obj) -> bool:
        return parent_and_ordinal(pod)[0] == name_of(owner)

    return claim(view, PODS, owner, selector, is_member)


def _manage(turn: Turn) -> None:
    """Replicas first, in order; then those that are too many; then those to be updated."""
    replicas: list[Member | None] = [None] * number(turn.owner, "spec", "replicas")
    condemned: list[Member] = []
    first = first_ordinal(turn.owner)
    for member in turn.members:
        if in_range(turn.owner, member.ordinal):
            replicas[member.ordinal - first] = member
        elif member.ordinal >= 0:
            condemned.append(member)
    condemned.sort(key=lambda member: -member.ordinal)
    unhealthy = next(
        (each for each in (*replicas, *reversed(condemned)) if turn.is_unavailable(each)), None
    )
    if _blocked(turn, range(len(replicas)), lambda i: _advance(turn, replicas[i], first + i)):
        return
    for member in condemned:
        turn.actions += own_claims(turn.view, turn.owner, member.pod)

    def condemn(i: int) -> bool:
        return _condemn(turn, condemned[i], is_first_unhealthy=condemned[i] is unhealthy)

    if _blocked(turn, range(len(condemned)), condemn):
        return
    if text(turn.owner, "spec", "updateStrategy", "type") != "OnDelete":
        _update(turn, replicas)


def _blocked(turn: Turn, indexes: Sequence[int], step: Callable[[int], bool]) -> bool:
    """Takes each step; True, for an ordered set, at the first after which the others wait."""
    return any(step(index) and turn.is_ordered for index in indexes)


def _advance(turn: Turn, member: Member | None, ordinal: int) -> bool:
    """Makes, replaces or mends one pod; True if those after it have to wait."""
    if member is None:
        return _create(turn, ordinal)
    facts = member.facts
    if facts.is_finished:
        if not facts.is_terminating:
            turn.delete(member)
        return True
    if facts.phase == "Pending":
        turn.actions += create_claims(turn.view, turn.owner, member.pod)
    if turn.is_ordered and (
        facts.is_terminating
        or not member.is_running_and_ready
        or not facts.is_available(turn.min_ready_s, turn.now_ns)
    ):
        return True
    turn.actions += own_claims(turn.view, turn.owner, member.pod)
    labels = lacks_identity(turn.owner, member)
    if labels and not facts.is_terminating:
        name, namespace = name_of(member.pod), namespace_of(member.pod)
        change: Obj = {"metadata": {"labels": labels}}
        turn.actions.append(Patch(PODS, namespace, name, change, uid=uid_of(member.pod)))
        turn.tell("Update", name)
    return False


def _create(turn: Turn, ordinal: int) -> bool:
    if turn.created >= CREATED_PER_PLAN:
        return True
    why = blocked_by(turn.view, turn.owner, ordinal)
    if why:
        turn.actions.append(EmitEvent(turn.owner, "Warning", "FailedCreate", why))
        turn.actions.append(RequeueAfter(BLOCKED_S))
        return True
    revision = turn.current if _is_of_current(turn, ordinal) else turn.history.update
    pod = make_pod(turn.owner, template_of(revision), name_of(revision), ordinal)
    turn.created += 1
    turn.actions += create_claims(turn.view, turn.owner, pod)
    turn.actions.append(Create(PODS, pod))
    turn.tell("Create", name_of(pod))
    return True


def _is_of_current(turn: Turn, ordinal: int) -> bool:
    """True if a pod that is made now belongs to what is not updated (yet)."""
    strategy = part(turn.owner, "spec", "updateStrategy")
    if strategy.get("rollingUpdate") is not None:
        return ordinal < first_ordinal(turn.owner) + partition_of(turn.owner)
    if strategy.get("type") == "OnDelete":
        return False
    done = number(turn.owner, "status", "currentReplicas")
    return ordinal < first_ordinal(turn.owner) + done


def _condemn(turn: Turn, member: Member, *, is_first_unhealthy: bool) -> bool:
    """Deletes one pod too many; True if those of lower numbers have to wait."""
    if member.facts.is_terminating:
        return True
    if turn.is_ordered and not is_first_unhealthy:
        is_available = member.facts.is_available(turn.min_ready_s, turn.now_ns)
        if not member.is_running_and_ready or not is_available:
            return True
    turn.delete(member)
    return True


def _update(turn: Turn, replicas: Sequence[Member | None]) -> None:
    """Deletes pods of other revisions, from the highest number down to the partition."""
    most = most_unavailable(turn.owner)
    name, least = name_of(turn.history.update), partition_of(turn.owner)
    if most is None:
        for member in reversed(replicas[least:]):
            if member is None:
                return
            if member.revision != name and not member.facts.is_terminating:
                turn.replaced += turn.delete(member)
                return
            if turn.is_unavailable(member):
                return
        return
    room = most - sum(turn.is_unavailable(each) for each in replicas)
    for member in reversed(replicas[least:]):
        if room <= 0:
            return
        if member is None or member.revision == name or member.facts.is_terminating:
            continue
        turn.replaced += turn.delete(member)
        room -= 1


# -- what is told and kept --------------------------------------------------------------


def _status(turn: Turn) -> list[Operation]:
    owner, wanted = turn.owner, number(turn.owner, "spec", "replicas")
    current, update = name_of(turn.current), name_of(turn.history.update)
    pods = [member for member in turn.members if member.ordinal >= 0]
    alive = [member for member in pods if not member.facts.is_terminating]
    status: Obj = {
        "observedGeneration": number(owner, "metadata", "generation"),
        "replicas": len(pods),
        "readyReplicas": sum(member.is_running_and_ready for member in pods),
        "availableReplicas": sum(
            member.is_running_and_ready and member.facts.is_available(turn.min_ready_s, turn.now_ns)
            for member in pods
        ),
        "currentReplicas": sum(member.revision == current for member in alive) - turn.replaced,
        "updatedReplicas": sum(member.revision == update for member in alive),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": turn.history.collisions,
    }
    is_rolling = text(owner, "spec", "updateStrategy", "type") != "OnDelete"
    counts = ("updatedReplicas", "readyReplicas", "replicas")
    if is_rolling and all(status[each] == wanted for each in counts):
        status["currentReplicas"], status["currentRevision"] = wanted, update
    status["currentReplicas"] = max(0, status["currentReplicas"])
    return [*write_status(STATEFUL_SETS, owner, status, kept=KEPT)]


def _truncate(turn: Turn) -> list[Operation]:
    """Drops the oldest revisions that no pod has, beyond the limit."""
    limit = part(turn.owner, "spec").get("revisionHistoryLimit")
    live = {name_of(turn.current), name_of(turn.history.update)}
    live |= {member.revision for member in turn.members}
    dead = [each for each in turn.history.revisions if name_of(each) not in live]
    if limit is None or int(limit) < 0 or len(dead) <= int(limit):
        return []
    return [drop_revision(each) for each in dead[: len(dead) - int(limit)]]


_BY_LABEL = selected_by(STATEFUL_SETS)
CONTROLLER = Controller(
    name="statefulset",
    resource=STATEFUL_SETS,
    reconcile=reconcile,
    watches=(
        dependents(PODS, STATEFUL_SETS, _BY_LABEL),
        dependents(CONTROLLER_REVISIONS, STATEFUL_SETS, _BY_LABEL),
    ),
    reads=(PERSISTENT_VOLUME_CLAIMS,),
    indexes=(_BY_LABEL, ORPHANS[PODS], ORPHANS[CONTROLLER_REVISIONS]),
)
