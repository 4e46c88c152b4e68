"""What a pod's life is told by: Events with the kubelet's reasons and words.

Where ours say more than the kubelet's (how a run ended), they begin with its words. What a hook
printed is not told: who may read Events may not read everything that a program says.
Source: k8s.io/kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go, events/event.go, v1.36.
"""

from __future__ import annotations

from mizzen.base.objects import Obj, namespace_of, uid_of
from mizzen.base.reading import entries
from mizzen.node.core.events import Exited, RecordEvent

DEADLINE_EXCEEDED = "DeadlineExceeded"
DEADLINE_TEXT = "Pod was active on the node longer than the specified deadline"
NO_DEBUGGERS = (
    "this node runs no ephemeral containers, for its containers are processes of the machine: "
    "use kubectl exec in one of the pod's containers"
)
_FAILED = frozenset({"CreateContainerConfigError", "CreateContainerError"})  # told as Failed


def field_path(name: str, kind: str = "containers") -> str:
    """Where in the pod the container stands, as an ObjectReference says it."""
    return f"spec.{kind}{{{name}}}"


def of_container(spec: Obj, is_init: bool, reason: str, message: str) -> RecordEvent:
    """A Normal event of one container."""
    kind = "initContainers" if is_init else "containers"
    return RecordEvent("Normal", reason, message, field_path(spec["name"], kind))


def pulled(spec: Obj, is_init: bool) -> RecordEvent:
    image = spec.get("image") or ""
    text = f'Container image "{image}" already present on machine and can be accessed by the pod'
    return of_container(spec, is_init, "Pulled", text)


def begun(spec: Obj, is_init: bool) -> list[RecordEvent]:
    return [
        of_container(spec, is_init, "Created", "Container created"),
        of_container(spec, is_init, "Started", "Container started"),
    ]


def killing(spec: Obj, is_init: bool, why: str = "") -> RecordEvent:
    return of_container(spec, is_init, "Killing", why or f"Stopping container {spec['name']}")


def warning(spec: Obj, is_init: bool, reason: str, message: str) -> RecordEvent:
    """A Warning about one container."""
    told = of_container(spec, is_init, reason, message)
    return RecordEvent("Warning", reason, message, told.field_path)


def failed_probe(name: str, kind: str, is_restarted: bool) -> str:
    """Why a container is ended for its probe."""
    text = f"Container {name} failed {kind} probe"
    return f"{text}, will be restarted" if is_restarted else text


def unprepared(reason: str, message: str) -> RecordEvent:
    """The pod's containers cannot be made yet; `reason` is that of its status."""
    if reason in _FAILED:
        return RecordEvent("Warning", "Failed", f"Error: {message}")
    return RecordEvent("Warning", reason, message)


def backoff(pod: Obj, name: str, end: Exited) -> str:
    """A container waits for its next run. The same text for the same end, whichever run it was:
    repeats are one event."""
    whose = f"{pod['metadata']['name']}_{namespace_of(pod)}({uid_of(pod)})"
    text = f"Back-off restarting failed container {name} in pod {whose}: exit code {end.code}"
    return f"{text}: {end.message}" if end.message else text


def refused_debuggers(before: Obj, pod: Obj) -> list[RecordEvent]:
    """A warning for each ephemeral container that came with this change of the pod."""
    known = {each["name"] for each in entries(before, "spec", "ephemeralContainers")}
    return [
        RecordEvent(
            "Warning",
            "Failed",
            f"Error: {NO_DEBUGGERS}",
            field_path(each["name"], "ephemeralContainers"),
        )
        for each in entries(pod, "spec", "ephemeralContainers")
        if each["name"] not in known
    ]
