"""Of what version and kind a body says that it is, in the order in which upstream's decoder looks.

Source: apiserver `handlers/create.go`, `rest.go` (transformDecodeError), apimachinery
`runtime/serializer/json`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from mizzen.apiserver.core import json_syntax
from mizzen.apiserver.core.messages import definition_of
from mizzen.base.errors import BadRequest
from mizzen.base.go_text import json_kind, quoted
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource

_SUMMARY_BYTES = 30
_TYPE = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)
# Kinds of every version.
UNVERSIONED = ("Status", "APIVersions", "APIGroup", "APIGroupList", "APIResourceList")
_UNPARSED = "couldn't get version/kind; json parse error: "
_SCHEME = "pkg/runtime/scheme.go:111"


Misfit = Callable[[str, Obj], str]  # by the name of a type, "" for one that has no table


class NoJson(BadRequest):
    """A body that cannot be read; `problem` says why, `syntax` what of it is no JSON."""

    def __init__(self, problem: str, syntax: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.syntax = syntax


class Unread(NoJson):
    """A body that says what it is, and is not to be read as that."""

    def __init__(self, kind: str, api_version: str, problem: str) -> None:
        super().__init__(problem)
        self.kind = kind
        self.api_version = api_version


def unparsed(body: bytes, reason: str) -> NoJson:
    """For what is no JSON in upstream's eyes, or in ours alone for this reason."""
    syntax = json_syntax.problem(body) or reason
    return NoJson(_UNPARSED + syntax, syntax)


def opened(value: Any) -> Obj:
    """The value as an object that may say its version and kind. Errors: NoJson."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NoJson(
            f"{_UNPARSED}json: cannot unmarshal {json_kind(value)} into Go value of type {_TYPE}"
        )
    obj = cast("Obj", value)
    for name in obj:
        if name in ("apiVersion", "kind") and not isinstance(obj[name], str | None):
            raise NoJson(
                f"{_UNPARSED}json: cannot unmarshal {json_kind(obj[name])} into Go struct field "
                f".{name} of type string"
            )
    if str(obj.get("apiVersion") or "").count("/") > 1:
        raise NoJson(f"unexpected GroupVersion string: {obj['apiVersion']}")
    return obj


def unreadable(resource: Resource, error: NoJson, body: bytes) -> BadRequest:
    """What is told of a body that was to be of this resource."""
    if isinstance(error, Unread):
        return _unhandled(resource, error.kind, error.api_version, error.problem)
    return unrecognized(resource, error.problem, body)


def unrecognized(resource: Resource, problem: str, body: bytes) -> BadRequest:
    return BadRequest(
        f"the object provided is unrecognized (must be of type {resource.kind}): {problem} "
        f"({_summary(body)})"
    )


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    start, more = body[:_SUMMARY_BYTES], " ..." if len(body) > _SUMMARY_BYTES else ""
    return (start.decode(errors="replace") if body.startswith(b"{") else start.hex()) + more


def check_type(
    obj: Obj, resource: Resource, body: bytes, misfit: Misfit, *, is_builtin: bool
) -> None:
    """`misfit`: the problem with an object as the kind that it gives itself, which is read before
    anybody asks for another; "" where there is none.

    Errors: BadRequest for an object of another kind or version.
    """
    kind, version = str(obj.get("kind") or ""), str(obj.get("apiVersion") or "")
    if not is_builtin:
        if not kind:
            text = body.decode(errors="replace")
            raise unrecognized(resource, f"Object 'Kind' is missing in '{text}'", body)
        if version != resource.api_version:
            raise _other_version(version, resource)
        return
    kind, version = kind or resource.kind, version or resource.api_version
    if (kind, version) == (resource.kind, resource.api_version):
        return
    if not is_registered(version, kind):
        raise _unhandled(resource, kind, version, unregistered(version, kind))
    if kind == resource.kind and version.partition("/")[0] == resource.group:
        raise _other_version(version, resource)
    problem = misfit(definition_of(version, kind), obj)
    if problem:
        raise _unhandled(resource, kind, version, problem)
    short = version.rpartition("/")[2]
    raise _unhandled(
        resource, kind, version,
        f"converting ({short}.{kind}) to ({internal_type(resource)}): unknown conversion",
    )  # fmt: skip


def unregistered(api_version: str, kind: str) -> str:
    """The problem with a kind that upstream does not know in this version."""
    place = f"registered for version {quoted(api_version)} in scheme {quoted(_SCHEME)}"
    return f"no kind {quoted(kind)} is {place}"


def is_registered(api_version: str, kind: str) -> bool:
    """True for kinds that upstream knows in this version, and for lists of them."""
    listed = kind.removesuffix("List")
    if (api_version, kind) == ("v1", "List") or kind in UNVERSIONED:
        return True
    return bool(definition_of(api_version, kind) or definition_of(api_version, listed))


def internal_type(resource: Resource) -> str:
    """The type that upstream converts all versions of a kind to: `core.Pod`."""
    group = resource.group
    package = "core" if group in ("", "events.k8s.io") else group.partition(".")[0]
    return f"{package}.{resource.kind}"


def _other_version(version: str, resource: Resource) -> BadRequest:
    return BadRequest(
        f"the API version in the data ({version.removeprefix('/')}) does not match the expected API "
        f"version ({resource.api_version})"
    )


def _unhandled(resource: Resource, kind: str, version: str, problem: str) -> BadRequest:
    short = quoted(version.rpartition("/")[2])
    return BadRequest(
        f"{kind} in version {short} cannot be handled as a {resource.kind}: {problem}"
    )
