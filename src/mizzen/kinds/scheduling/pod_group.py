"""PodGroup: pods that are scheduled together. Source: scheduling.k8s.io/v1alpha2, 1.36."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import POD_GROUPS
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.core.pod_spec import POD_RESOURCE_CLAIM
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import CONDITIONS, root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.reading import entries
from mizzen.kinds.schema import EMPTY, INT32, STR, array, choice, package
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import accepted, acted

v1alpha2 = package("io.k8s.api.scheduling.v1alpha2")

_CLAIM_FIELDS = POD_RESOURCE_CLAIM.fields
SPEC = v1alpha2(
    "PodGroupSpec",
    "How the pods are scheduled.",
    podGroupTemplateRef=v1alpha2(
        "PodGroupTemplateReference",
        "The template it was made from.",
        workload=v1alpha2(
            "WorkloadPodGroupTemplateReference",
            "A template of a Workload.",
            workloadName=STR("The Workload.", required=True),
            podGroupTemplateName=STR("Its template.", required=True),
        ),
    ),
    schedulingPolicy=v1alpha2(
        "PodGroupSchedulingPolicy",
        "One of basic, gang.",
        basic=EMPTY(
            "Each pod on its own.", name="io.k8s.api.scheduling.v1alpha2.BasicSchedulingPolicy"
        ),
        gang=v1alpha2(
            "GangSchedulingPolicy",
            "All or nothing.",
            minCount=INT32("So many pods start together, or none.", required=True, minimum=1),
        ),
    )("One of basic, gang.", required=True),
    schedulingConstraints=v1alpha2(
        "PodGroupSchedulingConstraints",
        "Where the pods must be together.",
        topology=array(
            v1alpha2(
                "TopologyConstraint",
                "All pods on nodes with the same value of a label.",
                key=STR("The label.", required=True),
            )
        )("Node labels; the first counts."),
    ),
    resourceClaims=array(
        v1alpha2("PodGroupResourceClaim", "A claim shared by the pods.", **_CLAIM_FIELDS),
        key="name",
    )("Claims shared by the pods.", max_items=4, retain_keys=True),
    disruptionMode=choice("Pod", "PodGroup")("What preemption takes: single pods or all."),
    priorityClassName=STR("Priority of the group."),
    priority=INT32("Priority of the group; from the class."),
)
STATUS = v1alpha2(
    "PodGroupStatus",
    "What became of it.",
    conditions=CONDITIONS("PodGroupScheduled, DisruptionTarget."),
    resourceClaimStatuses=array(
        v1alpha2(
            "PodGroupResourceClaimStatus",
            "The claim made for an entry of spec.resourceClaims.",
            name=STR("The entry.", required=True),
            resourceClaimName=STR("The ResourceClaim made for it."),
        ),
        key="name",
    )("Claims made from templates.", retain_keys=True),
)


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    # Upstream freezes the whole spec. minCount may change here: an elastic job's annotation may.
    fixed = ("podGroupTemplateRef", "schedulingConstraints", "resourceClaims", "disruptionMode")
    causes = immutable(new, old, *(f"spec.{name}" for name in fixed))
    return causes + check_policy(new["spec"]["schedulingPolicy"], "spec.schedulingPolicy")


def check_policy(policy: Obj, field: str) -> list[Cause]:
    """Exactly one of the two policies is named."""
    if ("basic" in policy) != ("gang" in policy):
        return []
    message = "Invalid value: {...}: must specify exactly one of: `basic`, `gang`"
    return [Cause(field, message)]


def _scheduled(group: Obj, now_ns: int) -> str:
    for condition in entries(group, "status.conditions"):
        if condition["type"] == "PodGroupScheduled":
            return condition["status"]
    return ""


KIND = Kind(
    resource=POD_GROUPS,
    short_names=("pg",),
    schema=root(
        POD_GROUPS,
        "Pods that are scheduled together.",
        "io.k8s.api.scheduling.v1alpha2.PodGroup",
        spec=SPEC("How the pods are scheduled.", required=True),
        status=STATUS("What became of it."),
    ),
    validate=_validate,
    subresources=(STATUS_SUBRESOURCE,),
    columns=(
        NAME,
        Column("Min", of("spec.schedulingPolicy.gang.minCount", "")),
        Column("Scheduled", _scheduled),
        AGE,
    ),
)

_GROUP = (
    "schedulingPolicy schedulingConstraints resourceClaims disruptionMode priorityClassName "
    "priority"
)
SERVED_FIELDS = {
    "scheduling.v1alpha2.PodGroup": acted("scheduler", "spec"),
    "scheduling.v1alpha2.PodGroupSpec": {
        **acted("scheduler controllers", _GROUP),
        **accepted("podGroupTemplateRef", "says where the group came from"),
    },
    "scheduling.v1alpha2.PodGroupSchedulingPolicy": acted("scheduler kinds", "basic gang"),
    "scheduling.v1alpha2.GangSchedulingPolicy": acted("scheduler", "minCount"),
    "scheduling.v1alpha2.PodGroupSchedulingConstraints": acted("scheduler", "topology"),
    "scheduling.v1alpha2.TopologyConstraint": acted("scheduler", "key"),
    "scheduling.v1alpha2.PodGroupResourceClaim": acted(
        "scheduler controllers", "name resourceClaimName resourceClaimTemplateName"
    ),
}
