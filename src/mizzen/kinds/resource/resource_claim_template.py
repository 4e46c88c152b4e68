"""ResourceClaimTemplate: what a claim made for each pod asks for."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import RESOURCE_CLAIM_TEMPLATES
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Kind
from mizzen.kinds.meta import OBJECT_META, root
from mizzen.kinds.names import check_annotations, check_labels
from mizzen.kinds.reading import part
from mizzen.kinds.resource.claim_rules import (
    check_claim_spec,
    check_spec_frozen,
    default_claim_spec,
)
from mizzen.kinds.resource.devices import CLAIM_SPEC
from mizzen.kinds.schema import package
from mizzen.kinds.treatment import acted

v1 = package("io.k8s.api.resource.v1")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    if old is not None:
        return check_spec_frozen(new, old)
    metadata = part(new["spec"], "metadata")
    causes = check_labels(part(metadata, "labels"), "spec.metadata.labels")
    causes += check_annotations(part(metadata, "annotations"), "spec.metadata.annotations")
    return causes + check_claim_spec(new["spec"]["spec"], "spec.spec")


KIND = Kind(
    resource=RESOURCE_CLAIM_TEMPLATES,
    generation=False,
    schema=root(
        RESOURCE_CLAIM_TEMPLATES,
        "What a claim made for each pod asks for.",
        "io.k8s.api.resource.v1.ResourceClaimTemplate",
        spec=v1(
            "ResourceClaimTemplateSpec",
            "The claim; cannot change.",
            metadata=OBJECT_META("Labels and annotations of the claim."),
            spec=CLAIM_SPEC("What the claim asks for.", required=True),
        )("The claim; cannot change.", required=True),
    ),
    default=lambda template: default_claim_spec(part(template, "spec.spec")),
    validate=_validate,
    columns=(NAME, AGE),
)

SERVED_FIELDS = {
    "resource.v1.ResourceClaimTemplate": acted("controllers scheduler", "spec"),
    "resource.v1.ResourceClaimTemplateSpec": acted("controllers scheduler", "metadata spec"),
}
