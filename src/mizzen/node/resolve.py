"""From a pod object to its containers as a runtime takes them: environment, volumes, devices."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mizzen.base import names
from mizzen.base.errors import NotFound
from mizzen.base.objects import Obj, namespace_of, uid_of
from mizzen.base.resources import CONFIG_MAPS, SECRETS
from mizzen.base.termination import TERMINATION_LOG
from mizzen.client.client import Client
from mizzen.host import private
from mizzen.node.core.devices import Device
from mizzen.node.core.environment import (
    Sources,
    Unresolved,
    environment,
    needed,
    volume_variable,
)
from mizzen.node.core.projection import UNFINISHED, files_of
from mizzen.node.podfiles import PodFiles
from mizzen.node.runtimes.interface import ContainerSpec
from mizzen.node.tokens import PodTokens


@dataclass(frozen=True, slots=True)
class PodContext:
    """Facts about a pod that its object does not hold."""

    node_name: str
    host_ip: str
    ip: str
    extra: Mapping[str, str]  # MIZZEN_* and the like; they win over the pod's own
    hosts: Mapping[str, str]  # "<hostname>.<subdomain>" -> address, of the pod's namespace
    allocatable: Mapping[str, str]
    services: Mapping[str, str]  # variables; the pod's own win over them


async def read_sources(client: Client, pod: Obj, context: PodContext, tokens: PodTokens) -> Sources:
    """The ConfigMaps and Secrets that the pod refers to, and new tokens of its ServiceAccount.

    Errors: ApiError, but for objects that are not found.
    """
    namespace = namespace_of(pod)
    config_maps, secrets = needed(pod["spec"])
    found: dict[str, dict[str, Obj | None]] = {"ConfigMap": {}, "Secret": {}}
    for resource, wanted in ((CONFIG_MAPS, config_maps), (SECRETS, secrets)):
        for name in sorted(wanted):
            try:
                obj = await client.get(resource, name, namespace)
                found[resource.kind][name] = {**obj, "kind": resource.kind}
            except NotFound:
                found[resource.kind][name] = None
    facts = {
        "status.podIP": context.ip,
        "status.podIPs": context.ip,
        "status.hostIP": context.host_ip,
        "status.hostIPs": context.host_ip,
        "spec.nodeName": context.node_name,
    }
    own = await tokens.read(pod)
    return Sources(found["ConfigMap"], found["Secret"], facts, context.allocatable, own)


def containers(
    pod: Obj, context: PodContext, sources: Sources, files: PodFiles
) -> list[ContainerSpec]:
    """Every container, init containers first; the pod's volumes are filled.

    In a thread: a path that a pod names may lie on a file system that does not answer.
    Errors: Unresolved, with the waiting reason; OSError.
    """
    volumes = _volumes(pod, sources, files)
    both = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    return [_container(pod, each, context, sources, volumes, files) for each in both]


def _container(
    pod: Obj,
    container: Obj,
    context: PodContext,
    sources: Sources,
    volumes: Mapping[str, str],
    files: PodFiles,
) -> ContainerSpec:
    identity = {
        "HOSTNAME": _hostname(pod),
        "POD_NAME": pod["metadata"]["name"],
        "POD_NAMESPACE": namespace_of(pod),
        "POD_UID": uid_of(pod),
        "POD_IP": context.ip,
        "NODE_NAME": context.node_name,
    }
    given = dict(context.services)
    given |= {volume_variable(name): folder for name, folder in volumes.items()}
    given[TERMINATION_LOG] = str(files.termination_log(container["name"]))
    declared = environment(pod, container, {**given, **context.extra}, sources)
    variables = {**given, **declared, **context.extra}
    return ContainerSpec(pod, container, identity, variables, volumes, context.hosts, files)


def host_names(pods: list[tuple[Obj, str]]) -> dict[str, str]:
    """`<hostname>.<subdomain>` -> address for pods with a subdomain."""
    found: dict[str, str] = {}
    for pod, ip in pods:
        subdomain = pod["spec"].get("subdomain")
        if subdomain:
            found[f"{_hostname(pod)}.{subdomain}"] = ip
    return found


def _hostname(pod: Obj) -> str:
    return pod["spec"].get("hostname") or pod["metadata"]["name"]


def _volumes(pod: Obj, sources: Sources, files: PodFiles) -> dict[str, str]:
    """The folder of every volume, by its name."""
    result: dict[str, str] = {}
    for volume in pod["spec"].get("volumes") or ():
        name: str = volume["name"]
        if volume.get("hostPath"):
            path = volume["hostPath"]["path"]
            if not os.path.exists(path):
                raise Unresolved(f'volume "{name}": {path} does not exist here', "FailedMount")
            result[name] = path
            continue
        folder = files.volume(name)
        result[name] = str(folder)
        if "emptyDir" in volume:
            continue
        _fill(pod, volume, folder, sources)
    return result


def _fill(pod: Obj, volume: Obj, folder: Path, sources: Sources) -> None:
    """A pod that is prepared again may run: no file of its is missing meanwhile, or half there."""
    for path, (content, mode) in files_of(pod, volume, sources).items():
        target = folder / path
        if not target.resolve().is_relative_to(folder.resolve()):
            raise Unresolved(f'volume "{volume["name"]}": path {path!r} leaves the volume')
        target.parent.mkdir(parents=True, exist_ok=True)
        if not private.holds(target, content, mode):
            private.replace(target, content, mode, folder / UNFINISHED)


def device_variables(held: Sequence[Device]) -> dict[str, str]:
    """Variables that tell a program which devices are its own."""
    gpus = [d for d in held if d.driver == names.GPU_DRIVER]
    result = {"MIZZEN_DEVICES": ",".join(f"{d.driver}/{d.name}" for d in held)}
    if gpus:
        result["CUDA_VISIBLE_DEVICES"] = ",".join(d.attributes["uuid"]["string"] for d in gpus)
    return result
