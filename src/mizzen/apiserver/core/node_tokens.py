"""What is wrong with a node's request for a token: it may have those of its own pods' accounts alone.

Source: plugin/pkg/admission/noderestriction `admitServiceAccount`, Kubernetes 1.36; volumes of kinds
that upstream translates to CSI drivers are not looked through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, field, part, text

AUDIENCE_VERB = (
    "request-serviceaccounts-token-audience"  # on the audience, as if it were a resource
)
CLAIMS, VOLUMES, DRIVERS = (
    "persistentvolumeclaims",
    "persistentvolumes",
    "csidrivers.storage.k8s.io",
)
_SINGULAR = {CLAIMS: "persistentvolumeclaim", VOLUMES: "persistentvolume",
             DRIVERS: "csidriver.storage.k8s.io"}  # fmt: skip
Find = Callable[[str, str], Obj | None]  # by one of these and a name


def reference_problem(reference: Obj) -> str:
    """Of a node's request whatever it is bound to."""
    kind = text(reference, "apiVersion"), text(reference, "kind")
    if kind != ("v1", "Pod") or not text(reference, "name"):
        return "node requested token not bound to a pod"
    if not text(reference, "uid"):
        return "node requested token with a pod binding without a uid"
    return ""


def pod_problem(node: str, reference: Obj, pod: Obj) -> str:
    """Of the pod that the reference names."""
    if reference["uid"] != pod["metadata"]["uid"]:
        return (
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID in "
            "record. The object might have been deleted and then recreated"
        )
    if text(pod, "spec", "nodeName") != node:
        return "node requested token bound to a pod scheduled on a different node"
    return ""


def audience_problem(
    user: str, audiences: Sequence[str], pod: Obj, find: Find, may_ask: Callable[[str], bool]
) -> str:
    """`may_ask`: whether the user may ask for any token of this audience."""
    if len(audiences) > 1:
        return "node may only request 0 or 1 audiences"
    wanted = audiences[0] if audiences else ""
    lost: list[str] = []
    if any(wanted in found for found in _audiences(pod, find, lost)):
        return ""
    if lost:
        why = lost[0] if len(lost) == 1 else f"[{', '.join(dict.fromkeys(lost))}]"
        return f'error validating audience "{wanted}": {why}'
    if may_ask(wanted):
        return ""
    return (
        f'audience "{wanted}" not found in pod spec volume, {user} is not authorized to request '
        "tokens for this audience"
    )


def _audiences(pod: Obj, find: Find, lost: list[str]) -> Iterator[set[str]]:
    """Those of each volume; `lost` gets what is named and not there."""

    def get(resource: str, name: str) -> Obj:
        found = find(resource, name)
        if found is None:
            lost.append(f'{_SINGULAR[resource]} "{name}" not found')
        return found or {}

    for volume in entries(pod, "spec", "volumes"):
        yield {
            text(each, "serviceAccountToken", "audience")
            for each in entries(volume, "projected", "sources")
            if each.get("serviceAccountToken")
        }
        driver = text(volume, "csi", "driver")
        claim = text(volume, "persistentVolumeClaim", "claimName")
        if field(volume, "ephemeral", "volumeClaimTemplate") is not None:
            claim = f"{pod['metadata']['name']}-{volume['name']}"
        if claim:
            held = part(get(CLAIMS, claim), "spec")
            named = get(VOLUMES, text(held, "volumeName")) if held else {}
            driver = text(named, "spec", "csi", "driver")
        if driver:
            asked = entries(get(DRIVERS, driver), "spec", "tokenRequests")
            yield {text(each, "audience") for each in asked}
