"""Whether the object is the one, and the version, that a request meant."""

from __future__ import annotations

from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.base.errors import Conflict
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource


def check(resource: Resource, obj: Obj, uid: str, resource_version: str) -> None:
    """Errors: Conflict when the object is not the one, or not the version, that was meant."""
    metadata = obj["metadata"]
    name = metadata["name"]
    if uid and uid != metadata["uid"]:
        raise refusals.conflict(
            resource,
            name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {metadata['uid']}",
        )
    revision = metadata.get("resourceVersion")
    if resource_version and resource_version != revision:
        raise refusals.conflict(
            resource,
            name,
            f"Precondition failed: ResourceVersion in precondition: {resource_version}, "
            f"ResourceVersion in object meta: {revision}",
        )


# Source: SpecialDefaultResourcePrefixes in pkg/kubeapiserver.
_STORED_AS = {
    ("", "replicationcontrollers"): "controllers",
    ("", "endpoints"): "services/endpoints",
    ("", "nodes"): "minions",
    ("", "services"): "services/specs",
    ("networking.k8s.io", "ingresses"): "ingress",
}
_BESIDE = ("apiextensions.k8s.io", "apiregistration.k8s.io")  # servers of their own


def check_uid(
    resource: Resource, namespace: str, name: str, found: str, uid: str, *, is_builtin: bool
) -> None:
    """That an update says the uid of what it replaces, `found`, which is "" where there is nothing.

    Errors: Conflict, in the words of upstream's storage, which tells its key.
    """
    if uid == found:
        return
    prefix = _STORED_AS.get((resource.group, resource.plural), resource.plural)
    if not is_builtin or resource.group in _BESIDE:
        prefix = f"{resource.group}/{resource.plural}"
    key = "/".join(("/registry", prefix, *filter(None, (namespace, name))))
    raise refusals.conflict(
        resource,
        name,
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
        f"UID in object meta: {found}",
    )


def check_meant(resource: Resource, obj: Obj, options: DeleteOptions) -> None:
    """As `check`, in the words in which upstream refuses a deletion."""
    metadata = obj["metadata"]
    uid, revision = metadata["uid"], metadata.get("resourceVersion")
    reason = ""
    if options.uid and options.uid != uid:
        reason = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
    elif options.resource_version and options.resource_version != revision:
        reason = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({revision}). The object might have been modified"
        )
    if reason:
        kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        raise Conflict(
            f'Operation cannot be fulfilled on {kind} "{metadata["name"]}": {reason}',
            group=resource.group, kind=resource.kind, name=metadata["name"],
        )  # fmt: skip
