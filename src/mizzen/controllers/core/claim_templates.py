"""Makes claims from the ResourceClaimTemplates of pods and PodGroups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache

from mizzen.base.names import CLAIM_NAME_ANNOTATION
from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.operations import Create, Patch
from mizzen.base.reading import entries, part
from mizzen.base.resources import RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, Resource
from mizzen.controllers.core.actions import Action, EmitEvent
from mizzen.controllers.core.view import Index, View


def make_claims(
    view: View, owner: Obj, resource: Resource, lent: Mapping[str, str] | None = None
) -> list[Action]:
    """The claims of `spec.resourceClaims` that are missing, and `status.resourceClaimStatuses`.

    `lent`: entries that somebody else's claim serves, and its name, "" while it is not made.
    """
    actions: list[Action] = []
    statuses: list[Obj] = []
    for entry in entries(owner, "spec", "resourceClaims"):
        if not entry.get("resourceClaimTemplateName"):
            continue
        name = str(entry["name"])
        if lent is not None and name in lent:
            if lent[name]:
                statuses.append({"name": name, "resourceClaimName": lent[name]})
            continue
        claim = _claim_of(view, owner, name)
        if claim is None:
            wanted = Key(namespace_of(owner), str(entry["resourceClaimTemplateName"]))
            template = view.get(RESOURCE_CLAIM_TEMPLATES, wanted)
            if template is None:
                said = f'spec.resourceClaims "{name}": ResourceClaimTemplate "{wanted}" not found'
                return [EmitEvent(owner, "Warning", "FailedResourceClaimCreation", said)]
            claim = _from_template(owner, name, template)
            actions.append(Create(RESOURCE_CLAIMS, claim))
        statuses.append({"name": name, "resourceClaimName": name_of(claim)})
    if statuses and statuses != entries(owner, "status", "resourceClaimStatuses"):
        change: Obj = {"status": {"resourceClaimStatuses": statuses}}
        actions.append(
            Patch(
                resource,
                namespace_of(owner),
                name_of(owner),
                change,
                "status",
                uid=uid_of(owner),
            )
        )
    return actions


def _from_template(owner: Obj, name: str, template: Obj) -> Obj:
    """One name for each owner and entry, so that a repeated attempt cannot make a second one."""
    suffix = hashlib.sha256(f"{uid_of(owner)}/{name}".encode()).hexdigest()[:5]
    stem = name_of(owner)[:180].rstrip("-.")  # cut anywhere, it must still be a name
    metadata = part(template, "spec", "metadata")
    return {
        "metadata": {
            "name": f"{stem}-{name[:60]}-{suffix}",
            "namespace": namespace_of(owner),
            "labels": metadata.get("labels") or {},
            "annotations": {**(metadata.get("annotations") or {}), CLAIM_NAME_ANNOTATION: name},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": part(template, "spec", "spec"),
    }


def users_of_template(view: View, resource: Resource, template: Obj) -> list[Key]:
    """The objects of a resource that name the template."""
    return view.find_keys(by_template(resource), f"{namespace_of(template)}/{name_of(template)}")


@cache
def by_template(resource: Resource) -> Index:
    """Finds the objects of a resource that name a template, by "namespace/name" of that."""
    return Index(f"{resource.plural} by template", resource, _templates_of)


def _templates_of(owner: Obj) -> Iterator[str]:
    for entry in entries(owner, "spec", "resourceClaims"):
        if name := entry.get("resourceClaimTemplateName"):
            yield f"{namespace_of(owner)}/{name}"


def _claim_of(view: View, owner: Obj, name: str) -> Obj | None:
    for claim in view.owned(RESOURCE_CLAIMS, owner):
        if annotations_of(claim).get(CLAIM_NAME_ANNOTATION) == name:
            return claim
    return None
