"""From a pod object to the shim's spawn requests: image, environment, volumes, limits, cores."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mizzen.base import names, quantity, rendezvous
from mizzen.base.errors import NotFound
from mizzen.base.objects import Obj, namespace_of, uid_of
from mizzen.base.reading import part
from mizzen.base.resources import CONFIG_MAPS, SECRETS
from mizzen.base.termination import TERMINATION_LOG
from mizzen.client.client import Client
from mizzen.host import private
from mizzen.node.core.devices import Placement
from mizzen.node.core.environment import (
    Sources,
    Unresolved,
    check_size,
    data_of,
    environment,
    needed,
)
from mizzen.node.podfiles import PodFiles
from mizzen.node.runtimes.process.images import Found, resolve

_PASSED_ON = (
    "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE",
)  # fmt: skip
_HOST_NAME = re.compile(r"[-.a-z0-9]+")  # or more than one; what ends in one way only is linear
WORKLOAD_NICE = 10
OOM_SCORE_ADJ = 500  # workloads die before Mizzen does


@dataclass(frozen=True, slots=True)
class Context:
    """What the agent knows beside the pod itself."""

    node_name: str
    host_ip: str
    ip: str
    placement: Placement
    extra: Mapping[str, str]  # MIZZEN_* and the like; they win over the pod's own
    hosts: Mapping[str, str]  # "<hostname>.<subdomain>" -> address, of the pod's namespace
    cgroups: tuple[str, ...]
    allocatable: Mapping[str, str]


async def prepare(client: Client, pod: Obj, context: Context, files: PodFiles) -> dict[str, Obj]:
    """A spawn request for each container, without key, log and record.

    Errors: Unresolved, with the waiting reason; ApiError when the API does not answer.
    """
    sources = await _sources(client, pod, context)
    # In a thread: a path that a pod names may lie on a file system that does not answer.
    return await asyncio.to_thread(_requests, pod, context, sources, files)


def _requests(pod: Obj, context: Context, sources: Sources, files: PodFiles) -> dict[str, Obj]:
    volumes = _volumes(pod, sources, files)
    requests: dict[str, Obj] = {}
    for container in [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]:
        requests[container["name"]] = _request(pod, container, context, sources, volumes, files)
    return requests


async def _sources(client: Client, pod: Obj, context: Context) -> Sources:
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
    return Sources(found["ConfigMap"], found["Secret"], facts, context.allocatable)


def _request(
    pod: Obj,
    container: Obj,
    context: Context,
    sources: Sources,
    volumes: Mapping[str, str],
    files: PodFiles,
) -> Obj:
    _refuse_mounts(pod, container)
    base = {k: os.environ[k] for k in _PASSED_ON if k in os.environ}
    base |= {"PYTHONUNBUFFERED": "1", "HOSTNAME": _hostname(pod)}
    base |= {
        "POD_NAME": pod["metadata"]["name"],
        "POD_NAMESPACE": namespace_of(pod),
        "POD_UID": uid_of(pod),
        "POD_IP": context.ip,
        "NODE_NAME": context.node_name,
    }
    given = {TERMINATION_LOG: str(files.termination_log(container["name"])), **volumes}
    declared = environment(pod, container, {**given, **context.extra}, sources)
    variables = {**base, **given, **declared, **context.extra}
    variables = {k: replace_hosts(v, context.hosts) for k, v in variables.items()}
    _require_coordinator(pod, variables)
    known = {k: v for k, v in variables.items() if k not in base or k in declared}
    program = resolve(container, known, sys.executable, look)
    if is_own_python(container):
        variables |= _own_packages(variables, files)
    variables.setdefault("PATH", f"{program.bin_dir}:/usr/local/bin:/usr/bin:/bin")
    check_size(program.argv, variables, container["name"])
    work_dir = container.get("workingDir") or str(files.work_dir(container["name"]))
    if not os.path.isdir(work_dir):
        raise Unresolved(
            f"workingDir {work_dir!r} of container {container['name']!r} is not a folder here",
            "CreateContainerError",
        )
    return {
        "argv": list(program.argv),
        "env": variables,
        "cwd": work_dir,
        "cpus": list(context.placement.cpus),
        "nice": WORKLOAD_NICE,
        "rlimits": {"RLIMIT_CORE": [0, 0]},
        "cgroups": list(context.cgroups),
        "oom_score_adj": OOM_SCORE_ADJ,
    }


def is_own_python(container: Obj) -> bool:
    """Whether the container runs on the interpreter that Mizzen itself runs on."""
    return (container.get("image") or "").removesuffix(":latest") == names.IMAGE_PYTHON


def _own_packages(variables: Mapping[str, str], files: PodFiles) -> dict[str, str]:
    """What pip installs in the pod goes into a folder of the pod, which goes with it: otherwise it
    would change the environment that the control plane runs on."""
    folder = str(files.root / "pod.volumes" / ".packages")  # no volume's name begins with a dot
    paths = [folder, *filter(None, [variables.get("PYTHONPATH")])]
    return {"PIP_TARGET": folder, "PYTHONPATH": os.pathsep.join(paths)}


def look(path: str) -> Found:
    """What an image path points to."""
    if os.path.isfile(path) and os.access(path, os.X_OK):
        return "file"
    return "environment" if os.access(os.path.join(path, "bin", "python"), os.X_OK) else ""


def replace_hosts(text: str, hosts: Mapping[str, str]) -> str:
    """The text with every known `<hostname>.<subdomain>[.…]` replaced by the pod's address."""
    if "." not in text:
        return text

    def address(match: re.Match[str]) -> str:
        run = match.group(0)
        name = run.strip("-.")
        found = hosts.get(".".join(name.split(".", 2)[:2]))
        return run if found is None else run.replace(name, found, 1)

    return _HOST_NAME.sub(address, text)


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


def _require_coordinator(pod: Obj, variables: Mapping[str, str]) -> None:
    """A process aborts whose coordinator's name means nothing: better to wait for its pod."""
    host = (variables.get(rendezvous.COORDINATOR) or "").rpartition(":")[0]
    subdomain = pod["spec"].get("subdomain")
    if subdomain and f".{subdomain}" in host:
        raise Unresolved(f"waits for the address of {host}", "WaitingForCoordinator")


def _refuse_mounts(pod: Obj, container: Obj) -> None:
    """Processes have no mount namespace: only what is already at that path can be "mounted"."""
    volumes = {v["name"]: v for v in pod["spec"].get("volumes") or ()}
    for mount in container.get("volumeMounts") or ():
        volume: Obj = volumes.get(mount["name"]) or {}
        path: str | None = part(volume, "hostPath").get("path")
        if path is None or os.path.normpath(path) != os.path.normpath(mount["mountPath"]):
            variable = volume_variable(mount["name"])
            raise Unresolved(
                f'volume "{mount["name"]}" cannot appear at {mount["mountPath"]}: containers are '
                f"processes without a mount namespace; leave out the mount and use ${variable}, or use a "
                "hostPath of the same path"
            )


def volume_variable(name: str) -> str:
    """The variable that holds a volume's folder."""
    return "MIZZEN_VOLUME_" + name.upper().replace("-", "_").replace(".", "_")


def _volumes(pod: Obj, sources: Sources, files: PodFiles) -> dict[str, str]:
    result: dict[str, str] = {}
    for volume in pod["spec"].get("volumes") or ():
        name: str = volume["name"]
        if volume.get("hostPath"):
            path = volume["hostPath"]["path"]
            if not os.path.exists(path):
                raise Unresolved(f'volume "{name}": {path} does not exist here', "FailedMount")
            result[volume_variable(name)] = path
            continue
        folder = files.volume(name)
        result[volume_variable(name)] = str(folder)
        if "emptyDir" in volume:
            continue
        _fill(volume, folder, sources)
    return result


def _fill(volume: Obj, folder: Path, sources: Sources) -> None:
    if "configMap" in volume:
        kind, origin, name = "ConfigMap", volume["configMap"], volume["configMap"]["name"]
        found = sources.config_maps.get(name)
    elif "secret" in volume:
        kind, origin, name = "Secret", volume["secret"], volume["secret"]["secretName"]
        found = sources.secrets.get(name)
    else:
        kinds = sorted(k for k in volume if k != "name")
        raise Unresolved(
            f'volume "{volume["name"]}" is of type {kinds}; supported are emptyDir, configMap, '
            "secret and hostPath"
        )
    if found is None:
        if origin.get("optional"):
            return
        raise Unresolved(
            f'volume "{volume["name"]}": {kind} "{name}" does not exist', "FailedMount"
        )
    entries = data_of(found)
    items: Any = origin.get("items") or [{"key": k, "path": k} for k in entries]
    for item in items:
        if item["key"] not in entries:
            raise Unresolved(
                f'volume "{volume["name"]}": {kind} "{name}" has no key {item["key"]!r}'
            )
        target = folder / item["path"]
        if not target.resolve().is_relative_to(folder.resolve()):
            raise Unresolved(f'volume "{volume["name"]}": path {item["path"]!r} leaves the volume')
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            target.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(private.open_file(target, flags), "wb") as file:
            file.write(entries[item["key"]])
            os.fchmod(file.fileno(), 0o400 if kind == "Secret" else 0o444)


def memory_limit(pod: Obj) -> int | None:
    """Bytes the whole pod may use; None when nothing limits all of it."""
    return _limit(pod, "memory", quantity.to_int)


def cpu_limit(pod: Obj) -> int | None:
    """Milli-CPU the whole pod may use; None when nothing limits all of it."""
    return _limit(pod, "cpu", quantity.to_milli)


def _limit(pod: Obj, resource: str, amount: Callable[[str], int]) -> int | None:
    """The pod's own limit, else the sum of its containers', unless one of them has none."""
    own: str | None = part(pod, "spec", "resources", "limits").get(resource)
    if own is not None:
        return amount(own)
    total = 0
    for container in pod["spec"]["containers"]:
        text: str | None = part(container, "resources", "limits").get(resource)
        if text is None:
            return None
        total += amount(text)
    return total


def device_variables(placement: Placement) -> dict[str, str]:
    """What a program must know to use its devices alone."""
    gpus = [d for d in placement.devices if d.driver == names.GPU_DRIVER]
    result = {"MIZZEN_DEVICES": ",".join(f"{d.driver}/{d.name}" for d in placement.devices)}
    if gpus:
        result["CUDA_VISIBLE_DEVICES"] = ",".join(d.attributes["uuid"]["string"] for d in gpus)
    return result
