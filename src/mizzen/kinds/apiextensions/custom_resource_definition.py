"""CustomResourceDefinition: a kind that a user defines."""

from __future__ import annotations

import re

from mizzen.base.objects import Obj
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS
from mizzen.kinds.apiextensions.conversion import (
    add_stored_version,
    check_stored_versions,
)
from mizzen.kinds.apiextensions.definition_rules import check_definition
from mizzen.kinds.apiextensions.json_schema import PREFIX, PROPS, v1
from mizzen.kinds.apiextensions.warnings import unrecognized_formats
from mizzen.kinds.columns import NAME, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.reading import part
from mizzen.kinds.schema import (
    BOOL,
    EMPTY,
    INT32,
    INT64,
    STR,
    STRINGS,
    TIME,
    array,
)
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted
from mizzen.kinds.webhook_clients import default_client

_SCALE_PATHS = {
    "specReplicasPath": ".spec.", "statusReplicasPath": ".status.", "labelSelectorPath": ".",
}  # fmt: skip
_COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")
_FIELD = re.compile(r"[^\[\]{}()*?@\s.'\"]+")

NAMES = v1(
    "CustomResourceDefinitionNames",
    "What it is called.",
    kind=STR("CamelCase singular.", expected=True),
    plural=STR("Lower-case plural, as in the URL.", expected=True),
    singular=STR("Lower-case singular."),
    listKind=STR("Kind of lists; <kind>List by default."),
    shortNames=STRINGS("Short names for kubectl."),
    categories=STRINGS("Groups it belongs to, e.g. all."),
)
VERSION = v1(
    "CustomResourceDefinitionVersion",
    "A version of the kind.",
    name=STR("Name of the version, e.g. v1.", expected=True),
    served=BOOL("Whether the API serves it.", expected=True),
    storage=BOOL("Whether objects are stored in it; one version is.", expected=True),
    deprecated=BOOL("Whether clients are warned."),
    deprecationWarning=STR("The warning."),
    schema=v1(
        "CustomResourceValidation",
        "The schema.",
        openAPIV3Schema=PROPS("The schema of whole objects."),
    ),
    subresources=v1(
        "CustomResourceSubresources",
        "Subresources.",
        status=EMPTY("Whether status is written on its own."),
        scale=v1(
            "CustomResourceSubresourceScale",
            "Where the replica counts are.",
            specReplicasPath=STR("Path of the wish.", expected=True),
            statusReplicasPath=STR("Path of the count.", expected=True),
            labelSelectorPath=STR("Path of the selector."),
        ),
    ),
    additionalPrinterColumns=array(
        v1(
            "CustomResourceColumnDefinition",
            "A column of kubectl get.",
            name=STR("Its heading.", expected=True),
            type=STR("Its type.", expected=True),
            jsonPath=STR("What it shows.", expected=True),
            format=STR("Refinement of the type."),
            description=STR("What it means."),
            priority=INT32("Above 0: only with -o wide."),
        )
    )("Columns of kubectl get."),
    selectableFields=array(
        v1("SelectableField", "A field.", jsonPath=STR("Its path.", expected=True))
    )("Fields for field selectors."),
)
WEBHOOK = v1(
    "WebhookConversion",
    "A program that converts.",
    clientConfig=v1(
        "WebhookClientConfig",
        "Where it listens.",
        url=STR("Its URL."),
        service=v1(
            "ServiceReference",
            "The Service before it.",
            namespace=STR("Its namespace.", expected=True),
            name=STR("Its name.", expected=True),
            path=STR("Path of the URL."),
            port=INT32("Port of the Service; 443 by default."),
        )("The Service before it."),
        caBundle=STR("Who certifies it, as PEM.", format="byte"),
    )("Where it listens."),
    conversionReviewVersions=STRINGS("Of ConversionReview, the best first.", expected=True),
)
SPEC = v1(
    "CustomResourceDefinitionSpec",
    "The kind.",
    group=STR("API group.", expected=True),
    names=NAMES("What it is called.", expected=True),
    scope=STR("Where its objects live.", expected=True),
    versions=array(VERSION)("Its versions.", expected=True),
    conversion=v1(
        "CustomResourceConversion",
        "How versions become each other.",
        strategy=STR("None: only apiVersion changes.", expected=True),
        webhook=WEBHOOK("Who converts, with the strategy Webhook."),
    )("How versions become each other.", default={"strategy": "None"}),
    preserveUnknownFields=BOOL("Must be false."),
)
STATUS = v1(
    "CustomResourceDefinitionStatus",
    "What became of it.",
    acceptedNames=NAMES("Names it really has."),
    conditions=array(
        v1(
            "CustomResourceDefinitionCondition",
            "One aspect of its state.",
            type=STR("Established, NamesAccepted, ..."),
            status=STR("Whether it holds: True, False or Unknown."),
            lastTransitionTime=TIME("When status last changed."),
            observedGeneration=INT64(),
            reason=STR("CamelCase word for programs."),
            message=STR("Sentence for people."),
        ),
        keys=("type",),
    )("Aspects of its state."),
    storedVersions=STRINGS("Versions that objects were ever stored in."),
    observedGeneration=INT64(),
)


def _default(definition: Obj) -> None:
    spec = part(definition, "spec")
    words = part(spec, "names")
    if isinstance(words.get("kind"), str):
        words.setdefault("singular", words["kind"].lower())
        words.setdefault("listKind", f"{words['kind']}List")
    default_client(part(spec, "conversion.webhook.clientConfig"))


KIND = Kind(
    resource=CUSTOM_RESOURCE_DEFINITIONS,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    schema=root(
        CUSTOM_RESOURCE_DEFINITIONS,
        "A kind that a user defines.",
        f"{PREFIX}.CustomResourceDefinition",
        spec=SPEC("The kind.", expected=True),
        status=STATUS("What became of it."),
    ),
    default=_default,
    on_create=add_stored_version,
    on_update=lambda new, _: add_stored_version(new),
    validate=check_definition,
    warn=unrecognized_formats,
    warn_of_update=unrecognized_formats,
    validate_status=lambda new, _: list(check_stored_versions(new)),
    subresources=(STATUS_SUBRESOURCE,),
    columns=(
        NAME,
        Column("Created At", of("metadata.creationTimestamp"), type="date"),
    ),
)

SERVED_FIELDS = {
    "apiextensions.v1.CustomResourceDefinition": acted("apiserver", "spec"),
    "apiextensions.v1.CustomResourceDefinitionSpec": acted(
        "apiserver kinds", "group names scope versions conversion preserveUnknownFields"
    ),
    "apiextensions.v1.CustomResourceDefinitionNames": acted(
        "apiserver kinds", "kind plural singular listKind shortNames categories"
    ),
    "apiextensions.v1.CustomResourceDefinitionVersion": {
        **acted("apiserver kinds", "name served storage schema subresources"),
        **acted("kinds", "additionalPrinterColumns selectableFields"),
        **acted("kinds", "deprecated deprecationWarning"),
    },
    "apiextensions.v1.CustomResourceValidation": acted("kinds", "openAPIV3Schema"),
    "apiextensions.v1.CustomResourceSubresources": acted("kinds", "status scale"),
    "apiextensions.v1.CustomResourceSubresourceScale": acted(
        "kinds", "specReplicasPath statusReplicasPath labelSelectorPath"
    ),
    "apiextensions.v1.CustomResourceColumnDefinition": acted(
        "kinds", "name type jsonPath format description priority"
    ),
    "apiextensions.v1.SelectableField": acted("kinds", "jsonPath"),
    "apiextensions.v1.CustomResourceConversion": {
        **acted("apiserver kinds", "strategy webhook"),
    },
    "apiextensions.v1.WebhookConversion": acted(
        "apiserver kinds", "clientConfig conversionReviewVersions"
    ),
    "apiextensions.v1.WebhookClientConfig": acted("apiserver kinds", "url service caBundle"),
    "apiextensions.v1.ServiceReference": acted("apiserver kinds", "namespace name path port"),
}
