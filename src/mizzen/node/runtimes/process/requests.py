"""From a container to the shim's request for its process: image, environment, working directory.

Processes share the machine's files, network and names: nothing can be mounted but the token of the
pod's ServiceAccount, an image is an interpreter that is already here, and names of other pods are
replaced by their addresses.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from mizzen.base import names, rendezvous
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.service_accounts import MOUNT_PATH
from mizzen.node.core.environment import Unresolved, check_size, volume_variable
from mizzen.node.podfiles import PodFiles
from mizzen.node.runtimes.interface import ContainerSpec
from mizzen.node.runtimes.process.images import Found, resolve
from mizzen.node.runtimes.process.refusals import refusals

_PASSED_ON = (
    "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE",
)  # fmt: skip
_HOST_NAME = re.compile(r"[-.a-z0-9]+")  # or more than one; what ends in one way only is linear
WORKLOAD_NICE = 10
OOM_SCORE_ADJ = 500  # workloads die before Mizzen does
ACCOUNT_VARIABLE = "MIZZEN_SERVICE_ACCOUNT"  # the folder with token, ca.crt and namespace


def request(spec: ContainerSpec) -> Obj:
    """The shim's request for it, but for its key, files, cores and groups.

    Errors: Unresolved, with the waiting reason.
    """
    pod, container = spec.pod, spec.container
    refused = "; ".join(refusals(pod, container, os.geteuid(), os.getegid()))
    if refused:
        raise Unresolved(refused)
    account = _mounted_account(spec)
    known = {k: replace_hosts(v, spec.hosts) for k, v in spec.variables.items()}
    passed_on = {k: os.environ[k] for k in _PASSED_ON if k in os.environ}
    variables = {**passed_on, "PYTHONUNBUFFERED": "1", **spec.identity, **known}
    if account:
        variables.setdefault(ACCOUNT_VARIABLE, account)
    _require_coordinator(pod, variables)
    program = resolve(container, known, sys.executable, look)
    if is_own_python(container):
        variables |= _own_packages(variables, spec.files)
    variables.setdefault("PATH", f"{program.bin_dir}:/usr/local/bin:/usr/bin:/bin")
    check_size(program.argv, variables, spec.name)
    work_dir = container.get("workingDir") or str(spec.files.work_dir(spec.name))
    if not os.path.isdir(work_dir):
        raise Unresolved(
            f"workingDir {work_dir!r} of container {spec.name!r} is not a folder here",
            "CreateContainerError",
        )
    return {
        "argv": list(program.argv),
        "env": variables,
        "cwd": work_dir,
        "binds": [[account, MOUNT_PATH]] if account else [],
        "nice": WORKLOAD_NICE,
        "rlimits": {"RLIMIT_CORE": [0, 0]},
        "oom_score_adj": OOM_SCORE_ADJ,
        "stdin": bool(container.get("stdin")),
        "stdin_once": bool(container.get("stdinOnce")),
        "tty": bool(container.get("tty")),
    }


def is_own_python(container: Obj) -> bool:
    """True if the container runs on the interpreter that Mizzen itself runs on."""
    return (container.get("image") or "").removesuffix(":latest") == names.IMAGE_PYTHON


def _own_packages(variables: Mapping[str, str], files: PodFiles) -> dict[str, str]:
    """Has pip install into a folder of the pod, which goes with it: otherwise it would change the
    environment that the control plane runs on."""
    folder = str(files.root / "pod.volumes" / ".packages")  # no volume's name begins with a dot
    paths = [folder, *filter(None, [variables.get("PYTHONPATH")])]
    return {"PIP_TARGET": folder, "PYTHONPATH": os.pathsep.join(paths)}


def look(path: str) -> Found:
    """The kind of thing that an image's path leads to."""
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


def _require_coordinator(pod: Obj, variables: Mapping[str, str]) -> None:
    """A process aborts whose coordinator's name means nothing: better to wait for its pod."""
    host = (variables.get(rendezvous.COORDINATOR) or "").rpartition(":")[0]
    subdomain = pod["spec"].get("subdomain")
    if subdomain and f".{subdomain}" in host:
        raise Unresolved(f"waits for the address of {host}", "WaitingForCoordinator")


def _mounted_account(spec: ContainerSpec) -> str:
    """The folder of the volume that the container mounts where clients look for its account's token,
    "" for none. The shim shows it there if it may; a variable names it in any case.

    Errors: Unresolved for other mounts: only what is already at that path can be "mounted".
    """
    volumes = {v["name"]: v for v in spec.pod["spec"].get("volumes") or ()}
    account = ""
    for mount in spec.container.get("volumeMounts") or ():
        name, where = mount["name"], os.path.normpath(mount["mountPath"])
        volume: Obj = volumes.get(name) or {}
        path: str | None = part(volume, "hostPath").get("path")
        if where == MOUNT_PATH and "projected" in volume:
            account = spec.volumes[name]
        elif path is None or os.path.normpath(path) != where:
            variable = volume_variable(name)
            raise Unresolved(
                f'volume "{name}" cannot appear at {mount["mountPath"]}: containers are '
                f"processes without a mount namespace; leave out the mount and use ${variable}, or use a "
                "hostPath of the same path"
            )
    return account
