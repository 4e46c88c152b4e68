"""The schema of JobSetSpec, which training runtimes hold as their template.

Source: jobset.sigs.k8s.io/api/jobset/v1alpha2 (08dfbdf).
"""

from __future__ import annotations

from mizzen.kinds.batch.job_spec import JOB_SPEC
from mizzen.kinds.core.volumes import CLAIM_SPEC
from mizzen.kinds.meta import OBJECT_META
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    OPEN,
    STR,
    STRINGS,
    array,
    choice,
    package,
    record,
)
from mizzen.kinds.treatment import SHOWN, accepted, acted, holding, refused, warned

v1alpha2 = package("io.x-k8s.jobset.v1alpha2")

REPLICATED_JOB = v1alpha2(
    "ReplicatedJob",
    "A Job and how many there are of it.",
    name=STR("Unique in the set.", required=True),
    groupName=STR("Group of replicated jobs.", default="default"),
    template=v1alpha2(
        "JobTemplateSpec",
        "The Job.",
        metadata=OBJECT_META("Labels and annotations of the Job."),
        spec=JOB_SPEC("What it runs.", served_as="jobset.v1alpha2.JobSpec"),
    )("The Job.", required=True),
    replicas=INT32("How many.", default=1, minimum=0),
    dependsOn=array(
        v1alpha2(
            "DependsOn",
            "Another replicated job that must come first.",
            name=STR("Its name.", required=True),
            status=choice("Ready", "Complete")("How far it must be.", required=True),
        ),
        keys=("name",),
    )("Start only after these.", max_items=10),
)
JOB_SET_SPEC = v1alpha2(
    "JobSetSpec",
    "Jobs that belong together.",
    replicatedJobs=array(REPLICATED_JOB, keys=("name",))("The Jobs.", unique=True),
    network=v1alpha2(
        "Network",
        "How the pods find each other.",
        enableDNSHostnames=BOOL(),
        subdomain=STR(),
        publishNotReadyAddresses=BOOL(),
    ),
    successPolicy=v1alpha2(
        "SuccessPolicy",
        "When the set is done.",
        operator=choice("All", "Any")("All or any of the targets.", required=True),
        targetReplicatedJobs=STRINGS("Which; all by default."),
    ),
    failurePolicy=v1alpha2(
        "FailurePolicy",
        "What failures mean.",
        maxRestarts=INT32("Restarts until the set fails.", minimum=0),
        restartStrategy=choice("Recreate", "BlockingRecreate", "InPlaceRestart")(),
        rules=array(
            v1alpha2(
                "FailurePolicyRule",
                "A kind of failure and its meaning.",
                name=STR("Name of the rule."),
                action=choice(
                    "FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts",
                    "RestartJob", "RestartJobAndIgnoreMaxRestarts",
                )("What to do.", required=True),
                onJobFailureReasons=STRINGS("Reasons of the Job's failure."),
                onJobFailureMessagePatterns=STRINGS("Patterns of its message."),
                targetReplicatedJobs=STRINGS("Which; all by default."),
            )
        )("The first that fits counts."),
    ),
    startupPolicy=v1alpha2(
        "StartupPolicy",
        "In which order the Jobs start.",
        startupPolicyOrder=choice("AnyOrder", "InOrder")("The order.", required=True),
    ),
    suspend=BOOL("Whether it pauses."),
    coordinator=v1alpha2(
        "Coordinator",
        "The pod the others look up to.",
        replicatedJob=STR("Its replicated job.", required=True),
        jobIndex=INT32("Its Job."),
        podIndex=INT32("Its pod."),
    ),
    managedBy=STR("Who runs the set."),
    ttlSecondsAfterFinished=INT32("Seconds until it is deleted.", minimum=0),
    volumeClaimPolicies=array(
        record(
            "Storage of the set.",
            templates=array(record("A claim.", metadata=OBJECT_META(), spec=CLAIM_SPEC(), status=OPEN()))(),
            retentionPolicy=OPEN(),
        )
    )("Storage of the set."),
)  # fmt: skip

ONE_JOB = "a TrainJob here is one gang of pods, with no JobSet and no Job between"
SERVED_FIELDS = {
    "jobset.v1alpha2.JobSetSpec": {
        **acted("controllers", "replicatedJobs"),
        **holding("network"),
        **accepted("startupPolicy successPolicy", "there is one Job, `node`, and all its pods count"),
        **refused("failurePolicy", "a gang restarts in place; annotation "
                   "mizzen.dev/max-failures-without-progress of the TrainJob bounds it"),
        **refused("suspend ttlSecondsAfterFinished volumeClaimPolicies coordinator", ONE_JOB),
        **refused("managedBy", ONE_JOB, "jobset.sigs.k8s.io/jobset-controller"),
    },
    "jobset.v1alpha2.Network": {
        **accepted("enableDNSHostnames publishNotReadyAddresses",
                    "pods find each other by <hostname>.<subdomain>, ready or not"),
        **refused("subdomain", "it is always the TrainJob's name"),
    },
    "jobset.v1alpha2.ReplicatedJob": {
        **acted("controllers", "name template"),
        **accepted("groupName", SHOWN),
        **refused("replicas", f"{ONE_JOB}; ask for more workers (numNodes)", 1),
        **refused("dependsOn", ONE_JOB),
    },
    "jobset.v1alpha2.JobTemplateSpec": {
        **acted("controllers", "spec"),
        **accepted("metadata", f"{ONE_JOB}, whose labels these would be"),
    },
    "jobset.v1alpha2.JobSpec": {  # a Job's, where it stands in a runtime
        **acted("controllers", "template"),
        **accepted("parallelism completions completionMode podReplacementPolicy",
                    "as upstream, numNodes decides"),
        **warned("backoffLimit", "annotation mizzen.dev/max-failures-without-progress of the "
                  "TrainJob bounds restarts", 6, 0),
        **refused("backoffLimitPerIndex maxFailedIndexes podFailurePolicy successPolicy", ONE_JOB),
        **refused("ttlSecondsAfterFinished selector manualSelector managedBy", ONE_JOB),
        **refused("activeDeadlineSeconds suspend", f"{ONE_JOB}: set it in the TrainJob"),
    },
}  # fmt: skip
