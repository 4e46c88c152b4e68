"""Lets go of pods that a Job tracked and that no Job counts any more.

Their Job is gone, or another one has its name by now, or they were let go of as orphans, or somebody
made them with its finalizers: nobody else would ever take these off.
Source: kube-controller-manager `pkg/controller/job`, `syncOrphanPod`.
"""

from __future__ import annotations

from mizzen.base.objects import Key, Obj, controller_of, key_of, namespace_of, uid_of
from mizzen.base.resources import JOBS, PODS
from mizzen.controllers.core.actions import Action, Controller, RequeueAfter, Watch
from mizzen.controllers.core.job_count import is_held, is_tracked, untrack
from mizzen.controllers.core.view import View

JOB_LAG_S = 5.0


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Takes a Job's finalizers off the pod named by `key` where no Job will."""
    pod = view.get(PODS, key)
    if pod is None or not _is_due(view, pod):
        return []
    owner = controller_of(pod) or {}
    is_of_job = owner.get("kind") == JOBS.kind
    if is_of_job and not view.is_gone(JOBS, str(owner.get("uid")), named_by=pod):
        return [RequeueAfter(JOB_LAG_S)]
    return [untrack(pod)]


def _is_due(view: View, pod: Obj) -> bool:
    """True if the pod is tracked, and not by a Job that is there."""
    if not (is_tracked(pod) or is_held(pod)):
        return False
    owner = controller_of(pod)
    if owner is None or owner.get("kind") != JOBS.kind:
        return True
    job = view.get(JOBS, Key(namespace_of(pod), str(owner.get("name"))))
    return job is None or uid_of(job) != str(owner.get("uid"))


def _pods_of(view: View, job: Obj) -> list[Key]:
    """The pods of a deleted Job; those of a Job that exists are left to the job controller."""
    there = view.get(JOBS, key_of(job))
    if there is not None and uid_of(there) == uid_of(job):
        return []
    return view.owned_keys(PODS, job)


CONTROLLER = Controller(
    name="job-orphans",
    resource=PODS,
    reconcile=reconcile,
    predicate=_is_due,
    watches=(Watch(JOBS, _pods_of),),
)
