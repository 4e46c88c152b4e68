"""What is wrong with a write of a kubelet's, which may write its own node's objects alone.

Source: plugin/pkg/admission/noderestriction, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.apiserver.core.node_access import LEASE_NAMESPACE, references
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, field, part, text

_MIRROR = "kubernetes.io/config.mirror"
_RESTRICTED = "node-restriction.kubernetes.io"
_OWN_LABELS = frozenset((
    "kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type", "kubernetes.io/os",
    "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
))  # fmt: skip
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_RESERVED_DOMAINS = ("kubernetes.io", "k8s.io")
_OF_KUBELETS = ("capacity", "conditions", "allocatedResourceStatuses", "allocatedResources")


def pod_create(node: str, pod: Obj, own_node: Obj | None) -> str:
    """Kubelets create mirrors of their static pods, and no other."""
    metadata = pod["metadata"]
    if _MIRROR not in part(metadata, "annotations"):
        words = f'pod does not have "{_MIRROR}" annotation'
        return f'{words}, node "{node}" can only create mirror pods'
    if text(pod, "spec", "nodeName") != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    owners = entries(metadata, "ownerReferences")
    if len(owners) > 1:
        return f'node "{node}" can only create pods with a single owner reference set to itself'
    owner = owners[0] if owners else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        return f'node "{node}" can only create pods with an owner reference set to itself'
    if not owner.get("controller"):
        return f'node "{node}" can only create pods with a controller owner reference set to itself'
    if owner.get("blockOwnerDeletion"):
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    uid = text(own_node or {}, "metadata", "uid")
    if owner.get("uid") != uid:
        return f"node {node} UID mismatch: expected {owner.get('uid')} got {uid}"
    found = {each.resource.partition(".")[0] for each in references(pod)}
    found -= {"pods", "serviceaccounts"}
    if found:
        return f'node "{node}" can not create pods that reference {min(found)}'
    return ""


def pod_delete(node: str, pod: Obj) -> str:
    if text(pod, "spec", "nodeName") != node:
        return f'node "{node}" can only delete pods with spec.nodeName set to itself'
    return ""


def pod_status(node: str, new: Obj, old: Obj) -> str:
    if text(old, "spec", "nodeName") != node:
        words = "can only update pod status for pods with spec.nodeName set to itself"
        return f'node "{node}" {words}'
    if part(old, "metadata", "labels") != part(new, "metadata", "labels"):
        return f'node "{node}" cannot update labels through pod status'
    if _claims(new) != _claims(old):
        return f'node "{node}" cannot update resource claim statues'
    extended = "extendedResourceClaimStatus"
    if field(new, "status", extended) != field(old, "status", extended):
        return f'node "{node}" cannot update extended resource claim status'
    return ""


def _claims(pod: Obj) -> list[tuple[str, str]]:
    claims = entries(pod, "status", "resourceClaimStatuses")
    return [(text(each, "name"), text(each, "resourceClaimName")) for each in claims]


def node_write(node: str, new: Obj, old: Obj | None) -> str:
    """Creates, updates and status updates of Nodes."""
    name = new["metadata"]["name"]
    if name != node:
        return f'node "{node}" is not allowed to modify node "{name}"'
    before: Mapping[str, str] = part(old or {}, "metadata", "labels")
    after: Mapping[str, str] = part(new, "metadata", "labels")
    modified = {key for key, _ in before.items() ^ after.items()}
    forbidden = ", ".join(sorted(key for key in modified if _is_reserved(key)))
    if old is None:
        if forbidden:
            return f'node "{node}" is not allowed to set the following labels: {forbidden}'
        return ""
    if entries(new, "spec", "taints") != entries(old, "spec", "taints"):
        return f'node "{node}" is not allowed to modify taints'
    owners = "ownerReferences"
    if entries(new, "metadata", owners) != entries(old, "metadata", owners):
        return f'node "{node}" is not allowed to modify ownerReferences'
    return f"is not allowed to modify labels: {forbidden}" if forbidden else ""


def _is_reserved(label: str) -> bool:
    domain, slash, _ = label.partition("/")
    domain = domain if slash else ""
    if _is_below(domain, (_RESTRICTED,)):
        return True
    return _is_below(domain, _RESERVED_DOMAINS) and not (
        label in _OWN_LABELS or _is_below(domain, _OWN_DOMAINS)
    )


def _is_below(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)


def lease_write(node: str, lease: Obj) -> str:
    metadata = lease["metadata"]
    if text(metadata, "namespace") != LEASE_NAMESPACE:
        return f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
    if metadata["name"] != node:
        return "can only access node lease with the same name as the requesting node"
    return ""


def csi_node_write(node: str, csi_node: Obj) -> str:
    if csi_node["metadata"]["name"] != node:
        return "can only access CSINode with the same name as the requesting node"
    return ""


def slice_write(node: str, resource_slice: Obj, verb: str) -> str:
    """`verb` is create or delete: what else is written, the authorizer has looked at."""
    if text(resource_slice, "spec", "nodeName") != node:
        return f"can only {verb} ResourceSlice with the same NodeName as the requesting node"
    return ""


def claim_status(node: str, new: Obj, old: Obj) -> str:
    """Of PersistentVolumeClaims: what kubelets resize."""
    if _not_of_kubelets(new) != _not_of_kubelets(old):
        words = "is not allowed to update fields other than status.quantity and status.conditions"
        return f'node "{node}" {words}'
    return ""


def _not_of_kubelets(claim: Obj) -> Obj:
    left_out = ("resourceVersion", "managedFields")
    metadata = {k: v for k, v in claim["metadata"].items() if k not in left_out}
    status = {k: v for k, v in part(claim, "status").items() if k not in _OF_KUBELETS}
    return {**claim, "metadata": metadata, "status": status}
