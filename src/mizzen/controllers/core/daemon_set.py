"""apps/v1 DaemonSet: one pod on each node that fits.

Source: kube-controller-manager `pkg/controller/daemon`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    is_terminating,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.operations import Create, Delete, Operation
from mizzen.base.reading import number, part, text
from mizzen.base.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from mizzen.base.selectors import LabelSelector
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, RequeueAfter, Watch
from mizzen.controllers.core.adoption import (
    ORPHANS,
    adopt,
    adoptable,
    claim,
    dependents,
    release,
    selected_by,
    selector_of,
    unchanged,
)
from mizzen.controllers.core.daemon_set_pods import (
    DaemonPod,
    Place,
    is_updated,
    make_pod,
    oldest_first,
    places_in,
    surge_of,
    unavailable_of,
)
from mizzen.controllers.core.pod_templates import fresh_name
from mizzen.controllers.core.pods import ON_NODE
from mizzen.controllers.core.replica_set import CREATED_PER_PLAN, DELETED_PER_PLAN
from mizzen.controllers.core.replicas import (
    REPLICAS,
    Labels,
    Replica,
    next_available_s,
    read_replica,
)
from mizzen.controllers.core.revisions import (
    REVISION_LABEL,
    History,
    drop_revision,
    find_update,
)
from mizzen.controllers.core.status_writes import write_status
from mizzen.controllers.core.view import View

# How often in a row pods of this DaemonSet have failed on the pod's node.
FAILURES = "mizzen.dev/daemon-failures"
FIRST_BACKOFF_S, BACKOFF_S_MAX = 1.0, 900.0
_DOUBLINGS_MAX = 10
_NS = 1_000_000_000
KEPT = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
)


@dataclass(slots=True)
class Turn:
    """One reconcile: what it knows of the DaemonSet, and the plan so far."""

    view: View
    daemon: Obj
    history: History
    revision: str
    places: dict[str, Place]  # by node
    on_node: dict[str, list[DaemonPod]]
    now_ns: int
    min_ready_s: int
    allows_surge: bool
    actions: list[Action] = field(default_factory=list[Action])
    wanted_on: dict[str, int] = field(default_factory=dict[str, int])  # node: failures before
    deleted: set[Key] = field(default_factory=set[Key])

    def is_available(self, pod: DaemonPod) -> bool:
        return pod.facts.is_available(self.min_ready_s, self.now_ns)

    def delete(self, pod: DaemonPod) -> None:
        if pod.key in self.deleted or len(self.deleted) >= DELETED_PER_PLAN:
            return
        found = self.view.get(PODS, pod.key)
        if found is None:
            return
        self.deleted.add(pod.key)
        self.actions.append(Delete(PODS, pod.key.namespace, pod.key.name, uid=uid_of(found)))
        text = f"Deleted pod: {pod.key.name}"
        self.actions.append(EmitEvent(self.daemon, "Normal", "SuccessfulDelete", text))


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """The actions that the DaemonSet named by `key` needs now."""
    daemon = view.get(DAEMON_SETS, key)
    selector = selector_of(daemon) if daemon is not None else None
    if daemon is None or selector is None or is_terminating(daemon):
        return []
    found, claims = claim(view, CONTROLLER_REVISIONS, daemon, selector)
    history = find_update(view, daemon, found, label=REVISION_LABEL)
    revision = labels_of(history.update).get(REVISION_LABEL) or name_of(history.update)
    on_node, pod_claims = _claim_pods(view, daemon, selector, revision)
    place = places_in(view, daemon)
    there = {name_of(node): place(node) for node in view.all(NODES).values()}
    min_ready_s, surges = number(daemon, "spec", "minReadySeconds"), surge_of(daemon, 1) > 0
    turn = Turn(view, daemon, history, revision, there, on_node, now_ns, min_ready_s, surges)
    turn.actions += [*claims, *pod_claims, *history.writes]
    _manage(turn)
    is_at_rest = not turn.deleted and not turn.wanted_on
    if is_at_rest and _is_rolling(daemon) and _has_old_pods(turn):
        _roll(turn)
    _create(turn)
    turn.actions += _truncate(turn)
    written = _status(turn)
    operations = [a for a in turn.actions if not isinstance(a, EmitEvent | RequeueAfter)]
    if operations and not written:
        written = [unchanged(DAEMON_SETS, daemon)]
    facts = (pod.facts for pods in on_node.values() for pod in pods)
    wait_s = next_available_s(facts, min_ready_s, now_ns)
    again = [RequeueAfter(wait_s)] if wait_s is not None else []
    return [*written, *turn.actions, *again]


def _is_rolling(daemon: Obj) -> bool:
    return text(daemon, "spec", "updateStrategy", "type") != "OnDelete"


def _has_old_pods(turn: Turn) -> bool:
    return any(not pod.is_updated for pods in turn.on_node.values() for pod in pods)


def _claim_pods(
    view: View, daemon: Obj, selector: LabelSelector, revision: str
) -> tuple[dict[str, list[DaemonPod]], list[Operation]]:
    """The set's pods by the node that each is on or waits for."""
    on_node: dict[str, list[DaemonPod]] = {}
    writes: list[Operation] = []
    known: dict[Labels, tuple[bool, bool]] = {}  # there are few, however many pods there are

    def take(key: Key, facts: Replica) -> bool:
        found = known.get(facts.labels)
        if found is None:
            is_selected = selector.matches(dict(facts.labels))
            found = known[facts.labels] = is_selected, is_updated(daemon, facts, revision)
        node = facts.node or facts.target
        if found[0] and node and not (facts.is_finished and facts.is_terminating):
            on_node.setdefault(node, []).append(DaemonPod(key, facts, found[1]))
        return found[0]

    for key, facts in view.digested(REPLICAS, daemon).items():
        if not take(key, facts) and not facts.is_terminating:
            pod = view.get(PODS, key)
            writes += [release(PODS, pod, daemon)] if pod is not None else []
    for pod in adoptable(view, PODS, daemon, selector):
        take(key_of(pod), read_replica(pod))
        writes.append(adopt(PODS, pod, daemon))
    return on_node, writes


# -- one pod on each node ---------------------------------------------------------------


def _manage(turn: Turn) -> None:
    for name, place in turn.places.items():
        _manage_node(turn, name, place)
    for name, pods in turn.on_node.items():
        if name not in turn.places:
            for pod in pods:
                if not pod.facts.node:  # nobody else would ever remove it
                    turn.delete(pod)


def _manage_node(turn: Turn, node: str, place: Place) -> None:
    pods = turn.on_node.get(node)
    if place.starts and not pods:
        turn.wanted_on[node] = 0
        return
    if not pods:
        return
    alive = [pod for pod in pods if not pod.facts.is_terminating]
    if not place.stays:
        for pod in alive:
            turn.delete(pod)
        return
    running: list[DaemonPod] = []
    for pod in alive:
        if pod.facts.is_finished:
            _replace_finished(turn, node, pod, starts=place.starts)
        else:
            running.append(pod)
    if len(running) > 1:
        running = oldest_first(running)
    if not turn.allows_surge:
        for pod in running[1:]:
            turn.delete(pod)
        return
    if not running and place.starts and node not in turn.wanted_on and not alive:
        turn.wanted_on[node] = 0
    _prune_surge(turn, running)


def _prune_surge(turn: Turn, running: list[DaemonPod]) -> None:
    """Two pods may be on a node only while the old one is ready and the new one is not available."""
    if len(running) <= 1:
        return
    new = next((pod for pod in running if pod.is_updated), None)
    old = next((pod for pod in running if not pod.is_updated), None)
    for pod in running:
        if pod is not new and pod is not old:
            turn.delete(pod)
    if new is None or old is None:
        return
    if not old.facts.is_ready or turn.is_available(new):
        turn.delete(old)


def _replace_finished(turn: Turn, node: str, pod: DaemonPod, *, starts: bool) -> None:
    """Deletes a pod that ended and makes the next: at once the first time, then later and later."""
    whole = turn.view.get(PODS, pod.key)
    if whole is None:
        return
    where = f"daemon pod {pod.key} on node {node}"
    failures = 0
    if pod.facts.phase == "Failed":
        failures = _failures(whole) + 1
        wait_s = _backoff_s(failures - 1) - (turn.now_ns - pod.facts.created_ns) / _NS
        if wait_s > 0:
            turn.actions.append(RequeueAfter(wait_s))
            return
        text = f"Found failed {where}, will try to kill it"
        turn.actions.append(EmitEvent(turn.daemon, "Warning", "FailedDaemonPod", text))
    else:
        text = f"Found succeeded {where}, will try to delete it"
        turn.actions.append(EmitEvent(turn.daemon, "Normal", "SucceededDaemonPod", text))
    turn.delete(pod)
    if starts and pod.key in turn.deleted:
        turn.wanted_on[node] = failures


def _failures(pod: Obj) -> int:
    written = annotations_of(pod).get(FAILURES) or ""
    return int(written) if written.isascii() and written.isdigit() and len(written) < 5 else 0


def _backoff_s(failures: int) -> float:
    if failures <= 0:
        return 0.0
    return min(BACKOFF_S_MAX, FIRST_BACKOFF_S * 2.0 ** min(failures - 1, _DOUBLINGS_MAX))


def _create(turn: Turn) -> None:
    seed = f"{uid_of(turn.daemon)}/{turn.view.revision(PODS)}"
    namespace = namespace_of(turn.daemon)

    def is_taken(name: str) -> bool:
        return turn.view.get(PODS, Key(namespace, name)) is not None

    for node, failures in list(turn.wanted_on.items())[:CREATED_PER_PLAN]:
        name = fresh_name(turn.daemon, f"{seed}/{node}", is_taken)
        pod = make_pod(turn.daemon, node, turn.revision, name)
        if failures:
            pod["metadata"].setdefault("annotations", {})[FAILURES] = str(failures)
        turn.actions.append(Create(PODS, pod))
        text = f"Created pod: {name}"
        turn.actions.append(EmitEvent(turn.daemon, "Normal", "SuccessfulCreate", text))


# -- updates ----------------------------------------------------------------------------


def _roll(turn: Turn) -> None:
    """Replaces pods of old revisions, as many at a time as the strategy allows."""
    nodes = {name: place.starts for name, place in turn.places.items()}
    wanted = sum(nodes.values())
    surge, unavailable = surge_of(turn.daemon, wanted), unavailable_of(turn.daemon, wanted)
    if wanted and not surge and not unavailable:
        unavailable = 1
    names = [*turn.on_node, *(n for n, starts in nodes.items() if starts and n not in turn.on_node)]
    if surge:
        _roll_by_surge(turn, names, nodes, wanted, surge)
    else:
        _roll_in_place(turn, names, unavailable)


def _pair(turn: Turn, node: str) -> tuple[DaemonPod | None, DaemonPod | None] | None:
    """The new and the old pod on a node; None for more than one of a kind."""
    alive = [pod for pod in turn.on_node.get(node, ()) if not pod.facts.is_terminating]
    new = [pod for pod in alive if pod.is_updated]
    old = [pod for pod in alive if not pod.is_updated]
    if len(new) > 1 or len(old) > 1:
        return None
    return (new[0] if new else None), (old[0] if old else None)


def _roll_in_place(turn: Turn, names: Iterable[str], most: int) -> None:
    missing = 0
    replaced: list[DaemonPod] = []
    candidates: list[DaemonPod] = []
    for name in names:
        pair = _pair(turn, name)
        if pair is None or (pair[0] is None) == (pair[1] is None):
            missing += 1
            continue
        new, old = pair
        if new is not None:
            missing += not turn.is_available(new)
        elif old is not None and not turn.is_available(old):
            replaced.append(old)
            missing += 1
        elif old is not None and missing < most:
            candidates.append(old)
    for pod in [*replaced, *candidates[: max(0, most - missing)]]:
        turn.delete(pod)


def _roll_by_surge(
    turn: Turn, names: Iterable[str], nodes: dict[str, bool], wanted: int, most: int
) -> None:
    surging = available = 0
    elsewhere: list[DaemonPod] = []
    allowed: list[str] = []
    candidates: list[str] = []
    for name in names:
        pair = _pair(turn, name)
        if pair is None:
            surging += 1
            continue
        new, old = pair
        either = old or new
        available += either is not None and turn.is_available(either)
        if old is None:
            continue
        if new is not None:
            if turn.is_available(new):
                turn.delete(old)
            else:
                surging += 1
        elif not nodes.get(name):
            # Where it may not be started any more: it stays until there are enough others.
            if turn.is_available(old):
                elsewhere.append(old)
            else:
                turn.delete(old)
        elif not turn.is_available(old):
            allowed.append(name)
        elif surging < most:
            candidates.append(name)
    for pod in elsewhere[: max(0, available - wanted)]:
        turn.delete(pod)
    for name in [*allowed, *candidates[: max(0, most - surging)]]:
        turn.wanted_on[name] = 0


# -- what is told and kept --------------------------------------------------------------


def _status(turn: Turn) -> list[Action]:
    desired = current = misscheduled = ready = available = updated = 0
    for name, place in turn.places.items():
        pods = turn.on_node.get(name)
        if not place.starts:
            misscheduled += bool(pods)
            continue
        desired += 1
        if not pods:
            continue
        current += 1
        pod = oldest_first(pods)[0] if len(pods) > 1 else pods[0]
        ready += pod.facts.is_ready
        available += turn.is_available(pod)
        updated += pod.is_updated
    status: Obj = {
        "observedGeneration": number(turn.daemon, "metadata", "generation"),
        "desiredNumberScheduled": desired,
        "currentNumberScheduled": current,
        "numberMisscheduled": misscheduled,
        "numberReady": ready,
        "numberAvailable": available,
        "numberUnavailable": desired - available,
        "updatedNumberScheduled": updated,
        "collisionCount": turn.history.collisions,
    }
    return [*write_status(DAEMON_SETS, turn.daemon, status, kept=KEPT)]


def _truncate(turn: Turn) -> list[Operation]:
    """Drops the oldest revisions that no pod has, beyond the limit."""
    limit = part(turn.daemon, "spec").get("revisionHistoryLimit")
    update = name_of(turn.history.update)
    old = [each for each in turn.history.revisions if name_of(each) != update]
    surplus = len(old) - int(limit) if limit is not None else 0
    if surplus <= 0:
        return []
    live = {
        dict(pod.facts.labels).get(REVISION_LABEL) for pods in turn.on_node.values() for pod in pods
    }
    dead = [each for each in old if labels_of(each).get(REVISION_LABEL) not in live]
    return [drop_revision(each) for each in dead[:surplus]]


# -- the controller ---------------------------------------------------------------------


def _concerned(view: View, node: Obj) -> list[Key]:
    """The DaemonSets that have a pod too few or too many on the node, or may have.

    Nodes are written often (heartbeats), and nobody says what of them has changed.
    """
    daemons = view.all(DAEMON_SETS)
    if not daemons:
        return []
    there = view.find_keys(ON_NODE, name_of(node))
    is_gone = view.get(NODES, key_of(node)) is None
    found: list[Key] = []
    for key, daemon in daemons.items():
        pods = view.digested(REPLICAS, daemon)
        has_pod = any(each in pods for each in there)
        place = places_in(view, daemon)(node)
        is_misplaced = bool(number(daemon, "status", "numberMisscheduled"))
        if (
            is_gone
            or (not has_pod and place.starts)
            or (has_pod and not place.stays)
            or (has_pod and (is_misplaced or not place.starts))
        ):
            found.append(key)
    return found


_BY_LABEL = selected_by(DAEMON_SETS)
CONTROLLER = Controller(
    name="daemonset",
    resource=DAEMON_SETS,
    reconcile=reconcile,
    watches=(
        dependents(PODS, DAEMON_SETS, _BY_LABEL),
        dependents(CONTROLLER_REVISIONS, DAEMON_SETS, _BY_LABEL),
        Watch(NODES, _concerned),
    ),
    indexes=(_BY_LABEL, ON_NODE, ORPHANS[PODS], ORPHANS[CONTROLLER_REVISIONS]),
    digests=(REPLICAS,),
)
