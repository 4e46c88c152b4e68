"""From method and path to what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.user import User
from mizzen.base import query

_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_ANY = "any"
_NO_NAMES = (*_NAMESPACE_SUBRESOURCES, "proxy")  # they mean something by themselves
_COLLECTION_LENGTH_MAX = 512  # of a path that is remembered
_WITH_SELECTORS = ("list", "watch", "deletecollection")
_PROXIED = {  # parameters are the other server's
    "GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch",
    "DELETE": "delete", "OPTIONS": "options",
}  # fmt: skip
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Target(NamedTuple):
    """The target of a path below /api or /apis. `plural` is "" for a group-version itself."""

    group: str
    version: str
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def decoded(path: str) -> str:
    """What a path means, without its escapes."""
    return unquote(path) if "%" in path else path


def parse_path(path: str) -> Target | None:
    """The target of an API path, None where the path has no such form."""
    collection, _, last = path.rpartition("/")
    is_word = last and last not in _NO_NAMES and "%" not in last
    below = _below(collection) if is_word and len(collection) <= _COLLECTION_LENGTH_MAX else None
    if below is None:
        return _parse(path)
    group, version, plural, namespace = below
    if plural:
        return Target(group, version, plural, namespace, last)
    return Target(group, version, last, namespace)


@lru_cache(maxsize=1024)
def _below(path: str) -> tuple[str, str, str, str] | None:
    """Group, version, plural and namespace of what any word below a path names, the plural "" where
    it is the word; None where it is none of both. Clients ask for many objects of few collections."""
    target = _parse(f"{path}/{_ANY}")
    if target is None or target.subresource or _ANY not in (target.name, target.plural):
        return None
    group, version, plural, namespace, name, _ = target
    if name:
        return (group, version, plural, namespace) if name == _ANY else None
    return group, version, "", namespace


def _parse(path: str) -> Target | None:
    parts = decoded(path).strip("/").split("/")
    if parts[0] == "api":
        group, rest = "", parts[1:]
    elif parts[0] == "apis" and len(parts) >= 3 and parts[1]:
        group, rest = parts[1], parts[2:]
    else:
        return None
    if "proxy" in rest:
        rest = _up_to_proxy(rest)
    if not rest or not all(rest):
        return None
    version, rest = rest[0], rest[1:]
    if len(rest) >= 3 and rest[0] == "namespaces" and not _is_namespace_subresource(rest):
        return _target(group, version, rest[2:], rest[1])
    return _target(group, version, rest, "")


def _up_to_proxy(rest: list[str]) -> list[str]:
    """Without the path of another server, which may have any form."""
    at = 5 if rest[1:2] == ["namespaces"] else 3  # after version, plural and name
    return rest[: at + 1] if rest[at : at + 1] == ["proxy"] else rest


def _is_namespace_subresource(rest: list[str]) -> bool:
    return len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES


def _target(group: str, version: str, rest: list[str], namespace: str) -> Target:
    plural = rest[0] if rest else ""
    name = rest[1] if len(rest) > 1 else ""
    return Target(group, version, plural, namespace, name, "/".join(rest[2:]))


def access_of(user: User, verb: str, target: Target, params: Mapping[str, str]) -> Access:
    """The attributes by which a request for objects is judged.

    A namespace is judged as an object within itself. A list or watch of a single name is judged
    by that name, so that whoever may only see that one object can watch it.
    Source: apiserver `endpoints/request/requestinfo.go`.
    """
    namespace, name, plural = target.namespace, target.name, target.plural
    if plural == "namespaces" and not target.group:
        namespace = name
    if "fieldSelector" not in params or verb not in _WITH_SELECTORS:
        return Access(user, verb, target.group, plural, target.subresource, namespace, name)
    selector = params["fieldSelector"]
    if not name and verb != "deletecollection":
        name = selected_name(selector)
    group, subresource = target.group, target.subresource
    return Access(user, verb, group, plural, subresource, namespace, name, "", selector)


def selected_name(selector: str) -> str:
    """The only name that a field selector can match, "" where it leaves more."""
    for term in selector.split(","):
        field, equals, value = term.partition("=")
        if equals and field == "metadata.name":
            name = value.removeprefix("=")
            return "" if any(c in name for c in "/%\\") else name
    return ""


def verb_of(method: str, target: Target, params: Mapping[str, str]) -> str:
    """The authorization verb; "" for a method that the API has not."""
    if target.subresource == "proxy":
        return _PROXIED.get(method, "")
    if method in ("GET", "HEAD"):
        if target.name:  # to watch one object is to list by its name
            return "get"
        return "watch" if query.is_true(params.get("watch")) else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return _VERBS.get(method, "")
