"""References and selectors that several core kinds share. Source: core/v1 types.go."""

from __future__ import annotations

from mizzen.kinds.schema import BOOL, INT64, QUANTITY, STR, Schema, array, choice, package
from mizzen.kinds.treatment import SHOWN, accepted, acted, refused

v1 = package("io.k8s.api.core.v1")

LOCAL_OBJECT_REFERENCE = v1(
    "LocalObjectReference",
    "Names an object in the same namespace.",
    name=STR("Name of the object."),
)
OBJECT_REFERENCE = v1(
    "ObjectReference",
    "Names any object.",
    apiVersion=STR("API version of the object."),
    kind=STR("Kind of the object."),
    namespace=STR("Namespace of the object."),
    name=STR("Name of the object."),
    uid=STR("UID of the object."),
    resourceVersion=STR("Revision that was seen."),
    fieldPath=STR("Part of the object, e.g. spec.containers{name}."),
)
TYPED_LOCAL_REFERENCE = v1(
    "TypedLocalObjectReference",
    "Names an object of any kind in the same namespace.",
    apiGroup=STR("API group; empty for core."),
    kind=STR("Kind of the object.", required=True),
    name=STR("Name of the object.", required=True),
)

NODE_SELECTOR_REQUIREMENT = v1(
    "NodeSelectorRequirement",
    "A condition on one label or field of a node.",
    key=STR("The label.", required=True),
    operator=choice("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")(
        "How to compare.", required=True
    ),
    values=array(STR)("Values to compare with."),
)
NODE_SELECTOR_TERM = v1(
    "NodeSelectorTerm",
    "Conditions of which all must hold.",
    matchExpressions=array(NODE_SELECTOR_REQUIREMENT)("Conditions on labels."),
    matchFields=array(NODE_SELECTOR_REQUIREMENT)("Conditions on fields; metadata.name only."),
)
NODE_SELECTOR = v1(
    "NodeSelector",
    "Terms of which one must hold.",
    nodeSelectorTerms=array(NODE_SELECTOR_TERM)("The terms.", required=True),
)

TOLERATION = v1(
    "Toleration",
    "Lets a pod onto nodes with a matching taint.",
    key=STR("The taint's key; empty with operator Exists matches all."),
    operator=choice("Exists", "Equal", "Lt", "Gt")("How to compare; Equal by default."),
    value=STR("The taint's value."),
    effect=choice("NoSchedule", "PreferNoSchedule", "NoExecute")("Empty matches every effect."),
    tolerationSeconds=INT64("How long NoExecute is tolerated; absent: for ever."),
)

OBJECT_FIELD_SELECTOR = v1(
    "ObjectFieldSelector",
    "A field of the pod.",
    apiVersion=STR("Version the path is written in.", default="v1"),
    fieldPath=STR("The field, e.g. metadata.name.", required=True),
)
RESOURCE_FIELD_SELECTOR = v1(
    "ResourceFieldSelector",
    "A resource limit or request of a container.",
    containerName=STR("The container; required in volumes."),
    resource=STR("The resource, e.g. limits.cpu.", required=True),
    divisor=QUANTITY("The unit to express it in.", default="0"),
)


def key_selector(kind: str, what: str) -> Schema:
    """A key of a ConfigMap or Secret."""
    return v1(
        kind,
        f"A key of a {what}.",
        name=STR(f"Name of the {what}."),
        key=STR("The key.", required=True),
        optional=BOOL("Whether it may be missing."),
    )


SERVED_FIELDS = {
    "core.v1.ObjectFieldSelector": {
        **acted("node", "fieldPath"),
        **refused("apiVersion", "paths are written as in v1", "v1"),
    },
    "core.v1.LocalObjectReference": acted("apiserver", "name"),
    "core.v1.ResourceFieldSelector": acted("node", "containerName resource divisor"),
    "core.v1.NodeSelector": acted("scheduler", "nodeSelectorTerms"),
    "core.v1.NodeSelectorTerm": acted("scheduler", "matchExpressions matchFields"),
    "core.v1.NodeSelectorRequirement": acted("scheduler", "key operator values"),
    "core.v1.Toleration": acted(
        "scheduler controllers", "key operator value effect tolerationSeconds"
    ),
    "core.v1.ObjectReference": {
        **acted("client base cli", "apiVersion kind namespace name uid resourceVersion"),
        **accepted("fieldPath", SHOWN),
    },
}  # fmt: skip
