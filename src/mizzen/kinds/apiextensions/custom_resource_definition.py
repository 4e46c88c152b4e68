"""CustomResourceDefinition: a kind that a user defines."""

from __future__ import annotations

import re
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS
from mizzen.kinds.apiextensions.conversion import (
    add_stored_version,
    check_conversion,
    check_stored_versions,
)
from mizzen.kinds.apiextensions.json_schema import PREFIX, PROPS, v1
from mizzen.kinds.columns import NAME, of
from mizzen.kinds.jsonpath import compile_path
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import dns_label_1035, dns_subdomain, invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.schema import (
    BOOL,
    EMPTY,
    INT32,
    INT64,
    STR,
    STRINGS,
    TIME,
    array,
    choice,
)
from mizzen.kinds.structural import check_structural
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted, warned
from mizzen.kinds.webhook_clients import default_client

_SCALE_PATHS = {
    "specReplicasPath": ".spec.", "statusReplicasPath": ".status.", "labelSelectorPath": ".",
}  # fmt: skip
_COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")
_FIELD = re.compile(r"[^\[\]{}()*?@\s.'\"]+")

NAMES = v1(
    "CustomResourceDefinitionNames",
    "What it is called.",
    kind=STR("CamelCase singular.", required=True),
    plural=STR("Lower-case plural, as in the URL.", required=True),
    singular=STR("Lower-case singular."),
    listKind=STR("Kind of lists; <kind>List by default."),
    shortNames=STRINGS("Short names for kubectl."),
    categories=STRINGS("Groups it belongs to, e.g. all."),
)
VERSION = v1(
    "CustomResourceDefinitionVersion",
    "A version of the kind.",
    name=STR("Name of the version, e.g. v1.", required=True),
    served=BOOL("Whether the API serves it.", required=True),
    storage=BOOL("Whether objects are stored in it; one version is.", required=True),
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
            specReplicasPath=STR("Path of the wish.", required=True),
            statusReplicasPath=STR("Path of the count.", required=True),
            labelSelectorPath=STR("Path of the selector."),
        ),
    ),
    additionalPrinterColumns=array(
        v1(
            "CustomResourceColumnDefinition",
            "A column of kubectl get.",
            name=STR("Its heading.", required=True),
            type=STR("Its type.", required=True),
            jsonPath=STR("What it shows.", required=True),
            format=STR("Refinement of the type."),
            description=STR("What it means."),
            priority=INT32("Above 0: only with -o wide."),
        )
    )("Columns of kubectl get."),
    selectableFields=array(
        v1("SelectableField", "A field.", jsonPath=STR("Its path.", required=True))
    )("Fields for field selectors.", max_items=8),
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
            namespace=STR("Its namespace.", required=True),
            name=STR("Its name.", required=True),
            path=STR("Path of the URL."),
            port=INT32("Port of the Service; 443 by default."),
        )("The Service before it."),
        caBundle=STR("Who certifies it, as PEM.", format="byte"),
    )("Where it listens."),
    conversionReviewVersions=STRINGS("Of ConversionReview, the best first.", required=True),
)
SPEC = v1(
    "CustomResourceDefinitionSpec",
    "The kind.",
    group=STR("API group.", required=True),
    names=NAMES("What it is called.", required=True),
    scope=choice("Namespaced", "Cluster")("Where its objects live.", required=True),
    versions=array(VERSION)("Its versions.", required=True, min_items=1),
    conversion=v1(
        "CustomResourceConversion",
        "How versions become each other.",
        strategy=choice("None", "Webhook")("None: only apiVersion changes.", required=True),
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


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    words = spec["names"]
    causes: list[Cause] = []
    expected = f"{words['plural']}.{spec['group']}"
    if new["metadata"].get("name") != expected:
        message = 'must be spec.names.plural+"."+spec.group'
        causes.append(invalid_value("metadata.name", new["metadata"].get("name") or "", message))
    if "." not in spec["group"] or dns_subdomain(spec["group"]):
        message = dns_subdomain(spec["group"]) or "should be a domain with at least one dot"
        causes.append(invalid_value("spec.group", spec["group"], message))
    for field in ("plural", "singular"):
        if words.get(field) and dns_label_1035(words[field]):
            problem = dns_label_1035(words[field])
            causes.append(invalid_value(f"spec.names.{field}", words[field], problem))
    for field in ("kind", "listKind"):
        if dns_label_1035(str(words.get(field) or "").lower()):
            problem = dns_label_1035(str(words.get(field) or "").lower())
            causes.append(invalid_value(f"spec.names.{field}", words.get(field) or "", problem))
    causes += check_conversion(new, old)
    causes += check_stored_versions(new)
    if spec.get("preserveUnknownFields"):
        message = (
            "Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to "
            "true in spec.versions[*].schema instead"
        )
        causes.append(Cause("spec.preserveUnknownFields", message))
    causes += _check_versions(spec["versions"], _schemas(old))
    return causes + immutable(new, old, "spec.group", "spec.scope", "spec.names.kind",
                              "spec.names.plural")  # fmt: skip


def _schemas(definition: Obj | None) -> dict[str, Any]:
    """The schema of each version."""
    versions = entries(definition, "spec.versions")
    return {v["name"]: part(v, "schema").get("openAPIV3Schema") for v in versions}


def _check_versions(versions: list[Any], before: dict[str, Any]) -> list[Cause]:
    """`before`: schemas that are stored; as they are they do not keep the rest from changing."""
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        name = version["name"]
        if dns_label_1035(name):
            causes.append(invalid_value(f"{path}.name", name, dns_label_1035(name)))
        if name in seen:
            causes.append(
                Cause(f"{path}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate")
            )
        seen.add(name)
        schema = part(version, "schema").get("openAPIV3Schema")
        if schema is None:
            message = "Required value: schemas are required"
            at = f"{path}.schema.openAPIV3Schema"
            causes.append(Cause(at, message, "FieldValueRequired"))
        elif schema != before.get(name) and (at := _shared("schema", versions, index)):
            at = "spec.validation" if at == "spec" else f"{at}.schema"
            causes += check_structural(schema, f"{at}.openAPIV3Schema")
        if at := _shared("additionalPrinterColumns", versions, index):
            causes += _check_columns(entries(version, "additionalPrinterColumns"), at)
        if at := _shared("subresources", versions, index):
            scale = part(version, "subresources.scale")
            causes += _check_scale(scale, f"{at}.subresources.scale")
        where = _shared("selectableFields", versions, index)
        for place, field in enumerate(entries(version, "selectableFields") if where else ()):
            at = f"{where}.selectableFields[{place}].jsonPath"
            causes += _check_simple_path(field["jsonPath"], at, ".")
    if sum(bool(version["storage"]) for version in versions) != 1:
        message = "Invalid value: [...]: must have exactly one version marked as storage version"
        causes.append(Cause("spec.versions", message))
    if not any(version["served"] for version in versions):
        message = "Invalid value: [...]: must have at least one version that is served"
        causes.append(Cause("spec.versions", message))
    return causes


def _shared(field: str, versions: list[Any], index: int) -> str:
    """The path of what has a version's field: what all have alike is the spec's, and told once.

    Source: apiextensions v1/conversion.go.
    """
    if any(version.get(field) != versions[0].get(field) for version in versions):
        return f"spec.versions[{index}]"
    return "" if index else "spec"


def _check_scale(scale: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for name, below in _SCALE_PATHS.items():
        if scale.get(name):
            causes += _check_simple_path(scale[name], f"{path}.{name}", below)
    return causes


def _check_simple_path(written: str, path: str, below: str) -> list[Cause]:
    """A field of a field, below `below`: what is read and written there is one value."""
    parts = written.split(".")[1:]
    if written.startswith(below) and parts and all(map(_FIELD.fullmatch, parts)):
        return []
    problem = f"should be a json path of fields under {below}, without array notation"
    return [invalid_value(path, written, problem)]


def _check_columns(columns: list[Obj], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, column in enumerate(columns):
        try:
            compile_path(column["jsonPath"])
        except ValueError as error:
            at = f"{path}.additionalPrinterColumns[{index}].jsonPath"
            causes.append(invalid_value(at, column["jsonPath"], str(error)))
        if column["type"] not in _COLUMN_TYPES:
            allowed = ", ".join(f'"{each}"' for each in _COLUMN_TYPES)
            message = f'Unsupported value: "{column["type"]}": supported values: {allowed}'
            at = f"{path}.additionalPrinterColumns[{index}].type"
            causes.append(Cause(at, message, "FieldValueNotSupported"))
    return causes


KIND = Kind(
    resource=CUSTOM_RESOURCE_DEFINITIONS,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    schema=root(
        CUSTOM_RESOURCE_DEFINITIONS,
        "A kind that a user defines.",
        f"{PREFIX}.CustomResourceDefinition",
        spec=SPEC("The kind.", required=True),
        status=STATUS("What became of it."),
    ),
    default=_default,
    on_create=add_stored_version,
    on_update=lambda new, _: add_stored_version(new),
    validate=_validate,
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
        **warned("deprecated deprecationWarning", "nobody is warned of the version"),
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
