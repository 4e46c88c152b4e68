"""Plan: several writes that happen together or not at all. Carried out, never stored."""

from __future__ import annotations

from mizzen.base.resources import PLANS
from mizzen.kinds.kind import Kind
from mizzen.kinds.meta import root
from mizzen.kinds.schema import INT64, OPEN, STR, array, choice, package

v1alpha1 = package("dev.mizzen.v1alpha1")

OPERATION = v1alpha1(
    "PlanOperation",
    "One write.",
    op=choice("create", "patch", "bind", "delete")("What to do.", required=True),
    apiVersion=STR("API version of the resource; of the object for create."),
    resource=STR("The resource's plural, e.g. pods.", required=True),
    namespace=STR("Namespace of the object."),
    name=STR("Name of the object."),
    object=OPEN("The object to create."),
    patch=OPEN("A merge patch (RFC 7386)."),
    subresource=choice("", "status")("What to patch of the object."),
    nodeName=STR("The node to bind the pod to."),
    gracePeriodSeconds=INT64("For delete; 0 removes at once."),
    propagationPolicy=choice("", "Background", "Foreground", "Orphan")(
        "For delete: what becomes of what the object owns."
    ),
    uid=STR("Refuse the plan unless the object has this UID."),
    resourceVersion=STR("Refuse the plan unless the object is at this revision."),
)

KIND = Kind(
    resource=PLANS,
    is_stored=False,
    verbs=("create",),
    schema=root(
        PLANS,
        "Writes that happen together or not at all.",
        "dev.mizzen.v1alpha1.Plan",
        spec=v1alpha1(
            "PlanSpec",
            "The writes.",
            operations=array(OPERATION)("In order.", required=True),
        )("The writes.", required=True),
        status=v1alpha1(
            "PlanStatus",
            "What came of them.",
            revision=INT64("The revision of all of them."),
            results=array(OPEN)("The objects as written, in order."),
        ),
    ),
)
