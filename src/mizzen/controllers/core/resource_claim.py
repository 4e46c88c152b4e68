"""Claims from templates: a pod that names a ResourceClaimTemplate gets a claim of its own.

Source: kube-controller-manager `pkg/controller/resourceclaim`, KEP-4381.
"""

from __future__ import annotations

from mizzen.base.names import CLAIM_NAME_ANNOTATION
from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    is_terminating,
    key_of,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.reading import entries
from mizzen.base.resources import POD_GROUPS, PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, Watch
from mizzen.controllers.core.pod_group_claims import (
    claim_from_template,
    group_claim_names,
    group_name,
    group_of,
    is_shared,
)
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
    group = group_of(view, pod)
    actions: list[Action] = []
    statuses: list[Obj] = []
    for entry in wanted:
        name = str(entry["name"])
        if is_shared(group, entry):
            made = group_claim_names(group).get(name)
            if made:
                statuses.append({"name": name, "resourceClaimName": made})
            continue
        claim = _claim_of(view, pod, name)
        if claim is None:
            key = Key(namespace_of(pod), str(entry["resourceClaimTemplateName"]))
            template = view.get(RESOURCE_CLAIM_TEMPLATES, key)
            if template is None:
                text = f'spec.resourceClaims "{name}": ResourceClaimTemplate "{key}" not found'
                return [EmitEvent(pod, "Warning", "FailedResourceClaimCreation", text)]
            claim = claim_from_template(pod, name, template)
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


def _pods_of_group(view: View, group: Obj) -> list[Key]:
    """Members of a group with claims of its own: they learn the claims' names from it."""
    if not entries(group, "spec", "resourceClaims"):
        return []
    pods = view.in_namespace(PODS, namespace_of(group))
    return [key_of(pod) for pod in pods if group_name(pod) == name_of(group)]


CONTROLLER = Controller(
    name="resource-claim",
    resource=PODS,
    reconcile=reconcile,
    watches=(
        Watch(RESOURCE_CLAIMS, _pod_of_claim),
        Watch(RESOURCE_CLAIM_TEMPLATES, _pods_of_template),
        Watch(POD_GROUPS, _pods_of_group),
    ),
)
