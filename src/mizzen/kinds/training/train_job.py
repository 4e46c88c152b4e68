"""TrainJob: a distributed training run. Source: trainer.kubeflow.org/v1alpha1 (8c0f505).

Elasticity is annotations, so that the object stays upstream's: `mizzen.dev/min-nodes` and
`mizzen.dev/max-nodes` bound the size, `numNodes` is the wish.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from functools import cache
from typing import Any

from mizzen.base import names
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, annotations_of
from mizzen.base.resources import TRAIN_JOBS
from mizzen.kinds.batch.job_rules import PARALLELISM_MAX
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.core.containers import ENV_VAR, RESOURCE_REQUIREMENTS
from mizzen.kinds.core.references import LOCAL_OBJECT_REFERENCE
from mizzen.kinds.decoding import decode
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import CONDITIONS, OBJECT_META, root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import (
    check_annotations,
    check_labels,
    dns_label_1035,
    invalid_value,
)
from mizzen.kinds.reading import entries, get
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    INT64,
    OPEN,
    STR,
    STRING_MAP,
    STRINGS,
    TIME,
    Schema,
    array,
    package,
    partial,
)
from mizzen.kinds.strict import unknown_field
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.training.jobset import ONE_JOB, REPLICATED_JOB
from mizzen.kinds.treatment import SHOWN, Refused, accepted, acted, refused

PREFIX = "org.kubeflow.trainer.v1alpha1"
v1alpha1 = package(PREFIX)
CONTROLLER = "trainer.kubeflow.org/trainjob-controller"
MANAGERS = (CONTROLLER, "kueue.x-k8s.io/multikueue")
_COUNTS = {names.MIN_NODES: 1, names.MAX_NODES: 1, names.MAX_FAILURES: 0,
           names.PROGRESS_DEADLINE_S: 1}  # fmt: skip
NODES_MAX = PARALLELISM_MAX  # upstream makes them the pods of one Indexed Job
HOSTNAME_LENGTH_MAX = 63  # of a DNS label
PREFIX_OURS = "mizzen.dev/"
_TOPOLOGY = (
    names.TOPOLOGY_REQUIRED,
    names.TOPOLOGY_PREFERRED,
    names.TOPOLOGY_SLICES,
    names.TOPOLOGY_EXCLUSIVE,
)
_KNOWN = (*_COUNTS, *_TOPOLOGY, names.CAUSE, names.STEP, names.PROGRESS)


def _initializer(name: str, what: str) -> Schema:
    return v1alpha1(
        name,
        f"Fetches the {what} first.",
        storageUri=STR("Where from."),
        env=array(ENV_VAR, keys=("name",))("Environment variables."),
        secretRef=LOCAL_OBJECT_REFERENCE("Credentials."),
    )


TRAINER = v1alpha1(
    "Trainer",
    "The workers.",
    image=STR("What to run."),
    command=STRINGS("Replaces the entry point."),
    args=STRINGS("Arguments of the command."),
    env=array(ENV_VAR, keys=("name",))("Environment variables."),
    numNodes=INT32("Workers wanted.", minimum=1, maximum=NODES_MAX),
    resourcesPerNode=RESOURCE_REQUIREMENTS("What each worker needs."),
    numProcPerNode=INT32("Processes in each worker.", minimum=1),
)
PATCH = v1alpha1(
    "RuntimePatch",
    "Changes to the runtime for this job.",
    manager=STR("Who asks for it; unique.", required=True),
    time=TIME("When it was asked for."),
    trainingRuntimeSpec=v1alpha1(
        "TrainingRuntimeSpecPatch",
        "What to change.",
        template=v1alpha1(
            "JobSetTemplatePatch",
            "The JobSet.",
            metadata=OBJECT_META(),
            spec=v1alpha1(
                "JobSetSpecPatch",
                "Its Jobs.",
                replicatedJobs=array(
                    v1alpha1(
                        "ReplicatedJobPatch",
                        "A Job, by name.",
                        name=STR("Its name.", required=True),
                        template=OPEN("A patch of the Job's template."),
                    ),
                    keys=("name",),
                )(),
            ),
        ),
    ),
)
SPEC = v1alpha1(
    "TrainJobSpec",
    "What to train, and how.",
    runtimeRef=v1alpha1(
        "RuntimeRef",
        "The runtime; cannot change.",
        name=STR("Its name.", required=True),
        apiGroup=STR("Its API group.", default="trainer.kubeflow.org"),
        kind=STR("Its kind.", default="ClusterTrainingRuntime"),
    )("The runtime; cannot change.", required=True),
    initializer=v1alpha1(
        "Initializer",
        "What is fetched first.",
        dataset=_initializer("DatasetInitializer", "data"),
        model=_initializer("ModelInitializer", "model"),
    ),
    trainer=TRAINER("The workers."),
    runtimePatches=array(PATCH, keys=("manager",))("Changes to the runtime.", unique=True),
    labels=STRING_MAP("Labels of all objects made for it."),
    annotations=STRING_MAP("Annotations of all objects made for it."),
    suspend=BOOL("Whether it pauses.", default=False),
    activeDeadlineSeconds=INT64("The job fails after so many seconds of running.", minimum=1),
    managedBy=STR("Who runs it; cannot change.", enum=MANAGERS, default=CONTROLLER),
)
STATUS = v1alpha1(
    "TrainJobStatus",
    "What became of it.",
    conditions=CONDITIONS("Suspended, Complete, Failed; mizzen.dev/Waiting says why nothing runs."),
    jobsStatus=array(
        v1alpha1(
            "JobStatus",
            "Pods of one replicated Job.",
            name=STR("The Job.", required=True),
            **{
                n: INT32(default=0) for n in ("ready", "succeeded", "failed", "active", "suspended")
            },
        ),
        keys=("name",),
    )("Pods by Job."),
    trainerStatus=v1alpha1(
        "TrainerStatus",
        "How far it is.",
        progressPercentage=INT32("Percent.", minimum=0, maximum=100),
        estimatedRemainingSeconds=INT32("Seconds left, as far as one can tell."),
        metrics=array(
            v1alpha1(
                "Metric",
                "A number the training reports.",
                name=STR("Its name.", required=True),
                value=STR("Its value.", required=True),
            ),
            keys=("name",),
        )("Numbers the training reports."),
        lastUpdatedTime=TIME("When it was last reported."),
    )(),
)


def _integer(annotations: dict[str, str], name: str, causes: list[Cause]) -> int | None:
    """The annotation as a number; adds a cause and yields None when it is none."""
    text = annotations.get(name)
    if text is None:
        return None
    least = _COUNTS[name]
    path = f"metadata.annotations[{name}]"
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        causes.append(
            Cause(path, f'Invalid value: "{text}": must be an integer, such as "{least}"')
        )
        return None
    if int(text) < least:
        message = f'Invalid value: "{text}": must be greater than or equal to {least}'
        causes.append(Cause(path, message))
        return None
    return int(text)


def _check_size(job: Obj) -> list[Cause]:
    """min-nodes <= numNodes <= max-nodes, and all of them integers."""
    causes: list[Cause] = []
    values = {name: _integer(annotations_of(job), name, causes) for name in _COUNTS}
    least, most = values[names.MIN_NODES], values[names.MAX_NODES]
    wish = get(job, "spec.trainer.numNodes")
    if least is not None and most is not None and least > most:
        path = f"metadata.annotations[{names.MIN_NODES}]"
        causes.append(Cause(path, f'Invalid value: "{least}": must not exceed max-nodes, {most}'))
    if wish is not None and least is not None and wish < least:
        message = f"Invalid value: {wish}: must be at least {names.MIN_NODES}, {least}"
        causes.append(Cause("spec.trainer.numNodes", message))
    if wish is not None and most is not None and wish > most:
        message = f"Invalid value: {wish}: must be at most {names.MAX_NODES}, {most}"
        causes.append(Cause("spec.trainer.numNodes", message))
    return causes


def _check_annotations(new: Obj, old: Obj | None) -> list[Cause]:
    """Refuses unknown annotations under mizzen.dev/: they are ours, so one is a misspelling."""
    before = annotations_of(old) if old is not None else {}
    causes: list[Cause] = []
    for name in annotations_of(new):
        if not name.startswith(PREFIX_OURS) or name in _KNOWN or name in before:
            continue
        close = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.75)
        hint = f'did you mean "{close[0]}"?' if close else f"known are: {', '.join(_COUNTS)}"
        message = f"Unsupported value: not an annotation of TrainJobs; {hint}"
        causes.append(Cause(f"metadata.annotations[{name}]", message, "FieldValueNotSupported"))
    return causes


def _check_names(job: Obj) -> list[Cause]:
    """Each worker's host name is made of the job's name, and must stay a DNS label."""
    wish = int(get(job, "spec.trainer.numNodes") or 1)
    most = annotations_of(job).get(names.MAX_NODES) or ""
    last = max(wish, int(most) if most.isascii() and most.isdigit() and len(most) < 10 else 1) - 1
    name = job["metadata"].get("name") or ""
    hostname = f"{name}-node-0-{last}"
    if len(hostname) <= HOSTNAME_LENGTH_MAX:
        return []
    short = HOSTNAME_LENGTH_MAX - (len(hostname) - len(name))
    message = (
        f'its workers would be named up to "{hostname}", which is longer than '
        f"{HOSTNAME_LENGTH_MAX} characters: take a name of at most {short}"
    )
    return [invalid_value("metadata.name", name, message)]


def _check_patches(job: Obj) -> list[Cause]:
    """Checks that runtimePatches are of the right type, known and served, as in a runtime."""
    causes: list[Cause] = []
    for index, entry in enumerate(entries(job, "spec.runtimePatches")):
        at = f"spec.runtimePatches[{index}].trainingRuntimeSpec.template.spec.replicatedJobs"
        jobs = entries(entry, "trainingRuntimeSpec.template.spec.replicatedJobs")
        for place, patched in enumerate(jobs):
            if "template" not in patched:
                continue
            found = decode(_job_template_patch(), patched["template"])
            wrong = [*found.causes]
            wrong += [u.cause for u in found.unserved if isinstance(u.treatment, Refused)]
            wrong += [Cause(u.path, unknown_field(u)) for u in found.unknown]
            causes += [
                replace(cause, field=f"{at}[{place}].template.{cause.field}".rstrip("."))
                for cause in wrong
            ]
    return causes


@cache
def _job_template_patch() -> Schema:
    return partial(REPLICATED_JOB.fields["template"])


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes = _check_size(new) + _check_annotations(new, old)
    if old is None or new["spec"].get("trainer") != old["spec"].get("trainer"):
        causes += _check_names(new)
    if old is None or new["spec"].get("runtimePatches") != old["spec"].get("runtimePatches"):
        causes += _check_patches(new)
    causes += check_labels(new["spec"].get("labels") or {}, "spec.labels")
    causes += check_annotations(new["spec"].get("annotations") or {}, "spec.annotations")
    reference = new["spec"]["runtimeRef"]
    if reference["apiGroup"] != "trainer.kubeflow.org":
        message = f'Unsupported value: "{reference["apiGroup"]}": supported values: "trainer.kubeflow.org"'
        causes.append(Cause("spec.runtimeRef.apiGroup", message, "FieldValueNotSupported"))
    if reference["kind"] not in ("ClusterTrainingRuntime", "TrainingRuntime"):
        message = (
            f'Unsupported value: "{reference["kind"]}": supported values: '
            '"ClusterTrainingRuntime", "TrainingRuntime"'
        )
        causes.append(Cause("spec.runtimeRef.kind", message, "FieldValueNotSupported"))
    if not reference["name"]:
        causes.append(Cause("spec.runtimeRef.name", "Required value", "FieldValueRequired"))
    return causes + immutable(new, old, "spec.runtimeRef", "spec.managedBy")


def state(job: Obj, now_ns: int) -> str:
    """One word: Complete, Failed, Suspended, Running, Pending."""
    conditions = entries(job, "status.conditions")
    true = {c["type"] for c in conditions if c["status"] == "True"}
    for word in ("Complete", "Failed"):
        if word in true:
            return word
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if "Suspended" in true or job["spec"].get("suspend"):
        return "Suspended"
    jobs: list[Any] = get(job, "status.jobsStatus") or []
    return "Running" if any(int(j.get("ready") or 0) for j in jobs) else "Pending"


def _nodes(job: Obj, now_ns: int) -> str:
    """Workers that are ready, of those wanted: "2/3"."""
    jobs: list[Any] = get(job, "status.jobsStatus") or []
    ready = sum(int(j.get("ready") or 0) for j in jobs)
    wish = get(job, "spec.trainer.numNodes")
    return f"{ready}/{wish}" if wish is not None else str(ready)


def _step(job: Obj, now_ns: int) -> str:
    """The last step and of how many: from the progress annotation, else the metrics."""
    try:
        progress: Any = json.loads(annotations_of(job).get(names.PROGRESS) or "{}")
    except ValueError:
        progress = {}
    found: dict[str, Any] = {
        m["name"]: m["value"] for m in entries(job, "status.trainerStatus.metrics")
    }
    if isinstance(progress, dict):
        found |= progress
    step = found.get("step", annotations_of(job).get(names.STEP, ""))
    return f"{step}/{found['steps']}" if step != "" and found.get("steps") else str(step)


KIND = Kind(
    resource=TRAIN_JOBS,
    categories=("all",),
    name_rule=dns_label_1035,
    schema=root(
        TRAIN_JOBS,
        "A distributed training run.",
        f"{PREFIX}.TrainJob",
        spec=SPEC("What to train, and how.", required=True),
        status=STATUS("What became of it."),
    ),
    validate=_validate,
    subresources=(STATUS_SUBRESOURCE,),
    columns=(
        NAME,
        Column("State", state, description="Pending, Running, Suspended, Complete, Failed."),
        Column("Nodes", _nodes, description="Workers that are ready, of those wanted."),
        Column("Step", _step, description="Last completed step."),
        AGE,
    ),
)

SERVED_FIELDS = {
    "trainer.v1alpha1.TrainJob": acted("controllers", "spec"),
    "trainer.v1alpha1.TrainJobSpec": {
        **acted("controllers", "runtimeRef trainer runtimePatches labels annotations suspend"),
        **acted("controllers", "activeDeadlineSeconds"),
        **refused("initializer", "nothing is fetched before training: fetch in the program, or put "
                   "data and model on this machine"),
        **refused("managedBy", "no other controller runs TrainJobs here; leave it out",
                   "trainer.kubeflow.org/trainjob-controller"),
    },
    "trainer.v1alpha1.RuntimeRef": {
        **acted("controllers", "name kind"), **acted("kinds", "apiGroup"),
    },
    "trainer.v1alpha1.Trainer": {
        **acted("controllers", "image command args env numNodes resourcesPerNode"),
        **refused("numProcPerNode", "each worker is one process; ask for more workers (numNodes)", 1),
    },
    "trainer.v1alpha1.RuntimePatch": {
        **acted("controllers", "trainingRuntimeSpec"),
        **acted("kinds", "manager"),
        **accepted("time", SHOWN),
    },
    "trainer.v1alpha1.TrainingRuntimeSpecPatch": acted("controllers", "template"),
    "trainer.v1alpha1.JobSetTemplatePatch": {
        **acted("controllers", "spec"),
        **refused("metadata", f"{ONE_JOB}: use spec.labels and spec.annotations"),
    },
    "trainer.v1alpha1.JobSetSpecPatch": acted("controllers", "replicatedJobs"),
    "trainer.v1alpha1.ReplicatedJobPatch": acted("controllers", "name template"),
}  # fmt: skip
