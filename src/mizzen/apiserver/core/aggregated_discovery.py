"""What another API server says of its resources, in the form of aggregated discovery.

Source: k8s.io/apiserver/pkg/endpoints/discovery/aggregated, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.base.objects import Obj
from mizzen.base.reading import text


def resources(group: str, version: str, listed: Iterable[Obj]) -> list[Obj]:
    """From the entries of an APIResourceList; subresources come below what they belong to."""
    found: dict[str, Obj] = {}
    below: dict[str, list[Obj]] = {}
    for each in listed:
        name, slash, subresource = text(each, "name").partition("/")
        kind = {
            "group": text(each, "group") or group,
            "version": text(each, "version") or version,
            "kind": text(each, "kind"),
        }
        verbs = list(each.get("verbs") or ())
        if slash:
            entry: Obj = {"subresource": subresource, "responseKind": kind, "verbs": verbs}
            below.setdefault(name, []).append(entry)
            continue
        found[name] = {
            "resource": name,
            "responseKind": kind,
            "scope": "Namespaced" if each.get("namespaced") else "Cluster",
            "singularResource": text(each, "singularName"),
            "verbs": verbs,
            **{key: each[key] for key in ("shortNames", "categories") if each.get(key)},
        }
    for name, entries in below.items():
        if name in found:
            found[name]["subresources"] = entries
    return list(found.values())
