"""Claims from templates for PodGroups: one claim that the pods of the group share.

Source: kube-controller-manager `pkg/controller/resourceclaim` syncPodGroup; KEP-5729,
DRAWorkloadResourceClaims, 1.36.
"""

from __future__ import annotations

from mizzen.base.objects import Key, Obj, is_terminating, namespace_of
from mizzen.base.reading import entries
from mizzen.base.resources import POD_GROUPS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import Action, Controller, Watch, owners
from mizzen.controllers.core.claim_templates import by_template, make_claims, users_of_template
from mizzen.controllers.core.pods import group_name
from mizzen.controllers.core.view import View


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Makes the claims of the PodGroup named by `key`; they go with it, by owner reference."""
    group = view.get(POD_GROUPS, key)
    if group is None or is_terminating(group):
        return []
    return make_claims(view, group, POD_GROUPS)


# -- what others ask about the claims of a group ------------------------------------------


def group_of(view: View, pod: Obj) -> Obj | None:
    name = group_name(pod)
    return view.get(POD_GROUPS, Key(namespace_of(pod), name)) if name else None


def is_shared(group: Obj | None, entry: Obj) -> bool:
    """True if an entry of a pod's spec.resourceClaims refers to the claim of its group.

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


def _groups_of_template(view: View, template: Obj) -> list[Key]:
    return users_of_template(view, POD_GROUPS, template)


CONTROLLER = Controller(
    name="pod-group-claims",
    resource=POD_GROUPS,
    reconcile=reconcile,
    watches=(
        Watch(RESOURCE_CLAIMS, owners(POD_GROUPS)),
        Watch(RESOURCE_CLAIM_TEMPLATES, _groups_of_template),
    ),
    indexes=(by_template(POD_GROUPS),),
)
