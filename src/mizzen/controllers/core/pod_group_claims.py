"""Claims from templates for PodGroups: one claim that the pods of the group share.

Source: kube-controller-manager `pkg/controller/resourceclaim` syncPodGroup; KEP-5729,
DRAWorkloadResourceClaims, 1.36.
"""

from __future__ import annotations

import hashlib

from mizzen.base.names import CLAIM_NAME_ANNOTATION
from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    is_terminating,
    key_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.operations import Create, Patch
from mizzen.base.reading import entries, part, text
from mizzen.base.resources import POD_GROUPS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, Watch, owners
from mizzen.controllers.core.view import View


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Makes the claims of the PodGroup named by `key`; they go with it, by owner reference."""
    group = view.get(POD_GROUPS, key)
    if group is None or is_terminating(group):
        return []
    actions: list[Action] = []
    statuses: list[Obj] = []
    for entry in entries(group, "spec", "resourceClaims"):
        if not entry.get("resourceClaimTemplateName"):
            continue
        name = str(entry["name"])
        claim = _claim_of(view, group, name)
        if claim is None:
            wanted = Key(key.namespace, str(entry["resourceClaimTemplateName"]))
            template = view.get(RESOURCE_CLAIM_TEMPLATES, wanted)
            if template is None:
                said = f'spec.resourceClaims "{name}": ResourceClaimTemplate "{wanted}" not found'
                return [EmitEvent(group, "Warning", "FailedResourceClaimCreation", said)]
            claim = claim_from_template(group, name, template)
            actions.append(Create(RESOURCE_CLAIMS, claim))
        statuses.append({"name": name, "resourceClaimName": name_of(claim)})
    if statuses and statuses != entries(group, "status", "resourceClaimStatuses"):
        change: Obj = {"status": {"resourceClaimStatuses": statuses}}
        actions.append(
            Patch(POD_GROUPS, key.namespace, key.name, change, "status", uid=uid_of(group))
        )
    return actions


def claim_from_template(owner: Obj, name: str, template: Obj) -> Obj:
    """One name for each owner and entry, so that a repeated attempt cannot make a second one."""
    suffix = hashlib.sha256(f"{uid_of(owner)}/{name}".encode()).hexdigest()[:5]
    metadata = part(template, "spec", "metadata")
    return {
        "metadata": {
            "name": f"{name_of(owner)[:180]}-{name[:60]}-{suffix}",
            "namespace": namespace_of(owner),
            "labels": metadata.get("labels") or {},
            "annotations": {**(metadata.get("annotations") or {}), CLAIM_NAME_ANNOTATION: name},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": part(template, "spec", "spec"),
    }


# -- what others ask about the claims of a group ------------------------------------------


def group_name(pod: Obj) -> str:
    return text(pod, "spec", "schedulingGroup", "podGroupName")


def group_of(view: View, pod: Obj) -> Obj | None:
    name = group_name(pod)
    return view.get(POD_GROUPS, Key(namespace_of(pod), name)) if name else None


def is_shared(group: Obj | None, entry: Obj) -> bool:
    """Whether an entry of a pod's spec.resourceClaims means the claim of its group.

    Source: dynamic-resource-allocation resourceclaim.BindTo: all that names it must be equal.
    """
    fields = ("name", "resourceClaimName", "resourceClaimTemplateName")
    return group is not None and any(
        all(entry.get(field) == theirs.get(field) for field in fields)
        for theirs in entries(group, "spec", "resourceClaims")
    )


def group_claim_names(group: Obj | None) -> dict[str, str]:
    """The claims of a group, as far as they are made, by entry."""
    if group is None:
        return {}
    listed = [
        *entries(group, "spec", "resourceClaims"),
        *entries(group, "status", "resourceClaimStatuses"),
    ]
    return {
        str(entry["name"]): str(entry["resourceClaimName"])
        for entry in listed
        if entry.get("resourceClaimName")
    }


def _claim_of(view: View, group: Obj, name: str) -> Obj | None:
    for claim in view.owned(RESOURCE_CLAIMS, group):
        if annotations_of(claim).get(CLAIM_NAME_ANNOTATION) == name:
            return claim
    return None


def _groups_of_template(view: View, template: Obj) -> list[Key]:
    return [
        key_of(group)
        for group in view.in_namespace(POD_GROUPS, namespace_of(template))
        if any(
            entry.get("resourceClaimTemplateName") == name_of(template)
            for entry in entries(group, "spec", "resourceClaims")
        )
    ]


CONTROLLER = Controller(
    name="pod-group-claims",
    resource=POD_GROUPS,
    reconcile=reconcile,
    watches=(
        Watch(RESOURCE_CLAIMS, owners(POD_GROUPS)),
        Watch(RESOURCE_CLAIM_TEMPLATES, _groups_of_template),
    ),
)
