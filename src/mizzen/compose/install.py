"""Puts the manifests on a cluster: creates what is missing, updates what is Mizzen's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from mizzen.base.errors import AlreadyExists, NotFound, Timeout
from mizzen.base.names import MANAGED_BY
from mizzen.base.objects import Obj, has_condition, labels_of, name_of, namespace_of
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource
from mizzen.client.client import Client

ESTABLISHED_S = 30.0
_POLL_S = 0.1
# What a user or another product may have changed or brought: it is never overwritten.
_LEFT_ALONE = frozenset(
    ("CustomResourceDefinition", "DeviceClass", "PriorityClass", "ClusterTrainingRuntime")
)
_PLURALS = {"PriorityClass": "priorityclasses", "DeviceClass": "deviceclasses"}
_CLUSTER_WIDE = frozenset(("Namespace", "ClusterRole", "ClusterRoleBinding")) | _LEFT_ALONE


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome of one manifest: created, updated, or unchanged."""

    kind: str
    name: str
    verdict: str


async def install(client: Client, objects: Sequence[Obj]) -> AsyncIterator[Done]:
    """Applies the manifests in order. Errors: what the API server refuses, with the object."""
    for obj in objects:
        resource = resource_of(obj)
        verdict = await _apply(client, resource, obj)
        if resource.kind == CUSTOM_RESOURCE_DEFINITIONS.kind:
            await _until_established(client, name_of(obj))
        yield Done(resource.kind, name_of(obj), verdict)


def resource_of(obj: Obj) -> Resource:
    """The resource of an object in the manifests."""
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    kind = str(obj["kind"])
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    return Resource(group, version, plural, kind, namespaced=kind not in _CLUSTER_WIDE)


async def _apply(client: Client, resource: Resource, obj: Obj) -> str:
    try:
        await client.create(resource, obj)
    except AlreadyExists:
        if resource.kind in _LEFT_ALONE:
            return "exists, left as it is"
    else:
        return "created"
    name, namespace = name_of(obj), namespace_of(obj)
    found = await client.get(resource, name, namespace)
    if labels_of(found).get(MANAGED_BY) != "mizzen" and resource.kind != "Namespace":
        return "exists and is not Mizzen's, left as it is"
    patch = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "roleRef")}
    await client.patch(resource, name, patch, namespace)
    return "updated"


async def _until_established(client: Client, name: str) -> None:
    try:
        async with asyncio.timeout(ESTABLISHED_S):
            while True:
                if await _is_established(client, name):
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise Timeout(
            f'CustomResourceDefinition "{name}" is not established after {ESTABLISHED_S:.0f} s: '
            f"look at its conditions (kubectl describe crd {name})"
        ) from None


async def _is_established(client: Client, name: str) -> bool:
    try:
        found = await client.get(CUSTOM_RESOURCE_DEFINITIONS, name)
    except NotFound:
        return False
    return has_condition(found, "Established")
