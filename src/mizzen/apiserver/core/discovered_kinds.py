"""What discovery says of one kind, in the legacy form and in the aggregated one.

Source: apiserver `endpoints/installer.go`, `endpoints/discovery`; apiextensions-apiserver
`customresource_discovery_controller.go`.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.subresource import Subresource

_VERBS_OF_CUSTOM_KINDS = (
    "delete", "deletecollection", "get", "list", "patch", "create", "update", "watch",
)  # fmt: skip


def aggregated(kind: Kind, *, is_builtin: bool) -> Obj:
    """One resource of aggregated discovery, its subresources within."""
    resource = kind.resource
    group, version = ("", "") if is_builtin else (resource.group, resource.version)
    own = (group, version, resource.kind)
    entry: Obj = {
        "resource": resource.plural,
        "responseKind": _type(own),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": kind.singular_name,
        "verbs": _verbs(kind, is_builtin),
        **_names(kind),
    }
    if kind.subresources:
        entry["subresources"] = [
            {
                "subresource": below.name,
                "responseKind": _type(_told(below, resource) or own),
                "verbs": list(below.verbs),
            }
            for below in _in_order(kind, is_builtin)
        ]
    return entry


def listed(kind: Kind, stored: Resource, *, is_builtin: bool) -> list[Obj]:
    """The entries of a kind and its subresources in an APIResourceList; `stored`: as what its
    objects are stored."""
    resource = kind.resource
    entry: Obj = {
        "name": resource.plural,
        "singularName": kind.singular_name,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(kind, is_builtin),
        **_names(kind),
    }
    if kind.is_stored:
        entry["storageVersionHash"] = _storage_hash(stored)
    entries = [entry]
    for below in _in_order(kind, is_builtin):
        told = _type(_told(below, resource) or ("", "", resource.kind))
        entries.append({
            "name": f"{resource.plural}/{below.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "verbs": list(below.verbs),
            **{name: word for name, word in told.items() if word},
        })  # fmt: skip
    return entries


def resource_list(group: str, version: str, entries: Sequence[Obj]) -> Obj:
    """Legacy discovery of one group-version."""
    place = f"{group}/{version}" if group else version
    # The list of the oldest group has no version of its own.
    head: Obj = {"kind": "APIResourceList", **({"apiVersion": "v1"} if group else {})}
    return {**head, "groupVersion": place, "resources": list(entries)}


def _names(kind: Kind) -> Obj:
    named = {"shortNames": kind.short_names, "categories": kind.categories}
    return {name: list(values) for name, values in named.items() if values}


def _verbs(kind: Kind, is_builtin: bool) -> list[str]:
    if is_builtin:
        return list(kind.verbs)
    return [verb for verb in _VERBS_OF_CUSTOM_KINDS if verb in kind.verbs]


def _in_order(kind: Kind, is_builtin: bool) -> list[Subresource]:
    """Of custom kinds the status comes first."""
    return sorted(kind.subresources, key=lambda below: below.name, reverse=not is_builtin)


def _told(below: Subresource, resource: Resource) -> tuple[str, str, str] | None:
    """The type of a subresource that has another one; group and version where they are others."""
    if below.response is None:
        return None
    group, version, kind = below.response
    is_own = (group, version) == (resource.group, resource.version)
    return ("", "", kind) if is_own else (group, version, kind)


def _type(told: tuple[str, str, str]) -> Obj:
    return dict(zip(("group", "version", "kind"), told, strict=True))


def _storage_hash(stored: Resource) -> str:
    text = f"{stored.group}/{stored.version}/{stored.kind}"
    return b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()
