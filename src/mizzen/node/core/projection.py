"""The files of a pod's volumes of types configMap, secret, downwardAPI and projected.

Source: core/v1 types.go; kubelet's pkg/volume/projected, of whose sources the later one wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.node.core.environment import Sources, Unresolved, data_of, field_of, resource_of

TOKEN_LIFE_S = 3600  # of a projection that says nothing
ALL_MODE, OWNER_MODE = 0o444, 0o400
UNFINISHED = "..unfinished"  # a volume's file that is being written; no key begins so


class TokenWish(NamedTuple):
    """A token of the pod's ServiceAccount; an audience of "" is the API server."""

    audience: str
    life_s: int


class VolumeFile(NamedTuple):
    content: bytes
    mode: int


Files = dict[str, VolumeFile]  # by the path within the volume


def token_wishes(spec: Obj) -> dict[str, dict[str, TokenWish]]:
    """The tokens that a pod's volumes ask for: volume -> path -> wish."""
    found: dict[str, dict[str, TokenWish]] = {}
    for volume in entries(spec, "volumes"):
        for source in entries(volume, "projected", "sources"):
            wish = part(source, "serviceAccountToken")
            if wish:
                found.setdefault(volume["name"], {})[wish["path"]] = _wish(wish)
    return found


def _wish(projection: Obj) -> TokenWish:
    life_s = projection.get("expirationSeconds") or TOKEN_LIFE_S
    return TokenWish(text(projection, "audience"), life_s)


def files_of(pod: Obj, volume: Obj, sources: Sources) -> Files:
    """What is to lie in the volume. Errors: Unresolved, with the waiting reason."""
    what = f'volume "{volume["name"]}"'
    if "projected" not in volume:
        return _source(pod, what, volume, sources)
    files: Files = {}
    for source in entries(volume, "projected", "sources"):
        files |= _source(pod, what, source, sources)
    return files


def _source(pod: Obj, what: str, source: Obj, sources: Sources) -> Files:
    if "configMap" in source:
        origin = source["configMap"]
        return _entries(what, "ConfigMap", origin["name"], origin, sources.config_maps)
    if "secret" in source:
        origin = source["secret"]
        name = origin.get("secretName") or origin["name"]
        return _entries(what, "Secret", name, origin, sources.secrets)
    if "downwardAPI" in source:
        return _fields(pod, part(source, "downwardAPI"), sources)
    if "serviceAccountToken" in source:
        projection = source["serviceAccountToken"]
        token = sources.tokens[_wish(projection)]
        return {projection["path"]: VolumeFile(token.encode(), OWNER_MODE)}
    kinds = sorted(k for k in source if k != "name")
    raise Unresolved(
        f"{what} is of type {kinds}; supported are emptyDir, configMap, secret, downwardAPI, "
        "projected and hostPath"
    )


def _entries(what: str, kind: str, name: str, origin: Obj, pool: Mapping[str, Obj | None]) -> Files:
    found = pool.get(name)
    if found is None:
        if origin.get("optional"):
            return {}
        raise Unresolved(f'{what}: {kind} "{name}" does not exist', "FailedMount")
    mode = OWNER_MODE if kind == "Secret" else ALL_MODE
    data = data_of(found)
    items = entries(origin, "items")
    if not items:
        return {key: VolumeFile(value, mode) for key, value in data.items()}
    files: Files = {}
    for item in items:
        if item["key"] in data:
            files[item["path"]] = VolumeFile(data[item["key"]], mode)
        elif not origin.get("optional"):
            raise Unresolved(f'{what}: {kind} "{name}" has no key {item["key"]!r}')
    return files


def _fields(pod: Obj, origin: Obj, sources: Sources) -> Files:
    files: Files = {}
    for item in entries(origin, "items"):
        if item.get("fieldRef"):
            value = field_of(pod, item["fieldRef"]["fieldPath"], sources.facts)
        else:
            value = resource_of(pod, {}, item["resourceFieldRef"], sources)
        files[item["path"]] = VolumeFile(value.encode(), ALL_MODE)
    return files
