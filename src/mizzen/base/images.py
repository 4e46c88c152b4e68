"""Which kind of node runs a pod's images: processes of a machine, or containers.

An image of processes is built in (`mizzen.dev/...`) or a path; every other is a container's, which
no node without a container runtime can start, and the other way round.
"""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.reading import part, text

PROCESSES = "processes"
CONTAINERS = "containers"
_OF_PROCESSES = ("mizzen.dev/", "/")
_RUNTIME = "process://"  # how a node says that it runs processes


def kind_of_pod(spec: Obj) -> str:
    """PROCESSES where one of its images is, CONTAINERS where there are others, "" for none; and for
    a pod with a RuntimeClass, which says by itself what it needs."""
    if spec.get("runtimeClassName"):
        return ""
    found = ""
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            image = container.get("image") or ""
            if image.startswith(_OF_PROCESSES):
                return PROCESSES
            if image:
                found = CONTAINERS
    return found


def kind_of_node(node: Obj) -> str:
    """By `status.nodeInfo`; "" where it does not tell its runtime: it takes either."""
    runtime = text(part(node, "status", "nodeInfo"), "containerRuntimeVersion")
    if not runtime:
        return ""
    return PROCESSES if runtime.startswith(_RUNTIME) else CONTAINERS


def differ(wanted: str, offered: str) -> bool:
    """True if pods of one kind cannot run on nodes of the other."""
    return bool(wanted and offered and wanted != offered)
