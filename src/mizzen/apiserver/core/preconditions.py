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
        raise Conflict(
            f'Operation cannot be fulfilled on {resource.kind} "{metadata["name"]}": {reason}',
            group=resource.group, kind=resource.kind, name=metadata["name"],
        )  # fmt: skip
