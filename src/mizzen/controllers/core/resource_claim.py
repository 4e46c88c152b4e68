"""Claims from templates: a pod that names a ResourceClaimTemplate gets a claim of its own.

Source: kube-controller-manager `pkg/controller/resourceclaim`, KEP-4381.
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
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.reading import entries, part
from mizzen.base.resources import PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, Watch
from mizzen.controllers.core.pods import is_active, is_finished
from mizzen.controllers.core.view import View


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Makes the claims of the pod named by `key`, or deletes them when it is finished."""
    pod = view.get(PODS, key)
    if pod is None:
        return []  # its claims go with it, by owner reference
    if is_finished(pod):
        return [
            Delete(RESOURCE_CLAIMS, key.namespace, name_of(claim), uid=uid_of(claim))
            for claim in view.owned(RESOURCE_CLAIMS, pod)
            if not is_terminating(claim)
        ]
    if not is_active(pod):
        return []
    return _make_claims(view, pod)


def _make_claims(view: View, pod: Obj) -> list[Action]:
    wanted = [
        entry
        for entry in entries(pod, "spec", "resourceClaims")
        if entry.get("resourceClaimTemplateName")
    ]
    actions: list[Action] = []
    statuses: list[Obj] = []
    for entry in wanted:
        name = str(entry["name"])
        claim = _claim_of(view, pod, name)
        if claim is None:
            key = Key(namespace_of(pod), str(entry["resourceClaimTemplateName"]))
            template = view.get(RESOURCE_CLAIM_TEMPLATES, key)
            if template is None:
                text = f'spec.resourceClaims "{name}": ResourceClaimTemplate "{key}" not found'
                return [EmitEvent(pod, "Warning", "FailedResourceClaimCreation", text)]
            claim = _new_claim(pod, name, template)
            actions.append(Create(RESOURCE_CLAIMS, claim))
        statuses.append({"name": name, "resourceClaimName": name_of(claim)})
    if statuses and statuses != entries(pod, "status", "resourceClaimStatuses"):
        change: Obj = {"status": {"resourceClaimStatuses": statuses}}
        actions.append(
            Patch(PODS, namespace_of(pod), name_of(pod), change, "status", uid=uid_of(pod))
        )
    return actions


def _claim_of(view: View, pod: Obj, name: str) -> Obj | None:
    for claim in view.owned(RESOURCE_CLAIMS, pod):
        if annotations_of(claim).get(CLAIM_NAME_ANNOTATION) == name:
            return claim
    return None


def _new_claim(pod: Obj, name: str, template: Obj) -> Obj:
    """One name for each pod and claim, so that a repeated attempt cannot make a second one."""
    suffix = hashlib.sha256(f"{uid_of(pod)}/{name}".encode()).hexdigest()[:5]
    metadata = part(template, "spec", "metadata")
    return {
        "metadata": {
            "name": f"{name_of(pod)[:180]}-{name[:60]}-{suffix}",
            "namespace": namespace_of(pod),
            "labels": metadata.get("labels") or {},
            "annotations": {**(metadata.get("annotations") or {}), CLAIM_NAME_ANNOTATION: name},
            "ownerReferences": [owner_reference(pod)],
        },
        "spec": part(template, "spec", "spec"),
    }


def _pod_of_claim(view: View, claim: Obj) -> list[Key]:
    return [
        Key(namespace_of(claim), str(owner["name"]))
        for owner in claim["metadata"].get("ownerReferences") or ()
        if owner.get("kind") == PODS.kind
    ]


def _pods_of_template(view: View, template: Obj) -> list[Key]:
    return [
        key_of(pod)
        for pod in view.in_namespace(PODS, namespace_of(template))
        if any(
            entry.get("resourceClaimTemplateName") == name_of(template)
            for entry in entries(pod, "spec", "resourceClaims")
        )
    ]


CONTROLLER = Controller(
    name="resource-claim",
    resource=PODS,
    reconcile=reconcile,
    watches=(
        Watch(RESOURCE_CLAIMS, _pod_of_claim),
        Watch(RESOURCE_CLAIM_TEMPLATES, _pods_of_template),
    ),
)
