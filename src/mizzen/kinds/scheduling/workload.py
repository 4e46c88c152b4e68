"""Workload: templates of the PodGroups that a workload is made of. Source: scheduling.k8s.io/v1alpha2, 1.36."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import WORKLOADS
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.reading import entries, part
from mizzen.kinds.scheduling.pod_group import SPEC as POD_GROUP_SPEC
from mizzen.kinds.scheduling.pod_group import check_policy
from mizzen.kinds.schema import STR, array, package
from mizzen.kinds.treatment import accepted

TEMPLATES_MAX = 8
v1alpha2 = package("io.k8s.api.scheduling.v1alpha2")

_COPIED = {n: s for n, s in POD_GROUP_SPEC.fields.items() if n != "podGroupTemplateRef"}
SPEC = v1alpha2(
    "WorkloadSpec",
    "Which groups of pods there are to be; cannot change.",
    controllerRef=v1alpha2(
        "TypedLocalObjectReference",
        "An object of the same namespace.",
        apiGroup=STR("Its API group; empty for core."),
        kind=STR("Its kind.", required=True),
        name=STR("Its name.", required=True),
    )("The workload's own object, such as a Job."),
    podGroupTemplates=array(
        v1alpha2(
            "PodGroupTemplate",
            "What controllers copy into PodGroups.",
            name=STR("Its name in this Workload.", required=True),
            **_COPIED,
        ),
        keys=("name",),
    )("Templates of PodGroups.", required=True, max_items=TEMPLATES_MAX),
)


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes = immutable(new, old, "spec.podGroupTemplates")
    if old is not None and part(old, "spec.controllerRef"):
        causes += immutable(new, old, "spec.controllerRef")
    for index, template in enumerate(entries(new, "spec.podGroupTemplates")):
        field = f"spec.podGroupTemplates[{index}].schedulingPolicy"
        causes += check_policy(template["schedulingPolicy"], field)
    return causes


KIND = Kind(
    resource=WORKLOADS,
    schema=root(
        WORKLOADS,
        "Templates of the PodGroups that a workload is made of.",
        "io.k8s.api.scheduling.v1alpha2.Workload",
        spec=SPEC("Which groups of pods there are to be.", required=True),
    ),
    validate=_validate,
    columns=(
        NAME,
        Column("Controller", of("spec.controllerRef.name", "")),
        AGE,
    ),
)

SERVED_FIELDS = {
    "scheduling.v1alpha2.Workload": accepted(
        "spec", "for controllers of yours that make PodGroups from it; upstream alike"
    ),
}
