"""Job: pods that run to completion."""

from __future__ import annotations

from mizzen.base.clock import parse_rfc3339
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import JOBS
from mizzen.kinds.batch.job_rules import (
    CONTROLLER_UID,
    check_job_name,
    check_job_spec,
    check_job_update,
    check_selector,
    generated_selector,
)
from mizzen.kinds.batch.job_spec import JOB_SPEC
from mizzen.kinds.columns import AGE, NAME, NONE, human_duration
from mizzen.kinds.core.pod_rules import default_pod_spec, validate_template
from mizzen.kinds.core.pod_warnings import warn_of_template
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.reading import entries, part
from mizzen.kinds.schema import INT32, STR, STRINGS, TIME, array, choice, package
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted

v1 = package("io.k8s.api.batch.v1")

JOB_CONDITION = v1(
    "JobCondition",
    "One aspect of the job's state.",
    type=STR("Complete, Failed, Suspended, ...", required=True),
    status=choice("True", "False", "Unknown")("Whether it holds.", required=True),
    lastProbeTime=TIME("When it was last checked."),
    lastTransitionTime=TIME("When status last changed."),
    reason=STR("CamelCase word for programs."),
    message=STR("Sentence for people."),
)
STATUS = v1(
    "JobStatus",
    "What became of it.",
    conditions=array(JOB_CONDITION, key="type")(
        "Aspects of its state.", list_type="atomic", list_keys=()
    ),
    startTime=TIME("When it started."),
    completionTime=TIME("When it succeeded."),
    active=INT32("Pods that run or will."),
    ready=INT32("Pods that are ready."),
    terminating=INT32("Pods that are being removed."),
    succeeded=INT32("Pods that succeeded."),
    failed=INT32("Pods that failed."),
    completedIndexes=STR("Indexes that succeeded, e.g. 0-2,4."),
    failedIndexes=STR("Indexes that failed."),
    uncountedTerminatedPods=v1(
        "UncountedTerminatedPods", "Pods that ended and are not counted yet.",
        succeeded=STRINGS(list_type="set"), failed=STRINGS(list_type="set"),
    ),
)  # fmt: skip


def default_job_spec(spec: Obj) -> None:
    """Completes a JobSpec in place. Source: pkg/apis/batch/v1/defaults.go."""
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    if "backoffLimit" not in spec:
        spec["backoffLimit"] = 2**31 - 1 if "backoffLimitPerIndex" in spec else 6
    replacement = "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
    spec.setdefault("podReplacementPolicy", replacement)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    default_pod_spec(part(spec, "template.spec"))


def _default(job: Obj) -> None:
    spec, metadata = part(job, "spec"), job["metadata"]
    default_job_spec(spec)
    spec.setdefault("manualSelector", False)
    labels = part(spec, "template.metadata.labels")
    if labels and not metadata.get("labels"):
        metadata["labels"] = dict(labels)


def _complete(job: Obj) -> None:
    """The server's selector by the job's UID, and its labels on the pods; on the job, too, where
    it has those of its pods.

    Source: pkg/registry/batch/job `generateSelector`; SetDefaults_Job.
    """
    spec = part(job, "spec")
    if spec.get("manualSelector") or "selector" in spec:
        return
    name, uid = job["metadata"].get("name") or "", job["metadata"].get("uid") or ""
    labels: dict[str, str] = {"batch.kubernetes.io/job-name": name, "job-name": name}
    if uid:
        labels |= {CONTROLLER_UID: uid, "controller-uid": uid}
    if not name or len(name) > 63:
        return
    spec["selector"] = generated_selector(job)
    template: Obj = spec.setdefault("template", {})
    metadata: Obj = template.setdefault("metadata", {})
    before = part(metadata, "labels")
    metadata["labels"] = {**before, **labels}
    if (job["metadata"].get("labels") or {}) == before and not _was_named(job["metadata"]):
        job["metadata"]["labels"] = dict(metadata["labels"])


def _was_named(metadata: Obj) -> bool:
    """True where the server made the name: upstream completes a copy for each that it tries, whose
    labels are no longer the very same as those of its pods."""
    prefix = str(metadata.get("generateName") or "")[:58]
    return bool(prefix) and len(metadata["name"]) == len(prefix) + 5


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes = validate_template(spec["template"], "spec.template", ("OnFailure", "Never"))
    causes += check_job_spec(spec, "spec")
    causes += check_selector(new, old)
    if old is None or spec.get("completions") != old["spec"].get("completions"):
        causes += check_job_name(new["metadata"].get("name") or "", spec)
    return causes if old is None else causes + check_job_update(new, old)


def _status(job: Obj, now_ns: int) -> str:
    """Source: pkg/printers/internalversion `printJob`."""
    true = {c["type"] for c in entries(job, "status.conditions") if c["status"] == "True"}
    for word in ("Complete", "Failed"):
        if word in true:
            return word
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if "Suspended" in true:
        return "Suspended"
    return next((w for w in ("FailureTarget", "SuccessCriteriaMet") if w in true), "Running")


def _completions(job: Obj, now_ns: int) -> str:
    spec, status = job["spec"], part(job, "status")
    done = int(status.get("succeeded") or 0)
    if "completions" in spec:
        return f"{done}/{spec['completions']}"
    parallelism = int(spec.get("parallelism") or 0)
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(job: Obj, now_ns: int) -> str:
    status = part(job, "status")
    if "startTime" not in status:
        return ""
    end = parse_rfc3339(status["completionTime"]) if "completionTime" in status else now_ns
    return human_duration(end - parse_rfc3339(status["startTime"]))


def _containers(job: Obj, now_ns: int) -> str:
    return ",".join(c["name"] for c in job["spec"]["template"]["spec"]["containers"])


def _images(job: Obj, now_ns: int) -> str:
    return ",".join(c.get("image") or "" for c in job["spec"]["template"]["spec"]["containers"])


def _selector(job: Obj, now_ns: int) -> str:
    labels = part(job["spec"], "selector.matchLabels")
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items())) or NONE


KIND = Kind(
    resource=JOBS,
    categories=("all",),
    schema=root(
        JOBS,
        "Pods that run to completion.",
        "io.k8s.api.batch.v1.Job",
        spec=JOB_SPEC("What to run, how often.", required=True),
        status=STATUS("What became of it."),
    ),
    default=_default,
    complete=_complete,
    validate=_validate,
    warn=warn_of_template,
    subresources=(STATUS_SUBRESOURCE,),
    selectable_fields=("status.successful",),
    field_aliases={"status.successful": "status.succeeded"},
    columns=(
        NAME,
        Column("Status", _status),
        Column("Completions", _completions),
        Column("Duration", _duration),
        AGE,
        Column("Containers", _containers, priority=1),
        Column("Images", _images, priority=1),
        Column("Selector", _selector, priority=1),
    ),
)

SERVED_FIELDS = {
    "batch.v1.Job": acted("controllers", "spec"),
}
