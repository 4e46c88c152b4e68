"""The Node authorizer's decisions: a kubelet reaches its own objects and what its pods refer to.

Source: plugin/pkg/auth/authorizer/node, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.policy_rules import PolicyRule
from mizzen.apiserver.core.user import NODE_PREFIX, NODES, User
from mizzen.base.names import IDENTITY_PREFIX
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, field, part, text

LEASE_NAMESPACE = "kube-node-lease"
_READ = ("get", "list", "watch")
_CSI, _DRA, _LEASES = "storage.k8s.io", "resource.k8s.io", "coordination.k8s.io"


AGENT = f"{IDENTITY_PREFIX}node"  # of the instance's own node
# What the agent may do by way of its pods; all else is in the components' table.
_OF_AGENT = frozenset((
    ("get", "", "secrets"), ("get", "", "configmaps"), ("create", "", "serviceaccounts/token"),
))  # fmt: skip


class Reference(NamedTuple):
    """Something that belongs to a node by way of its pods; `resource` as the store names it."""

    resource: str
    namespace: str
    name: str


Related = Callable[[Reference], bool]  # to the node that asks


def node_of(user: User) -> str | None:
    """The node whose kubelet a user is, "" for one without a name; None of other users."""
    if NODES not in user.groups or not user.name.startswith(NODE_PREFIX):
        return None
    return user.name.removeprefix(NODE_PREFIX)


def judge(
    access: Access, node: str, related: Related, rules: Sequence[PolicyRule]
) -> tuple[bool, str]:
    """Whether a node may do something, and the reason where it may not."""
    if not node:
        return False, f'unknown node for user "{access.user.name}"'
    special = _SPECIAL.get((access.group, access.resource))
    if special is not None and not access.path:
        return special(access, node, related)
    return any(rule.allows(access) for rule in rules), ""


def judge_agent(access: Access, node: str, related: Related) -> tuple[bool, str]:
    """The same of the agent, where it goes by the node's pods."""
    if (access.verb, access.group, access.what) not in _OF_AGENT:
        return False, ""
    return _by_relation(access, node, related)


def _read_namespaced(access: Access, node: str, related: Related) -> tuple[bool, str]:
    if access.verb not in _READ:
        return False, "can only read resources of this type"
    if access.subresource:
        return False, "cannot read subresource"
    if not access.namespace:
        return False, "can only read namespaced object of this type"
    return _by_relation(access, node, related)


def _get(access: Access, node: str, related: Related) -> tuple[bool, str]:
    if access.verb != "get":
        return False, "can only get individual resources of this type"
    if access.subresource:
        return False, "cannot get subresource"
    return _by_relation(access, node, related)


def _claim_of_volume(access: Access, node: str, related: Related) -> tuple[bool, str]:
    if access.subresource != "status":
        return _get(access, node, related)
    if access.verb not in ("update", "patch"):
        return False, "can only get/update/patch this type"
    return _by_relation(access, node, related)


def _by_relation(access: Access, node: str, related: Related) -> tuple[bool, str]:
    if not access.name:
        return False, "No Object name found"
    resource = f"{access.resource}.{access.group}" if access.group else access.resource
    if related(Reference(resource, access.namespace, access.name)):
        return True, ""
    return False, f"no relationship found between node '{node}' and this object"


def _service_account(access: Access, node: str, related: Related) -> tuple[bool, str]:
    if access.verb == "get" and not access.subresource:
        return _read_namespaced(access, node, related)
    if access.verb != "create" or not access.name:
        return False, "can only create tokens for individual service accounts"
    if access.subresource != "token":
        return False, "can only create token subresource of serviceaccount"
    return _by_relation(access, node, related)


def _own(kind: str, access: Access, node: str, namespace: str = "") -> tuple[bool, str]:
    if access.verb not in ("get", "create", "update", "patch", "delete"):
        return False, f"can only get, create, update, patch, or delete a {kind}"
    if namespace and access.namespace != namespace:
        return False, f'can only access leases in the "{namespace}" system namespace'
    if access.verb != "create" and access.name != node:
        return False, f"can only access {kind} with the same name as the requesting node"
    return True, ""


def _lease(access: Access, node: str, related: Related) -> tuple[bool, str]:
    return _own("node lease", access, node, LEASE_NAMESPACE)


def _csi_node(access: Access, node: str, related: Related) -> tuple[bool, str]:
    allowed, reason = _own("CSINode", access, node)
    if access.subresource and not reason.startswith("can only get"):
        return False, "cannot authorize CSINode subresources"
    return allowed, reason


def _slice(access: Access, node: str, related: Related) -> tuple[bool, str]:
    if access.subresource:
        return False, "cannot authorize ResourceSlice subresources"
    if access.verb == "create":
        return True, ""
    if access.verb in ("get", "update", "patch", "delete"):
        return _by_relation(access, node, related)
    if access.selects("spec.nodeName", node):
        return True, ""
    words = "can only list/watch/deletecollection resourceslices with nodeName field selector"
    return False, words


def _node(access: Access, node: str, related: Related) -> tuple[bool, str]:
    if access.subresource == "status":
        return access.verb in ("update", "patch"), ""
    if access.subresource:
        return False, ""
    if access.verb in ("create", "update", "patch"):
        return True, ""
    if access.verb not in _READ:
        return False, ""
    if access.name == node:
        return True, ""
    if not access.name:
        return False, f"node '{node}' cannot read all nodes, only its own Node object"
    return False, f"node '{node}' cannot read '{access.name}', only its own Node object"


def _pod(access: Access, node: str, related: Related) -> tuple[bool, str]:
    verb = access.verb
    if access.subresource:
        allowed = {"status": ("update", "patch"), "eviction": ("create",)}
        return verb in allowed.get(access.subresource, ()), ""
    if verb in ("create", "delete"):
        return True, ""
    if verb == "get":
        return _by_relation(access, node, related)
    if verb not in _READ:
        return False, ""
    if access.selects("spec.nodeName", node):
        return True, ""
    if access.name:
        return _by_relation(access, node, related)
    return False, "can only list/watch pods with spec.nodeName field selector"


_SPECIAL: Mapping[tuple[str, str], Callable[[Access, str, Related], tuple[bool, str]]] = {
    ("", "secrets"): _read_namespaced,
    ("", "configmaps"): _read_namespaced,
    ("", "persistentvolumeclaims"): _claim_of_volume,
    ("", "persistentvolumes"): _get,
    ("", "serviceaccounts"): _service_account,
    ("", "nodes"): _node,
    ("", "pods"): _pod,
    (_DRA, "resourceclaims"): _get,
    (_DRA, "resourceslices"): _slice,
    (_CSI, "volumeattachments"): _get,
    (_CSI, "csinodes"): _csi_node,
    (_LEASES, "leases"): _lease,
}


def references(pod: Obj) -> set[Reference]:
    """Everything that a pod's node needs for it, the pod itself included."""
    namespace, name = text(pod, "metadata", "namespace"), text(pod, "metadata", "name")
    spec = part(pod, "spec")
    found = {Reference("pods", namespace, name)}
    account = text(spec, "serviceAccountName") or "default"
    found.add(Reference("serviceaccounts", namespace, account))
    claims = entries(spec, "resourceClaims") + entries(pod, "status", "resourceClaimStatuses")
    claims.append(part(pod, "status", "extendedResourceClaimStatus"))
    for claim in claims:
        found.add(Reference("resourceclaims.resource.k8s.io", namespace,
                            text(claim, "resourceClaimName")))  # fmt: skip
    for secret in entries(spec, "imagePullSecrets"):
        found.add(Reference("secrets", namespace, text(secret, "name")))
    for volume in entries(spec, "volumes"):
        if field(volume, "ephemeral") is not None:
            claim = f"{name}-{text(volume, 'name')}"
            found.add(Reference("persistentvolumeclaims", namespace, claim))
    found.update(Reference(resource, namespace, named) for resource, named in _named(spec))
    return {each for each in found if each.name}


_KEYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "secret": ("secrets", ("secretName", "name")),
    "secretRef": ("secrets", ("name",)),
    "secretKeyRef": ("secrets", ("name",)),
    "nodePublishSecretRef": ("secrets", ("name",)),
    "configMap": ("configmaps", ("name",)),
    "configMapRef": ("configmaps", ("name",)),
    "configMapKeyRef": ("configmaps", ("name",)),
    "persistentVolumeClaim": ("persistentvolumeclaims", ("claimName",)),
    "azureFile": ("secrets", ("secretName",)),
}


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """(resource, name) of whatever names a secret, a configuration or a claim, however deep."""
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _named(each)
    elif isinstance(value, dict):
        for key, below in cast("dict[str, Any]", value).items():
            if key in _KEYS and isinstance(below, dict):
                resource, names = _KEYS[key]
                named = cast("dict[str, Any]", below)
                yield from ((resource, str(named[name])) for name in names if named.get(name))
            yield from _named(below)


class NodeReferences:
    """What belongs to which nodes, by the pods that it is told of."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], tuple[str, set[Reference]]] = {}
        self._nodes: dict[Reference, dict[str, int]] = {}  # how many pods of each node

    def put(self, pod: Obj) -> None:
        place = (text(pod, "metadata", "namespace"), text(pod, "metadata", "name"))
        node = text(pod, "spec", "nodeName")
        found = references(pod) if node else set[Reference]()
        known = self._pods.get(place)
        if known == (node, found):
            return
        self.remove(place)
        if not node:
            return
        self._pods[place] = (node, found)
        for reference in found:
            counts = self._nodes.setdefault(reference, {})
            counts[node] = counts.get(node, 0) + 1

    def remove(self, place: tuple[str, str]) -> None:
        node, found = self._pods.pop(place, ("", set[Reference]()))
        for reference in found:
            counts = self._nodes[reference]
            counts[node] -= 1
            if not counts[node]:
                del counts[node]
            if not counts:
                del self._nodes[reference]

    def relates(self, node: str, reference: Reference) -> bool:
        return node in self._nodes.get(reference, ())
