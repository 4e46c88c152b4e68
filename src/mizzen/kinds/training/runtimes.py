"""ClusterTrainingRuntime and TrainingRuntime: how a TrainJob is run.

Source: trainer.kubeflow.org/v1alpha1 (8c0f505).
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES, Resource
from mizzen.kinds.batch.job_rules import PARALLELISM_MAX
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.core.pod_rules import default_pod_spec, validate_pod_spec
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import OBJECT_META, root
from mizzen.kinds.reading import entries, part
from mizzen.kinds.schema import (
    BOOL,
    EMPTY,
    INT32,
    OPEN,
    STR,
    STRINGS,
    array,
    choice,
    package,
)
from mizzen.kinds.training.jobset import JOB_SET_SPEC, ONE_JOB
from mizzen.kinds.treatment import accepted, acted, refused

PREFIX = "org.kubeflow.trainer.v1alpha1"
v1alpha1 = package(PREFIX)
NODE = "node"  # upstream's name of the replicated job that trains
POLICIES = ("torch", "mpi", "flux", "jax", "xgboost")

ML_POLICY = v1alpha1(
    "MLPolicy",
    "How the workers find each other; at most one framework.",
    numNodes=INT32(
        "Workers, unless the TrainJob says otherwise.", minimum=1, maximum=PARALLELISM_MAX
    ),
    torch=v1alpha1(
        "TorchMLPolicySource",
        "torchrun: sets PET_*.",
        numProcPerNode=INT32("Processes in each worker."),
        envInjection=v1alpha1(
            "EnvInjection",
            "Which containers get the variables.",
            targets=array(
                v1alpha1("EnvInjectionTarget", "A target.", jobName=STR(), containerNames=STRINGS())
            )(),
        ),
    ),
    mpi=v1alpha1(
        "MPIMLPolicySource",
        "MPI: a launcher and a host file.",
        numProcPerNode=INT32("Processes in each worker."),
        mpiImplementation=choice("OpenMPI", "Intel", "MPICH")(),
        sshAuthMountPath=STR(),
        runLauncherAsNode=BOOL(),
    ),
    flux=v1alpha1("FluxMLPolicySource", "Flux.", numProcPerNode=INT32("Processes in each worker.")),
    jax=EMPTY("JAX: sets JAX_*.", name=f"{PREFIX}.JAXMLPolicySource"),
    xgboost=EMPTY("XGBoost: sets DMLC_*.", name=f"{PREFIX}.XGBoostMLPolicySource"),
)
SPEC = v1alpha1(
    "TrainingRuntimeSpec",
    "How a TrainJob is run.",
    mlPolicy=ML_POLICY(),
    podGroupPolicy=v1alpha1(
        "PodGroupPolicy",
        "How the workers are scheduled together.",
        coscheduling=v1alpha1(
            "CoschedulingPodGroupPolicySource",
            "All or nothing.",
            scheduleTimeoutSeconds=INT32("Seconds until giving up.", minimum=0),
        ),
        volcano=OPEN("Volcano's."),
    ),
    template=v1alpha1(
        "JobSetTemplateSpec",
        "The JobSet that runs the TrainJob.",
        metadata=OBJECT_META("Its labels and annotations."),
        spec=JOB_SET_SPEC("The Jobs."),
    )("The JobSet that runs the TrainJob.", required=True),
)


def _default(runtime: Obj) -> None:
    for job in entries(runtime, "spec.template.spec.replicatedJobs"):
        default_pod_spec(part(job, "template.spec.template.spec"))


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes: list[Cause] = []
    chosen = [name for name in POLICIES if name in part(spec, "mlPolicy")]
    if len(chosen) > 1:
        message = f"Invalid value: {{...}}: only one of the policies can be configured: {chosen}"
        causes.append(Cause("spec.mlPolicy", message))
    jobs = entries(spec["template"], "spec.replicatedJobs")
    if not jobs:
        path = "spec.template.spec.replicatedJobs"
        causes.append(Cause(path, "Required value", "FieldValueRequired"))
    for index, job in enumerate(jobs):
        if job["name"] != NODE:
            at = f"spec.template.spec.replicatedJobs[{index}].name"
            message = (
                f'Unsupported value: "{job["name"]}": a runtime has one replicatedJob here, '
                f'"{NODE}", the workers; initializers and launchers are not served'
            )
            causes.append(Cause(at, message, "FieldValueNotSupported"))
        path = f"spec.template.spec.replicatedJobs[{index}].template.spec.template.spec"
        pod = (part(job["template"], "spec.template")).get("spec")
        if pod is not None:
            causes += _without_images(validate_pod_spec(pod, path))
    return causes


def _without_images(causes: list[Cause]) -> list[Cause]:
    """A TrainJob may supply the image, so a runtime need not."""
    return [
        c for c in causes if not (c.field.endswith("].image") and c.reason == "FieldValueRequired")
    ]


def _policy(runtime: Obj, now_ns: int) -> str:
    policy = part(runtime["spec"], "mlPolicy")
    return next((name for name in POLICIES if name in policy), "")


def _kind(resource: Resource, short: str) -> Kind:
    return Kind(
        resource=resource,
        short_names=(short,),
        schema=root(
            resource,
            "How a TrainJob is run.",
            f"{PREFIX}.{resource.kind}",
            spec=SPEC("How a TrainJob is run.", required=True),
        ),
        default=_default,
        validate=_validate,
        columns=(NAME, Column("Framework", _policy), AGE),
    )


KINDS = (_kind(CLUSTER_TRAINING_RUNTIMES, "ctr"), _kind(TRAINING_RUNTIMES, "tr"))

_NO_TORCH = (
    "torchrun's environment (PET_*, MASTER_ADDR) is not made, so workers would train alone; use "
    "mlPolicy.jax, or a runtime without a policy whose program joins by itself"
)
SERVED_FIELDS = {
    "trainer.v1alpha1.ClusterTrainingRuntime": acted("controllers", "spec"),
    "trainer.v1alpha1.TrainingRuntime": acted("controllers", "spec"),
    "trainer.v1alpha1.TrainingRuntimeSpec": {
        **acted("controllers", "mlPolicy template"),
        **accepted("podGroupPolicy", "workers are always placed together"),
    },
    "trainer.v1alpha1.MLPolicy": {
        **acted("controllers", "numNodes jax"),
        **refused("torch", f"the PyTorch runtime is not served: {_NO_TORCH}"),
        **refused("mpi flux xgboost", "of the policies only jax is served"),
    },
    "trainer.v1alpha1.JobSetTemplateSpec": {
        **acted("controllers", "spec"),
        **accepted("metadata", f"{ONE_JOB}, whose labels these would be"),
    },
}  # fmt: skip
