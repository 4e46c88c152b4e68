"""The types that every kind shares: ObjectMeta, conditions, selectors, references.

Source: apimachinery `meta/v1` types.go.
"""

from __future__ import annotations

from mizzen.base.resources import Resource
from mizzen.kinds.schema import (
    ANY,
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
    choice,
    package,
)
from mizzen.kinds.treatment import accepted, acted

meta = package("io.k8s.apimachinery.pkg.apis.meta.v1")

OWNER_REFERENCE = meta(
    "OwnerReference",
    "An object that this one belongs to; when all owners are gone, this one is deleted.",
    apiVersion=STR("API version of the owner.", expected=True),
    kind=STR("Kind of the owner.", expected=True),
    name=STR("Name of the owner.", expected=True),
    uid=STR("UID of the owner.", expected=True),
    controller=BOOL("The one owner that manages this object."),
    blockOwnerDeletion=BOOL("In foreground deletion the owner waits for this object."),
)

OBJECT_META = meta(
    "ObjectMeta",
    "What every stored object has: its name, labels, owners and history.",
    name=STR("Unique within the namespace and kind; cannot change."),
    generateName=STR("Prefix of a name that the server makes, when name is empty."),
    namespace=STR("The namespace the object lives in; cannot change."),
    uid=STR("Unique over time and space; set by the server."),
    resourceVersion=STR("Changes with every write; send it back to update exactly what you saw."),
    generation=INT64("Counts changes of the wish (spec); set by the server."),
    creationTimestamp=TIME(
        "CreationTimestamp is a timestamp: when the object was created; set by the server."
    ),
    deletionTimestamp=TIME("When the object will be gone; set by a graceful delete."),
    deletionGracePeriodSeconds=INT64("Seconds between delete and removal."),
    labels=STRING_MAP("Keys and values to select objects by."),
    annotations=STRING_MAP("Keys and values for tools, not for selection."),
    ownerReferences=array(OWNER_REFERENCE, key="uid")("Objects this one depends on."),
    finalizers=array(STR, merge=True)("Who must agree before the object is removed."),
    managedFields=array(ANY)("Who set which field; set by the server."),
    selfLink=STR("Not used any more."),
)

CONDITION = meta(
    "Condition",
    "One aspect of an object's state.",
    type=STR("CamelCase name of the aspect.", required=True),
    status=choice("True", "False", "Unknown")("Whether it holds.", required=True),
    observedGeneration=INT64("metadata.generation that this describes."),
    lastTransitionTime=TIME("When status last changed."),
    reason=STR("CamelCase word for programs."),
    message=STR("Sentence for people."),
)
CONDITIONS = array(CONDITION, key="type")

LABEL_SELECTOR_REQUIREMENT = meta(
    "LabelSelectorRequirement",
    "A condition on one label.",
    key=STR("The label.", expected=True),
    operator=STR("How to compare: In, NotIn, Exists or DoesNotExist.", expected=True),
    values=STRINGS("Values for In and NotIn."),
)
LABEL_SELECTOR = meta(
    "LabelSelector",
    "Selects objects by label; all conditions must hold. An empty selector selects all.",
    matchLabels=STRING_MAP("Labels with exactly these values."),
    matchExpressions=array(LABEL_SELECTOR_REQUIREMENT)("Conditions on labels."),
)


def root(resource: Resource, description: str, name: str, /, **fields: Schema) -> Schema:
    """The schema of a whole object: `name` is its OpenAPI definition, e.g. io.k8s.api.core.v1.Pod."""
    return Schema(
        "object",
        name=name,
        description=description,
        fields={
            "apiVersion": STR(
                f"Always {resource.api_version}.", enum=(resource.api_version,), required=True
            ),
            "kind": STR(f"Always {resource.kind}.", enum=(resource.kind,), required=True),
            "metadata": OBJECT_META("Name, labels and history.", default={}),
            **fields,
        },
    )


LIST_META = meta(
    "ListMeta",
    "What every list has.",
    resourceVersion=STR("The moment the list shows; watch from here."),
    remainingItemCount=INT64("How many more there are."),
    selfLink=STR("Not used any more."),
    **{"continue": STR("Token for the next part.")},
)

PRECONDITIONS = meta(
    "Preconditions",
    "What must hold for a delete to happen.",
    uid=STR("The object's UID."),
    resourceVersion=STR("The object's resourceVersion."),
)
DELETE_OPTIONS = meta(
    "DeleteOptions",
    "How to delete.",
    apiVersion=STR(),
    kind=STR(),
    gracePeriodSeconds=INT64("Seconds; 0 removes at once."),
    preconditions=PRECONDITIONS("Refuse the delete unless these hold."),
    orphanDependents=BOOL("Not used any more: say propagationPolicy."),
    propagationPolicy=STR("Orphan, Background or Foreground."),
    dryRun=STRINGS("All: check, change nothing."),
    ignoreStoreReadErrorWithClusterBreakingPotential=BOOL("Not supported."),
)
STATUS_CAUSE = meta(
    "StatusCause",
    "One thing that is wrong.",
    reason=STR("Word for programs."),
    message=STR("Sentence for people."),
    field=STR("The field, as a path."),
)
STATUS_DETAILS = meta(
    "StatusDetails",
    "Which object, and what is wrong with it.",
    name=STR(),
    group=STR(),
    kind=STR(),
    uid=STR(),
    causes=array(STATUS_CAUSE)(),
    retryAfterSeconds=INT32("When to try again."),
)
STATUS = meta(
    "Status",
    "The answer of a call that returns no object.",
    apiVersion=STR(),
    kind=STR(),
    metadata=LIST_META(),
    status=STR("Success or Failure."),
    message=STR("Sentence for people."),
    reason=STR("Word for programs."),
    details=STATUS_DETAILS(),
    code=INT32("HTTP status."),
)
WATCH_EVENT = meta(
    "WatchEvent",
    "One change, as a watch streams it.",
    type=STR("ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.", required=True),
    object=OPEN("The object after the change.", required=True),
)
PATCH = Schema(
    "object", name="io.k8s.apimachinery.pkg.apis.meta.v1.Patch", description="A patch.", open=True
)
COMMON: tuple[Schema, ...] = (
    OBJECT_META, LIST_META, DELETE_OPTIONS, STATUS, WATCH_EVENT, PATCH,
)  # fmt: skip

SERVED_FIELDS = {
    "meta.v1.LabelSelector": acted("scheduler controllers base", "matchLabels matchExpressions"),
    "meta.v1.LabelSelectorRequirement": acted("scheduler base", "key operator values"),
    "meta.v1.ObjectMeta": {
        **acted("controllers", "labels annotations"),
        **accepted("name generateName namespace uid resourceVersion generation creationTimestamp "
                    "deletionTimestamp deletionGracePeriodSeconds ownerReferences finalizers "
                    "managedFields selfLink", "what is made has its own, upstream too"),
    },
}  # fmt: skip
