"""Authorization checks in expressions: `authorizer.group("").resource("pods").check("list")`.

Whoever evaluates says what is allowed: a function of the values that were gathered.
Source: k8s.io/apiserver/pkg/cel/library/authz.go, v0.36.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mizzen.cel.values import Map, named


@dataclass(frozen=True, slots=True)
class Check:
    """What is asked: of whom ("": who made the request, else a service account's name), and about
    a path or a resource."""

    verb: str = ""
    service_account: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


Allows = Callable[[Check], tuple[bool, str]]  # whether, and the reason


@named("kubernetes.authorization.PathCheck")
@dataclass(frozen=True, slots=True)
class PathCheck:
    allows: Allows
    check: Check


@named("kubernetes.authorization.GroupCheck")
@dataclass(frozen=True, slots=True)
class GroupCheck:
    allows: Allows
    check: Check


@named("kubernetes.authorization.ResourceCheck")
@dataclass(frozen=True, slots=True)
class ResourceCheck:
    allows: Allows
    check: Check


@named("kubernetes.authorization.Decision")
@dataclass(frozen=True, slots=True)
class Decision:
    is_allowed: bool
    reason: str = ""
    error: str = ""


class Authorizer(Map, type_name="kubernetes.authorization.Authorizer"):
    """The value of `authorizer`; `requestResource` is a check of what the request is about."""

    __slots__ = ("allows", "check")

    def __init__(self, allows: Allows, check: Check, request: Check | None = None) -> None:
        own = [] if request is None else [("requestResource", ResourceCheck(allows, request))]
        super().__init__(own, native=True)
        self.allows = allows
        self.check = check


def path(args: list[object]) -> object:
    target, value = args
    assert isinstance(target, Authorizer) and isinstance(value, str)
    return PathCheck(target.allows, replace(target.check, path=value))


def group(args: list[object]) -> object:
    target, value = args
    assert isinstance(target, Authorizer) and isinstance(value, str)
    return GroupCheck(target.allows, replace(target.check, group=value))


def service_account(args: list[object]) -> object:
    target, namespace, name = args
    assert isinstance(target, Authorizer)
    user = f"system:serviceaccount:{namespace}:{name}"
    return Authorizer(target.allows, replace(target.check, service_account=user))


def resource(args: list[object]) -> object:
    target, value = args
    assert isinstance(target, GroupCheck) and isinstance(value, str)
    return ResourceCheck(target.allows, replace(target.check, resource=value))


def subresource(args: list[object]) -> object:
    target, value = args
    assert isinstance(target, ResourceCheck) and isinstance(value, str)
    return ResourceCheck(target.allows, replace(target.check, subresource=value))


def namespace(args: list[object]) -> object:
    target, value = args
    assert isinstance(target, ResourceCheck) and isinstance(value, str)
    return ResourceCheck(target.allows, replace(target.check, namespace=value))


def name(args: list[object]) -> object:
    target, value = args
    assert isinstance(target, ResourceCheck) and isinstance(value, str)
    return ResourceCheck(target.allows, replace(target.check, name=value))


def selected(args: list[object]) -> object:
    """Selectors narrow a check; authorizers here decide without them, so no more is allowed."""
    return args[0]


def check(args: list[object]) -> object:
    target, verb = args
    assert isinstance(target, PathCheck | ResourceCheck) and isinstance(verb, str)
    return Decision(*target.allows(replace(target.check, verb=verb)))


def allowed(args: list[object]) -> object:
    return isinstance(args[0], Decision) and args[0].is_allowed


def reason(args: list[object]) -> object:
    return args[0].reason if isinstance(args[0], Decision) else ""


def error(args: list[object]) -> object:
    return args[0].error if isinstance(args[0], Decision) else ""


def errored(args: list[object]) -> object:
    return isinstance(args[0], Decision) and bool(args[0].error)
