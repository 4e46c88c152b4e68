"""The fields that a write to an object, or to a part of it, does not set, whatever it says.

Source: the `GetResetFields` of upstream's strategies, kubernetes `pkg/registry`, apiextensions
`registry/customresource`; v1.36.
"""

from __future__ import annotations

from mizzen.base.resources import Resource
from mizzen.kinds.managed_fields.sets import LEAF, Fields

_NONE: Fields = {}
_STATUS: Fields = {"f:status": LEAF}
# Of these a write of the status leaves the metadata alone, as of all custom kinds.
_KEEP_METADATA = frozenset(
    (
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("internal.apiserver.k8s.io", "StorageVersion"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("resource.k8s.io", "DeviceTaintRule"),
        ("resource.k8s.io", "ResourceClaim"),
        ("resource.k8s.io", "ResourcePoolStatusRequest"),
        ("scheduling.k8s.io", "PodGroup"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storagemigration.k8s.io", "StorageVersionMigration"),
    )
)
_PARTS: dict[tuple[str, str, str], Fields] = {
    ("", "Namespace", "finalize"): _STATUS,
    ("", "Pod", "status"): {
        "f:spec": LEAF,
        "f:metadata": {"f:deletionTimestamp": LEAF, "f:ownerReferences": LEAF},
    },
    ("apps", "Deployment", "status"): {"f:spec": LEAF, "f:metadata": {"f:labels": LEAF}},
    ("certificates.k8s.io", "CertificateSigningRequest", ""): {"f:spec": LEAF, **_STATUS},
    ("certificates.k8s.io", "CertificateSigningRequest", "status"): {
        "f:spec": LEAF,
        "f:status": {"f:conditions": LEAF},
    },
    ("certificates.k8s.io", "CertificateSigningRequest", "approval"): {
        "f:spec": LEAF,
        "f:status": {"f:certificate": LEAF},
    },
}


def reset_fields(
    resource: Resource, subresource: str, *, has_status: bool, is_custom: bool
) -> Fields:
    """`subresource` "": of a write to the object itself."""
    found = _PARTS.get((resource.group, resource.kind, subresource))
    if found is not None:
        return found
    if subresource == "status":
        keeps = is_custom or (resource.group, resource.kind) in _KEEP_METADATA
        return {"f:spec": LEAF, **({"f:metadata": LEAF} if keeps else {})}
    return _STATUS if has_status and not subresource else _NONE
