"""TrainJob: a gang of pods that trains together, elastic by annotation.

Always one pod per wished rank, unbound ones pending; the scheduler binds and evicts, this
controller says which ranks run together (`formation`). See ARCHITECTURE.md, "Elastic gangs".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from mizzen.base.clock import parse_rfc3339
from mizzen.base.names import (
    COMPLETION_INDEX,
    FORMATION_GENERATION,
    FORMATION_SIZE,
    RESUMABLE,
)
from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    condition,
    has_condition,
    is_owned_by,
    is_terminating,
    key_of,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.operations import Delete, Patch
from mizzen.base.resources import (
    CLUSTER_TRAINING_RUNTIMES,
    DEVICE_CLASSES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIMS,
    TRAIN_JOBS,
    TRAINING_RUNTIMES,
)
from mizzen.controllers.core import formation
from mizzen.controllers.core.actions import (
    Action,
    Controller,
    EmitEvent,
    RequeueAfter,
    Watch,
    owners,
)
from mizzen.controllers.core.disruption import declare_disruption
from mizzen.controllers.core.extended_resources import classes_by_resource, drop_unused_claims
from mizzen.controllers.core.formation import rank_of
from mizzen.controllers.core.pods import failure_message, has_failed, is_active, is_finished
from mizzen.controllers.core.training_runtime import (
    NodeTemplate,
    RuntimeTrouble,
    node_template,
    runtime_reference,
)
from mizzen.controllers.core.trainjob_pods import (
    create_rank,
    pod_group_actions,
    pod_group_of,
    pod_name,
)
from mizzen.controllers.core.trainjob_status import (
    NS,
    job_condition,
    no_longer_waiting,
    report_stuck,
    waiting_condition,
    write_status,
)
from mizzen.controllers.core.view import View

RANKS_PER_PLAN = 200  # made or deleted in one plan, in which others wait
MANAGER = "trainer.kubeflow.org/trainjob-controller"


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """The actions that the TrainJob named by `key` needs now."""
    job = view.get(TRAIN_JOBS, key)
    if job is None or is_terminating(job) or job["spec"].get("managedBy", MANAGER) != MANAGER:
        return []
    pods = view.owned(PODS, job)
    actions = drop_unused_claims(view, job, pods)
    if is_over(job):
        return actions + _delete(_unfinished(pods)) + write_status(job, pods, (), now_ns)
    if job["spec"].get("suspend"):
        return actions + _suspend(job, pods, now_ns)
    try:
        template = node_template(view, job)
    except RuntimeTrouble as trouble:
        return actions + _refuse(job, pods, trouble, now_ns)
    return actions + _run(view, job, template, pods, now_ns)


def is_over(job: Obj) -> bool:
    """True if the job completed or failed for good; a mended runtime revives a refused one."""
    failed = condition(job, "Failed")
    if failed is not None and failed["status"] == "True" and failed["reason"] not in _MENDABLE:
        return True
    return has_condition(job, "Complete")


_MENDABLE = (
    "TrainingRuntimeNotSupported",
    "InvalidElasticity",
    "InvalidName",
    "InvalidRuntimePatch",
    "MissingCommand",
)


def _run(
    view: View, job: Obj, template: NodeTemplate, pods: list[Obj], now_ns: int
) -> list[Action]:
    ranks = [rank_of(pod) for pod in pods]
    conditions = _awake_conditions(job, now_ns)
    if formation.is_complete(ranks, template.min_nodes):
        return _complete(job, pods, conditions, now_ns)
    broken = [pod for pod in pods if has_failed(pod)]
    if broken:
        return _fail(job, pods, "PodFailed", failure_message(broken[0]), now_ns)
    left_s = _seconds_to_deadline(job, now_ns)
    if left_s is not None and left_s <= 0:
        seconds = job["spec"]["activeDeadlineSeconds"]
        text = f"the job ran longer than spec.activeDeadlineSeconds: {seconds}"
        return _fail(job, pods, "DeadlineExceeded", text, now_ns)
    actions: list[Action] = [] if left_s is None else [RequeueAfter(left_s)]
    actions += pod_group_actions(job, template, pod_group_of(view, job))
    actions += declare_disruption(pods, RESUMABLE)
    actions += _keep_ranks(view, job, template, pods, now_ns)
    actions += _form(job, ranks, template.min_nodes)
    waiting = waiting_condition(job, pods, template.min_nodes, now_ns)
    if waiting is not None:
        conditions = [*conditions, waiting]
        if waiting["status"] == "True":
            actions.append(EmitEvent(job, "Warning", waiting["reason"], waiting["message"]))
    return actions + write_status(job, pods, conditions, now_ns)


def _keep_ranks(
    view: View, job: Obj, template: NodeTemplate, pods: list[Obj], now_ns: int
) -> list[Action]:
    """One pod for each wished rank: missing ones made, superfluous and evicted ones deleted."""
    ranks = [rank_of(pod) for pod in pods]
    is_finishing = formation.is_finishing(ranks, template.min_nodes)
    superfluous = [
        pod
        for pod, rank in zip(pods, ranks, strict=True)
        if not is_terminating(pod)
        and (rank.rank >= template.num_nodes or _is_void(pod, is_finishing))
    ]
    actions: list[Action] = list(_delete(superfluous))
    if is_finishing:
        return actions
    present = {rank.rank for rank in ranks}
    classes = classes_by_resource(view)
    missing = (rank for rank in range(template.num_nodes) if rank not in present)
    for rank in islice(missing, RANKS_PER_PLAN):  # their pods' appearance brings the next turn
        taken = view.get(PODS, Key(namespace_of(job), pod_name(job, rank)))
        if taken is not None and not is_owned_by(taken, job):
            text = f"pod {name_of(taken)} exists already and belongs to something else; delete it"
            actions += [EmitEvent(job, "Warning", "PodNameTaken", text), RequeueAfter(5.0)]
        elif taken is None:
            actions += create_rank(job, template, classes, rank, now_ns)
    return actions


def _is_void(pod: Obj, is_finishing: bool) -> bool:
    """An ended pod that stands for nothing: evicted, or done before its formation was."""
    return is_finished(pod) and not has_failed(pod) and not is_finishing


def _form(job: Obj, ranks: Sequence[formation.Rank], min_nodes: int) -> list[Action]:
    """Writes a due formation to all pods that run in it or leave for it, in one plan."""
    new = formation.next_formation(ranks, min_nodes)
    if new is None:
        return []
    annotations = {
        FORMATION_GENERATION: str(new.generation),
        FORMATION_SIZE: str(new.size),
    }
    change: Obj = {"metadata": {"annotations": annotations}}
    actions: list[Action] = [
        Patch(PODS, namespace_of(job), rank.name, change, uid=rank.uid)
        for rank in formation.pods_to_notify(ranks, new)
    ]
    old = formation.current(ranks)
    text = f"formation {new.generation}: {new.size} workers train together"
    if old.generation:
        text += f" (formation {old.generation} had {old.size})"
    return [*actions, EmitEvent(job, "Normal", "Formation", text)]


def _complete(job: Obj, pods: list[Obj], conditions: Sequence[Obj], now_ns: int) -> list[Action]:
    text = "all workers succeeded"
    done = job_condition("Complete", True, "JobsCompleted", text, now_ns)
    return [
        *_delete(_unfinished(pods)),
        *write_status(
            job, pods, [*conditions, *no_longer_waiting(job, "Complete", now_ns), done], now_ns
        ),
        EmitEvent(job, "Normal", "Complete", text),
    ]


def _fail(job: Obj, pods: list[Obj], reason: str, text: str, now_ns: int) -> list[Action]:
    failed = job_condition("Failed", True, reason, text, now_ns)
    return [
        *_delete(_unfinished(pods)),
        *write_status(job, pods, [*no_longer_waiting(job, "Failed", now_ns), failed], now_ns),
        EmitEvent(job, "Warning", reason, text),
    ]


def _refuse(job: Obj, pods: list[Obj], trouble: RuntimeTrouble, now_ns: int) -> list[Action]:
    """Writes the trouble into the job's conditions; pods that already run are left alone."""
    text = str(trouble)
    failed = job_condition("Failed", True, trouble.reason, text, now_ns)
    actions = write_status(job, pods, [failed], now_ns)
    known = condition(job, "Failed")
    if known is None or known.get("message") != text:
        actions.append(EmitEvent(job, "Warning", trouble.reason, text))
    return actions


def _suspend(job: Obj, pods: list[Obj], now_ns: int) -> list[Action]:
    text = "spec.suspend is true: no pods run"
    suspended = job_condition("Suspended", True, "Suspended", text, now_ns)
    return [
        *_delete(_unfinished(pods)),
        *write_status(job, pods, [*no_longer_waiting(job, "Suspended", now_ns), suspended], now_ns),
    ]


def _awake_conditions(job: Obj, now_ns: int) -> list[Obj]:
    """Conditions that an earlier state left behind and that no longer hold."""
    stale: list[Obj] = []
    if has_condition(job, "Suspended"):
        stale.append(job_condition("Suspended", False, "Resumed", "the job was resumed", now_ns))
    if has_condition(job, "Failed"):
        stale.append(job_condition("Failed", False, "Mended", "the job can run now", now_ns))
    return stale


def _seconds_to_deadline(job: Obj, now_ns: int) -> float | None:
    """Seconds left of activeDeadlineSeconds, which a resume begins anew."""
    seconds = job["spec"].get("activeDeadlineSeconds")
    if seconds is None:
        return None
    began = job["metadata"].get("creationTimestamp")
    suspended = condition(job, "Suspended")
    if suspended is not None:
        if suspended["status"] == "True":
            return float(seconds)
        began = suspended.get("lastTransitionTime") or began
    if not began:
        return float(seconds)
    return (parse_rfc3339(began) + int(seconds) * NS - now_ns) / NS


def _unfinished(pods: Iterable[Obj]) -> list[Obj]:
    return [pod for pod in pods if is_active(pod)]


def _delete(pods: Iterable[Obj]) -> list[Action]:
    """Highest ranks first, as everywhere."""
    ordered = sorted(pods, key=lambda pod: -int(annotations_of(pod)[COMPLETION_INDEX]))
    return [
        Delete(PODS, namespace_of(pod), name_of(pod), uid=uid_of(pod))
        for pod in ordered[:RANKS_PER_PLAN]
    ]


def _jobs_of_runtime(view: View, runtime: Obj) -> list[Key]:
    return [
        key
        for key, job in view.all(TRAIN_JOBS).items()
        if runtime_reference(job)[1] == key_of(runtime) and not is_over(job)
    ]


CONTROLLER = Controller(
    name="trainjob",
    resource=TRAIN_JOBS,
    reconcile=reconcile,
    watches=(
        Watch(PODS, owners(TRAIN_JOBS)),
        Watch(POD_GROUPS, owners(TRAIN_JOBS)),
        Watch(RESOURCE_CLAIMS, owners(TRAIN_JOBS)),
        Watch(CLUSTER_TRAINING_RUNTIMES, _jobs_of_runtime),
        Watch(TRAINING_RUNTIMES, _jobs_of_runtime),
    ),
    reads=(DEVICE_CLASSES,),
    report_stuck=report_stuck,
)
