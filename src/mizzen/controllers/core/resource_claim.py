"""Claims from templates: a pod that names a ResourceClaimTemplate gets a claim of its own.

Source: kube-controller-manager `pkg/controller/resourceclaim`, KEP-4381.
"""

from __future__ import annotations

from mizzen.base.objects import (
    Key,
    Obj,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.operations import Delete
from mizzen.base.reading import entries
from mizzen.base.resources import POD_GROUPS, PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import Action, Controller, Watch
from mizzen.controllers.core.claim_templates import by_template, make_claims, users_of_template
from mizzen.controllers.core.pod_group_claims import (
    group_claim_names,
    group_of,
    is_shared,
)
from mizzen.controllers.core.pods import IN_GROUP, in_group, is_active, is_finished
from mizzen.controllers.core.view import View


def _is_due(_: View, pod: Obj) -> bool:
    return is_finished(pod) or bool(entries(pod, "spec", "resourceClaims"))


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
    group = group_of(view, pod)
    made = group_claim_names(group)
    lent = {
        str(entry["name"]): made.get(str(entry["name"]), "")
        for entry in entries(pod, "spec", "resourceClaims")
        if is_shared(group, entry)
    }
    return make_claims(view, pod, PODS, lent)


def _pod_of_claim(view: View, claim: Obj) -> list[Key]:
    return [
        Key(namespace_of(claim), str(owner["name"]))
        for owner in claim["metadata"].get("ownerReferences") or ()
        if owner.get("kind") == PODS.kind
    ]


def _pods_of_template(view: View, template: Obj) -> list[Key]:
    return users_of_template(view, PODS, template)


def _pods_of_group(view: View, group: Obj) -> list[Key]:
    """Members of a group with claims of its own: they learn the claims' names from it."""
    if not entries(group, "spec", "resourceClaims"):
        return []
    return view.find_keys(IN_GROUP, in_group(namespace_of(group), name_of(group)))


CONTROLLER = Controller(
    name="resource-claim",
    resource=PODS,
    reconcile=reconcile,
    predicate=_is_due,
    watches=(
        Watch(RESOURCE_CLAIMS, _pod_of_claim),
        Watch(RESOURCE_CLAIM_TEMPLATES, _pods_of_template),
        Watch(POD_GROUPS, _pods_of_group),
    ),
    indexes=(by_template(PODS), IN_GROUP),
)
