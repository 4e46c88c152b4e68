"""Whose objects may be replaced by who does not say which version of them he has seen, and whose are
made where there is none to replace.

Source: AllowUnconditionalUpdate and AllowCreateOnUpdate in pkg/registry, apiextensions and kube-aggregator, Kubernetes 1.36;
apiserver `registry/generic/registry/store.go`: Update.
"""

from __future__ import annotations

from mizzen.base.errors import Cause, Invalid, invalid
from mizzen.base.resources import Resource

_NEVER = frozenset(
    [
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "apiservices"),
        ("certificates.k8s.io", "clustertrustbundles"),
        ("certificates.k8s.io", "podcertificaterequests"),
        ("coordination.k8s.io", "leasecandidates"),
        ("coordination.k8s.io", "leases"),
        ("node.k8s.io", "runtimeclasses"),
        ("policy", "poddisruptionbudgets"),
        ("resource.k8s.io", "resourcepoolstatusrequests"),
        ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "csistoragecapacities"),
        ("storage.k8s.io", "volumeattachments"),
        ("storagemigration.k8s.io", "storageversionmigrations"),
    ]
)

_MADE = frozenset(
    [
        ("", "endpoints"),
        ("", "events"),
        ("", "limitranges"),
        ("", "services"),
        ("coordination.k8s.io", "leasecandidates"),
        ("coordination.k8s.io", "leases"),
        ("events.k8s.io", "events"),
        ("node.k8s.io", "runtimeclasses"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("rbac.authorization.k8s.io", "roles"),
    ]
)


def makes_what_is_missing(resource: Resource) -> bool:
    """True if an update of what is not there creates it."""
    return (resource.group, resource.plural) in _MADE


def needs_revision(resource: Resource, *, is_builtin: bool) -> bool:
    """True if an update must name the resourceVersion that it replaces."""
    return not is_builtin or (resource.group, resource.plural) in _NEVER


def revision_missing(resource: Resource, name: str) -> Invalid:
    """The refusal of an update that does not; upstream names the resource for its kind, too."""
    message = "Invalid value: 0: must be specified for an update"
    cause = Cause("metadata.resourceVersion", message)
    return invalid(resource.plural, resource.group, name, [cause])
