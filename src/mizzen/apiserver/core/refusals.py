"""Errors in the exact words of upstream's API server, which clients and people know.

Source: apimachinery `api/errors`.
"""

from __future__ import annotations

from mizzen.apiserver.core.access import Access
from mizzen.base.errors import (
    AlreadyExists,
    BadRequest,
    Cause,
    Conflict,
    Forbidden,
    MethodNotAllowed,
    NotFound,
)
from mizzen.base.errors import Timeout as _Timeout
from mizzen.base.go_text import quoted
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds.names import path_segment

_MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def qualified(resource: Resource) -> str:
    """`pods`, `jobs.batch`: how messages and the store name a resource."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def not_found(resource: Resource, name: str) -> NotFound:
    return NotFound(
        f"{qualified(resource)} {quoted(name)} not found",
        group=resource.group, kind=resource.plural, name=name,
    )  # fmt: skip


def already_exists(resource: Resource, name: str, there: Obj | None) -> AlreadyExists:
    """`there`: what has the name."""
    is_leaving = there is not None and bool(there["metadata"].get("deletionTimestamp"))
    before = "object is being deleted: " if is_leaving else ""
    return AlreadyExists(
        f'{before}{qualified(resource)} "{name}" already exists',
        group=resource.group, kind=resource.plural, name=name,
    )  # fmt: skip


def deleted_by_the_same_plan(resource: Resource, name: str) -> AlreadyExists:
    """One transaction writes an object once: watchers would see the two as one that changed."""
    return AlreadyExists(
        f'object is being deleted: {qualified(resource)} "{name}" already exists; '
        "create the new one in a plan of its own, after this one",
        group=resource.group, kind=resource.plural, name=name,
    )  # fmt: skip


def conflict(resource: Resource, name: str, reason: str = _MODIFIED) -> Conflict:
    return Conflict(
        f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {reason}',
        group=resource.group, kind=resource.plural, name=name,
    )  # fmt: skip


def forbidden(resource: Resource, name: str, reason: str) -> Forbidden:
    return _forbidden(resource.group, resource.plural, name, reason)


def denied(access: Access, reason: str) -> Forbidden:
    """For what no authorizer allows; `reason` "" is that none says why.

    Source: apiserver `endpoints/handlers/responsewriters/errors.go`.
    """
    what = access.refusal.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    message = f"{what}: {reason}" if reason else what
    return _forbidden(access.group, access.resource, access.name, message)


def _forbidden(group: str, plural: str, name: str, reason: str) -> Forbidden:
    what = f"{plural}.{group}" if group else plural
    subject = f'{what} "{name}" is ' if name else f"{what} is " if what else ""
    return Forbidden(f"{subject}forbidden: {reason}", group=group, kind=plural, name=name)


def unserved() -> NotFound:
    """For paths and resources that do not exist at all."""
    error = NotFound("the server could not find the requested resource")
    error.has_details = True
    return error


def unrouted() -> MethodNotAllowed:
    """For paths that exist, with other methods. Source: apimachinery NewGenericServerResponse."""
    error = MethodNotAllowed("the server does not allow this method on the requested resource")
    error.has_details = True
    return error


def method_not_allowed(resource: Resource, verb: str, hint: str = "") -> MethodNotAllowed:
    """For verbs that a custom kind does not have."""
    text = f'{verb} is not supported on resources of kind "{qualified(resource)}"'
    return MethodNotAllowed(
        f"{text}: {hint}" if hint else text, group=resource.group, kind=resource.plural
    )


def check_name(name: str) -> None:
    """Errors: BadRequest for what no object can be called."""
    if problem := path_segment(name):
        raise BadRequest(f"Name parameter invalid: {quoted(name)}: {problem}")


def future_revision(wanted: int, newest: int) -> _Timeout:
    """For reads at a revision that does not exist yet."""
    return _Timeout(
        f"Timeout: Too large resource version: {wanted}, current: {newest}",
        causes=[Cause("", "Too large resource version", "ResourceVersionTooLarge")],
        retry_after_s=1,
    )


def check_meant(found: object, name: str) -> None:
    """That what is written to a name has it. Errors: BadRequest."""
    if not found:
        raise unnamed(name)
    if found != name:
        raise renamed(str(found), name)


def unnamed(name: str) -> BadRequest:
    """For what is written to a name and has none. Source: apiserver `endpoints/handlers/rest.go`."""
    return BadRequest(
        f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
    )


def renamed(found: str, name: str) -> BadRequest:
    return BadRequest(
        f"the name of the object ({found}) does not match the name on the URL ({name})"
    )
