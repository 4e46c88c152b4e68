"""The PersistentVolumeClaims of a StatefulSet's pods, and who owns them.

By the retention policy a claim is owned by the set (it goes with the set), by its pod (once the pod
is scaled down it goes with it), or by nobody.
Source: kube-controller-manager `pkg/controller/statefulset/stateful_set_utils.go`, KEP-1847.
"""

from __future__ import annotations

from mizzen.base.objects import (
    Key,
    Obj,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.operations import Create, Patch
from mizzen.base.reading import entries, part, text
from mizzen.base.resources import PERSISTENT_VOLUME_CLAIMS
from mizzen.controllers.core.actions import Action, EmitEvent
from mizzen.controllers.core.stateful_set_pods import claim_name, in_range, ordinal_of
from mizzen.controllers.core.view import View

DELETE = "Delete"


def deletes_when(owner: Obj, moment: str) -> bool:
    """True if the policy deletes claims `whenDeleted` or `whenScaled`."""
    return text(owner, "spec", "persistentVolumeClaimRetentionPolicy", moment) == DELETE


def find_claims(view: View, owner: Obj, ordinal: int) -> list[tuple[Obj, str, Obj | None]]:
    """For each template of the set: itself, its claim's name, the claim if it is there."""
    namespace = namespace_of(owner)
    names = (
        (each, claim_name(owner, each, ordinal))
        for each in entries(owner, "spec", "volumeClaimTemplates")
    )
    return [
        (each, name, view.get(PERSISTENT_VOLUME_CLAIMS, Key(namespace, name)))
        for each, name in names
    ]


def create_claims(view: View, owner: Obj, pod: Obj) -> list[Action]:
    """Makes the claims that the pod lacks."""
    ordinal = ordinal_of(pod)
    actions: list[Action] = []
    for template, name, found in find_claims(view, owner, ordinal):
        if found is not None:
            continue
        actions.append(Create(PERSISTENT_VOLUME_CLAIMS, _make(owner, template, name)))
        where = f"Pod {name_of(pod)} in StatefulSet {name_of(owner)}"
        text = f"Create Claim {name} {where} success"
        actions.append(EmitEvent(owner, "Normal", "SuccessfulCreate", text))
    return actions


def _make(owner: Obj, template: Obj, name: str) -> Obj:
    metadata: Obj = {
        "name": name,
        "namespace": namespace_of(owner),
        "labels": {
            **labels_of({"metadata": part(template, "metadata")}),
            **part(owner, "spec", "selector", "matchLabels"),
        },
    }
    annotations = part(template, "metadata", "annotations")
    if annotations:
        metadata["annotations"] = annotations
    if deletes_when(owner, "whenDeleted"):
        metadata["ownerReferences"] = [owner_reference(owner)]
    return {"metadata": metadata, "spec": part(template, "spec")}


def blocked_by(view: View, owner: Obj, ordinal: int) -> str:
    """Why no pod of this number can be made yet: a claim that is on its way out; "" for nothing."""
    for _, name, found in find_claims(view, owner, ordinal):
        if found is None:
            continue
        if is_terminating(found):
            return f"pvc {name} is being deleted"
        if deletes_when(owner, "whenScaled") and _is_of_former_pod(found, owner, ordinal):
            return f"pvc {name} goes with the pod that had it before"
    return ""


def _is_of_former_pod(claim: Obj, owner: Obj, ordinal: int) -> bool:
    pod = f"{name_of(owner)}-{ordinal}"
    return any(each.get("kind") == "Pod" and each.get("name") == pod for each in _references(claim))


def own_claims(view: View, owner: Obj, pod: Obj) -> list[Action]:
    """Gives the pod's claims the owners that the retention policy asks for."""
    actions: list[Action] = []
    for _, name, claim in find_claims(view, owner, ordinal_of(pod)):
        if claim is None or _is_stale(claim, owner, pod):
            continue
        references = _references(claim)
        foreign = [each for each in references if not _is_ours(each, owner, pod)]
        has_policy = any(deletes_when(owner, m) for m in ("whenDeleted", "whenScaled"))
        is_contested = has_policy and any(each.get("controller") for each in foreign)
        wanted = list(foreign)
        if not is_contested:
            wanted += _wanted(owner, pod)
        have = [(each.get("uid"), bool(each.get("controller"))) for each in references]
        want = [(each.get("uid"), bool(each.get("controller"))) for each in wanted]
        if sorted(have) == sorted(want):
            continue
        if is_contested:
            text = (
                f"PersistentVolumeClaim {name} has a conflicting OwnerReference that acts as a "
                "manging controller, the retention policy is ignored for this claim"
            )
            actions.append(EmitEvent(owner, "Warning", "ConflictingController", text))
        change: Obj = {"metadata": {"ownerReferences": wanted or None}}
        version = str(claim["metadata"].get("resourceVersion") or "")
        namespace, uid = namespace_of(claim), uid_of(claim)
        patch = Patch(PERSISTENT_VOLUME_CLAIMS, namespace, name, change, "", version, uid)
        actions.append(patch)
    return actions


def _wanted(owner: Obj, pod: Obj) -> list[Obj]:
    """A claim that goes with its pod is owned by the pod once that is scaled down, and by the set,
    if at all, until then."""
    is_scaled_down = not in_range(owner, ordinal_of(pod))
    with_set, with_pod = deletes_when(owner, "whenDeleted"), deletes_when(owner, "whenScaled")
    if with_pod and is_scaled_down:
        return [owner_reference(pod)]
    return [owner_reference(owner)] if with_set else []


def _is_stale(claim: Obj, owner: Obj, pod: Obj) -> bool:
    """True if a former set or pod of the same name owns the claim: it is not to be touched."""
    return any(
        _is_named(each, one) and each.get("uid") != uid_of(one)
        for each in _references(claim)
        for one in (owner, pod)
    )


def _is_ours(reference: Obj, owner: Obj, pod: Obj) -> bool:
    return _is_named(reference, owner) or _is_named(reference, pod)


def _is_named(reference: Obj, obj: Obj) -> bool:
    fields = ("apiVersion", "kind", "name")
    return tuple(reference.get(each) for each in fields) == (
        obj["apiVersion"],
        obj["kind"],
        name_of(obj),
    )


def _references(obj: Obj) -> list[Obj]:
    return obj["metadata"].get("ownerReferences") or []
