"""Preflight checks: what a cluster lacks for Mizzen, and what two schedulers would share on it."""

from __future__ import annotations

from mizzen.base.errors import NotFound
from mizzen.base.names import HANDED_OVER, HANDED_OVER_TO
from mizzen.base.objects import Key, Obj, key_of, name_of
from mizzen.base.resources import (
    NODES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from mizzen.client.client import Client
from mizzen.scheduler.core.shared_cluster.handover import Handover

_TAINT = f"{HANDED_OVER}={HANDED_OVER_TO}:NoSchedule"


async def problems(client: Client) -> list[str]:
    """One line for each thing to mend or to know, the gravest first; empty when all is well."""
    if not await _serves(client, RESOURCE_SLICES):
        return [
            f"{RESOURCE_SLICES.api_version} is not served: no devices can be allocated; "
            "Kubernetes 1.34 or newer has it"
        ]
    found: list[str] = []
    if not await _serves(client, POD_GROUPS):
        found.append(
            f"{POD_GROUPS.api_version} is not served: PodGroups cannot tell gangs (and a TrainJob "
            "cannot run); start the API server with --feature-gates=GenericWorkload=true,"
            f"GangScheduling=true --runtime-config={POD_GROUPS.api_version}=true"
        )
    return [*await _overlaps(client), *found]


async def _overlaps(client: Client) -> list[str]:
    nodes, _ = await client.list(NODES)
    claims, _ = await client.list(RESOURCE_CLAIMS)
    slices, _ = await client.list(RESOURCE_SLICES)
    pods, _ = await client.list(PODS)
    handover = Handover(_by_key(claims))
    for node in nodes:
        handover.learn_node(node)
    for pod in pods:
        handover.learn_pod(pod)
    overlaps = handover.overlaps(slices)
    if not overlaps and not any(handover.is_ours(name_of(node)) for node in nodes):
        return [
            "no node is handed over, so nothing will be placed; "
            f"run: kubectl taint node NAME {_TAINT} && "
            f"kubectl label node NAME {HANDED_OVER}={HANDED_OVER_TO}"
        ]
    return [str(overlap) for overlap in overlaps]


async def _serves(client: Client, resource: Resource) -> bool:
    try:
        await client.list(resource, fields="metadata.name=probe")
    except NotFound:
        return False
    return True


def _by_key(objects: list[Obj]) -> dict[Key, Obj]:
    return {key_of(obj): obj for obj in objects}
