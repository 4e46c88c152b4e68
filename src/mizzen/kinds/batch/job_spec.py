"""The schema of JobSpec, shared with JobSet's templates. Source: batch/v1 types.go, 1.36."""

from __future__ import annotations

from mizzen.kinds.core.pod_spec import POD_TEMPLATE_SPEC
from mizzen.kinds.meta import LABEL_SELECTOR
from mizzen.kinds.schema import BOOL, INT32, INT64, STR, array, choice, package
from mizzen.kinds.treatment import acted

v1 = package("io.k8s.api.batch.v1")

POD_FAILURE_POLICY = v1(
    "PodFailurePolicy",
    "What a failure of a pod means.",
    rules=array(
        v1(
            "PodFailurePolicyRule",
            "A kind of failure and its meaning.",
            action=choice("Count", "FailIndex", "FailJob", "Ignore", default="")(
                "Meaning.", required=True
            ),
            onExitCodes=v1(
                "PodFailurePolicyOnExitCodesRequirement",
                "Exit codes.",
                containerName=STR("The container; any by default."),
                operator=choice("In", "NotIn", default="")("How to compare.", required=True),
                values=array(INT32)("The codes.", list_type="set", expected=True, max_items=255),
            ),
            onPodConditions=array(
                v1(
                    "PodFailurePolicyOnPodConditionsPattern",
                    "A condition of the pod.",
                    type=STR("Its type.", required=True, default=""),
                    status=STR("Its status.", default="True"),
                )
            )("Conditions of the pod.", max_items=20),
        )
    )("The first that fits counts.", expected=True, max_items=20),
)
JOB_SPEC = v1(
    "JobSpec",
    "What to run, how often.",
    template=POD_TEMPLATE_SPEC("The pods.", required=True),
    parallelism=INT32("Pods at a time.", minimum=0),
    completions=INT32("Pods that must succeed.", minimum=0),
    completionMode=choice("NonIndexed", "Indexed")("Indexed: each pod has its own number."),
    backoffLimit=INT32("Failures until the job fails; 6 by default.", minimum=0),
    backoffLimitPerIndex=INT32("Failures until an index fails.", minimum=0),
    maxFailedIndexes=INT32("Failed indexes until the job fails.", minimum=0),
    activeDeadlineSeconds=INT64("The job fails after so many seconds.", minimum=0),
    ttlSecondsAfterFinished=INT32("Seconds until the finished job is deleted.", minimum=0),
    suspend=BOOL("Whether it pauses."),
    selector=LABEL_SELECTOR("Its pods; made by the server."),
    manualSelector=BOOL("Whether selector is the user's own."),
    podFailurePolicy=POD_FAILURE_POLICY(),
    podReplacementPolicy=choice("TerminatingOrFailed", "Failed")("When a pod is replaced."),
    successPolicy=v1(
        "SuccessPolicy",
        "When the job counts as done early.",
        rules=array(
            v1(
                "SuccessPolicyRule",
                "Indexes that must succeed.",
                succeededCount=INT32("How many."),
                succeededIndexes=STR("Which, e.g. 0-2,4."),
            )
        )("One must hold.", required=True, min_items=1, max_items=20),
    ),
    managedBy=STR("Who runs the job; cannot change.", max_length=63),
)

SERVED_FIELDS = {
    "batch.v1.JobSpec": {
        **acted("controllers", "template parallelism completions completionMode backoffLimit"),
        **acted(
            "controllers", "backoffLimitPerIndex activeDeadlineSeconds maxFailedIndexes suspend"
        ),
        **acted("controllers", "ttlSecondsAfterFinished podFailurePolicy podReplacementPolicy"),
        **acted("controllers", "successPolicy managedBy"),
        **acted("kinds", "selector manualSelector"),
    },
    "batch.v1.PodFailurePolicy": acted("controllers", "rules"),
    "batch.v1.PodFailurePolicyRule": acted("controllers", "action onExitCodes onPodConditions"),
    "batch.v1.PodFailurePolicyOnExitCodesRequirement": acted(
        "controllers", "containerName operator values"
    ),
    "batch.v1.PodFailurePolicyOnPodConditionsPattern": acted("controllers", "type status"),
    "batch.v1.SuccessPolicy": acted("controllers", "rules"),
    "batch.v1.SuccessPolicyRule": acted("controllers", "succeededCount succeededIndexes"),
}
