"""apps/v1 Deployment: one ReplicaSet for each template, the newest takes over from the others.

Source: kube-controller-manager `pkg/controller/deployment`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    controller_of,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.operations import Delete, Operation
from mizzen.base.reading import entries, number, part
from mizzen.base.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, RequeueAfter, Watch
from mizzen.controllers.core.adoption import (
    ORPHANS,
    claim,
    dependents,
    selected_by,
    selector_of,
    unchanged,
)
from mizzen.controllers.core.deployment_sets import (
    REVISION,
    OwnedSet,
    active_or_latest,
    annotate_new,
    annotate_size,
    by_age,
    expired,
    find_new,
    in_proportion,
    is_rolling,
    is_saturated,
    is_scaling,
    make_new,
    max_unavailable,
    owned_set,
    replicas_of_new,
    revision_of_set,
)
from mizzen.controllers.core.deployment_status import (
    NEW_SET_CREATED,
    NEW_SET_FOUND,
    PROGRESSING,
    SET_CREATE_ERROR,
    counts,
    deployment_condition,
    find,
    has_deadline,
    is_complete,
    on_pause,
    seconds_to_check,
    with_new,
    with_progress,
)
from mizzen.controllers.core.replicas import REPLICAS
from mizzen.controllers.core.status_writes import write_status
from mizzen.controllers.core.view import View


@dataclass(slots=True)
class Rollout:
    """A Deployment and its sets while a plan is made."""

    view: View
    deployment: Obj
    new: OwnedSet | None
    old: list[OwnedSet]
    now_ns: int
    conditions: list[Obj]
    collisions: int = 0  # met just now
    revision: str = ""
    events: list[EmitEvent] = field(default_factory=list[EmitEvent])
    deletions: list[Operation] = field(default_factory=list[Operation])

    @property
    def sets(self) -> list[OwnedSet]:
        return [*self.old, *([self.new] if self.new is not None else [])]

    @property
    def wanted(self) -> int:
        return number(self.deployment, "spec", "replicas")

    def tell_progress(self, truth: str, reason: str, message: str) -> None:
        new = deployment_condition(PROGRESSING, truth, reason, message, self.now_ns)
        self.conditions = with_new(self.conditions, new)


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """The actions that the Deployment named by `key` needs now."""
    deployment = view.get(DEPLOYMENTS, key)
    selector = selector_of(deployment) if deployment is not None else None
    if deployment is None or selector is None:
        return []
    found, claims = claim(view, REPLICA_SETS, deployment, selector)
    if (
        claims
    ):  # first of all: what is adopted may be scaled, and each set is written once in a plan
        return [unchanged(DEPLOYMENTS, deployment), *claims]
    sets = [owned_set(each) for each in found]
    new = find_new(deployment, sets)
    old = sorted((one for one in sets if one is not new), key=by_age)
    conditions = entries(deployment, "status", "conditions")
    rollout = Rollout(view, deployment, new, old, now_ns, conditions)
    is_rollout = False
    if is_terminating(deployment):
        _sync_new(rollout, may_create=False)
    else:
        rollout.conditions = on_pause(deployment, conditions, now_ns)
        is_paused = bool(part(deployment, "spec").get("paused"))
        if is_paused or is_scaling(deployment, sets):
            _sync_new(rollout, may_create=False)
            _scale(rollout)
            if is_paused:
                _clean_up(rollout)
        else:
            is_rollout = True
            (_roll if is_rolling(deployment) else _recreate)(rollout)
    return _actions(rollout, is_rollout=is_rollout)


def _actions(rollout: Rollout, *, is_rollout: bool) -> list[Action]:
    deployment, now_ns = rollout.deployment, rollout.now_ns
    status = counts(deployment, rollout.new, rollout.old, rollout.conditions, now_ns)
    if is_rollout:
        status = with_progress(deployment, rollout.new, rollout.old, status, now_ns)
    if rollout.collisions:
        status["collisionCount"] = rollout.collisions
    metadata: Obj | None = None
    if rollout.revision and annotations_of(deployment).get(REVISION) != rollout.revision:
        metadata = {"annotations": {REVISION: rollout.revision}}
    kept = ("terminatingReplicas",) if status["terminatingReplicas"] is not None else ()
    written: list[Action] = [
        *write_status(DEPLOYMENTS, deployment, status, kept=kept, metadata=metadata)
    ]
    operations = [each for one in rollout.sets for each in one.operations()]
    if not written and operations:
        written = [unchanged(DEPLOYMENTS, deployment)]
    check_s = seconds_to_check(deployment, status, now_ns) if is_rollout else None
    again = [RequeueAfter(check_s)] if check_s is not None else []
    return [*written, *operations, *rollout.deletions, *rollout.events, *again]


# -- the new set ------------------------------------------------------------------------


def _sync_new(rollout: Rollout, *, may_create: bool) -> None:
    """Brings the new set's annotations up to date, or makes it; the Deployment gets its revision."""
    deployment, new = rollout.deployment, rollout.new
    revision = max((revision_of_set(one) for one in rollout.old), default=0) + 1
    if new is None:
        if may_create:
            _create_new(rollout, revision)
        return
    if new.is_new:
        return
    annotate_new(deployment, new, revision)
    min_ready_s = number(deployment, "spec", "minReadySeconds")
    if number(new.obj, "spec", "minReadySeconds") != min_ready_s:
        new.set_spec("minReadySeconds", min_ready_s)
    rollout.revision = new.annotations.get(REVISION) or ""
    if has_deadline(deployment) and find(rollout.conditions, PROGRESSING) is None:
        rollout.tell_progress("True", NEW_SET_FOUND, f'Found new replica set "{new.name}"')


def _create_new(rollout: Rollout, revision: int) -> None:
    deployment = rollout.deployment
    new = make_new(deployment)
    if rollout.view.get(REPLICA_SETS, Key(namespace_of(deployment), new.name)) is not None:
        # Another template has the same hash: counted, it changes the hash of this one.
        rollout.collisions = number(deployment, "status", "collisionCount") + 1
        return
    new.replicas = replicas_of_new(deployment, [*rollout.old, new], new)
    annotate_new(deployment, new, revision)
    rollout.new, rollout.revision = new, str(revision)
    if new.replicas:
        text = f"Scaled up replica set {new.name} from 0 to {new.replicas}"
        rollout.events.append(EmitEvent(deployment, "Normal", "ScalingReplicaSet", text))
    if has_deadline(deployment):
        rollout.tell_progress("True", NEW_SET_CREATED, f'Created new replica set "{new.name}"')


# -- scaling ----------------------------------------------------------------------------


def _scale_set(rollout: Rollout, one: OwnedSet, size: int, *, always_notes: bool = False) -> bool:
    """Gives the set this size; True if it had another."""
    had = one.replicas
    if had == size and not always_notes:
        return False
    annotate_size(rollout.deployment, one)
    if had == size:
        return False
    one.replicas = size
    one.set_spec("replicas", size)
    way = "up" if size > had else "down"
    text = f"Scaled {way} replica set {one.name} from {had} to {size}"
    rollout.events.append(EmitEvent(rollout.deployment, "Normal", "ScalingReplicaSet", text))
    return True


def _scale(rollout: Rollout) -> None:
    """Gives the sets the size that the Deployment has by now, without rolling on."""
    single = active_or_latest(rollout.new, rollout.old)
    if single is not None:
        _scale_set(rollout, single, rollout.wanted)
        return
    active = [one for one in rollout.sets if one.replicas > 0]
    if is_saturated(rollout.deployment, rollout.new):
        for one in rollout.old:
            _scale_set(rollout, one, 0)
    elif is_rolling(rollout.deployment):
        for one, size in in_proportion(rollout.deployment, active):
            _scale_set(rollout, one, size, always_notes=True)


def _clean_up(rollout: Rollout) -> None:
    for one in expired(rollout.deployment, rollout.old):
        namespace, uid = namespace_of(one.obj), uid_of(one.obj)
        version = str(one.obj["metadata"].get("resourceVersion") or "")
        delete = Delete(REPLICA_SETS, namespace, one.name, uid=uid, resource_version=version)
        one.change = {}
        rollout.deletions.append(delete)


# -- the strategies ---------------------------------------------------------------------


def _roll(rollout: Rollout) -> None:
    """One step: the new set grows, else the old ones shrink."""
    _sync_new(rollout, may_create=True)
    new = rollout.new
    if new is None:
        return
    size = rollout.wanted
    if new.replicas < size:
        size = replicas_of_new(rollout.deployment, rollout.sets, new)
    if _scale_set(rollout, new, size) or _shrink_old(rollout, new):
        return
    if is_complete(rollout.deployment, part(rollout.deployment, "status")):
        _clean_up(rollout)


def _shrink_old(rollout: Rollout, new: OwnedSet) -> bool:
    """Takes unhealthy pods of old sets first, then as many as availability allows."""
    least = rollout.wanted - max_unavailable(rollout.deployment)
    unavailable = new.replicas - new.available
    room = sum(one.replicas for one in rollout.sets) - least - unavailable
    if room <= 0 or not any(one.replicas for one in rollout.old):
        return False
    unhealthy = _shrink(rollout, room, (one.replicas - one.available for one in rollout.old))
    surplus = sum(one.available for one in rollout.sets) - least
    healthy = _shrink(rollout, surplus, (one.replicas for one in rollout.old))
    return unhealthy + healthy > 0


def _shrink(rollout: Rollout, most: int, each: Iterable[int]) -> int:
    """Takes up to `most` pods, of each old set up to so many, the oldest set first."""
    taken = 0
    for one, limit in zip(rollout.old, list(each), strict=True):
        count = min(most - taken, limit, one.replicas)
        if count > 0:
            _scale_set(rollout, one, one.replicas - count)
            taken += count
    return taken


def _recreate(rollout: Rollout) -> None:
    """No new pod before the last old one has ended."""
    _sync_new(rollout, may_create=False)
    had = [_scale_set(rollout, one, 0) for one in rollout.old]
    if any(had) or _old_pods_run(rollout):
        return
    _sync_new(rollout, may_create=True)
    if rollout.new is None:
        return
    _scale_set(rollout, rollout.new, rollout.wanted)
    if is_complete(rollout.deployment, part(rollout.deployment, "status")):
        _clean_up(rollout)


def _old_pods_run(rollout: Rollout) -> bool:
    if any(number(one.obj, "status", "replicas") for one in rollout.old):
        return True
    return any(
        not pod.is_finished
        for one in rollout.old
        for pod in rollout.view.digested(REPLICAS, one.obj).values()
    )


# -- the controller ---------------------------------------------------------------------


def _recreated(view: View, pod: Obj) -> Sequence[Key]:
    """The Deployment that waits for its old pods to end."""
    owner = controller_of(pod)
    if owner is None or owner.get("kind") != REPLICA_SETS.kind:
        return ()
    replicas = view.get(REPLICA_SETS, Key(namespace_of(pod), str(owner["name"])))
    above = controller_of(replicas) if replicas is not None else None
    if above is None or above.get("kind") != DEPLOYMENTS.kind:
        return ()
    key = Key(namespace_of(pod), str(above["name"]))
    deployment = view.get(DEPLOYMENTS, key)
    return () if deployment is None or is_rolling(deployment) else (key,)


def report_stuck(deployment: Obj, reason: str, message: str, now_ns: int) -> list[Action]:
    """A plan that was refused becomes the Deployment's condition, as upstream's."""
    text = f'Failed to create new replica set for "{name_of(deployment)}": {message}'
    told = EmitEvent(deployment, "Warning", SET_CREATE_ERROR, text)
    if not has_deadline(deployment):
        return [told]
    new = deployment_condition(PROGRESSING, "False", SET_CREATE_ERROR, text, now_ns)
    conditions = with_new(entries(deployment, "status", "conditions"), new)
    return [told, *write_status(DEPLOYMENTS, deployment, {"conditions": conditions})]


_BY_LABEL = selected_by(DEPLOYMENTS)
CONTROLLER = Controller(
    name="deployment",
    resource=DEPLOYMENTS,
    reconcile=reconcile,
    watches=(dependents(REPLICA_SETS, DEPLOYMENTS, _BY_LABEL), Watch(PODS, _recreated)),
    indexes=(_BY_LABEL, ORPHANS[REPLICA_SETS]),
    digests=(REPLICAS,),
    report_stuck=report_stuck,
)
