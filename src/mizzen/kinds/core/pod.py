"""Pod: containers that run together on one node."""

from __future__ import annotations

from mizzen.base.names import SCHEDULING_GATED
from mizzen.base.objects import Obj
from mizzen.base.resources import PODS
from mizzen.kinds.columns import AGE, NAME, NONE, of
from mizzen.kinds.core.pod_columns import nominated, readiness_gates, ready, restarts, status_word
from mizzen.kinds.core.pod_parts import PARTS
from mizzen.kinds.core.pod_rules import (
    complete_pod,
    default_pod,
    quality_of_service,
    validate_pod,
    validate_pod_status,
)
from mizzen.kinds.core.pod_spec import POD_SPEC
from mizzen.kinds.core.pod_status import POD_STATUS
from mizzen.kinds.core.pod_warnings import warn_of_pod
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.reading import part
from mizzen.kinds.subresource import STATUS_SUBRESOURCE, Subresource, proxy_subresource
from mizzen.kinds.treatment import acted


def _on_create(new: Obj) -> None:
    new["status"] = {"phase": "Pending"}


def _stamp(new: Obj, old: Obj | None, now: str) -> None:
    """The first status, by the spec as admission leaves it; a gated pod says since when it waits."""
    if old is not None:
        return
    status: Obj = {"phase": "Pending", "qosClass": quality_of_service(part(new, "spec"))}
    if part(new, "spec").get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": SCHEDULING_GATED,
                "message": "Scheduling is blocked due to non-empty scheduling gates",
                "lastTransitionTime": now,
            }
        ]
    new["status"] = status


def _stamp_status(new: Obj, old: Obj, now: str) -> None:
    """What old kubelets forgot stays as it was. Source: pkg/registry/core/pod podStatusStrategy."""
    owners = old["metadata"].get("ownerReferences")
    if owners is None:
        new["metadata"].pop("ownerReferences", None)
    else:
        new["metadata"]["ownerReferences"] = owners
    status, before = new["status"], part(old, "status")
    for name in ("qosClass", "observedGeneration"):
        if not status.get(name) and name in before:
            status[name] = before[name]
    seen: dict[str, list[int]] = {}
    for each in before.get("conditions") or ():
        seen.setdefault(each["type"], []).append(each.get("observedGeneration") or 0)
    for each in status.get("conditions") or ():
        earlier = seen.get(each["type"])
        generation = earlier.pop(0) if earlier else 0
        if generation and not each.get("observedGeneration"):
            each["observedGeneration"] = generation


KIND = Kind(
    resource=PODS,
    short_names=("po",),
    categories=("all",),
    schema=root(
        PODS,
        "Containers that run together on one node.",
        "io.k8s.api.core.v1.Pod",
        spec=POD_SPEC("What to run, and where.", required=True),
        status=POD_STATUS("What became of it."),
    ),
    default=default_pod,
    complete=complete_pod,
    validate=validate_pod,
    validate_status=validate_pod_status,
    warn=warn_of_pod,
    on_create=_on_create,
    rules_on_spec_alone=True,
    stamp=_stamp,
    stamp_status=_stamp_status,
    subresources=(
        Subresource("binding", ("create",), ("", "v1", "Binding")),
        Subresource("eviction", ("create",), ("policy", "v1", "Eviction")),
        Subresource("log", ("get",), media_type="text/plain", may_upgrade=True),
        Subresource("exec", ("create", "get"), ("", "v1", "PodExecOptions"), upgrades=True),
        Subresource("attach", ("create", "get"), ("", "v1", "PodAttachOptions"), upgrades=True),
        Subresource(
            "portforward", ("create", "get"), ("", "v1", "PodPortForwardOptions"), upgrades=True
        ),
        Subresource("ephemeralcontainers", ("get", "patch", "update")),
        proxy_subresource("PodProxyOptions"),
        Subresource("resize", ("get", "patch", "update")),
        STATUS_SUBRESOURCE,
    ),
    parts=PARTS,
    selectable_fields=(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    columns=(
        NAME,
        Column("Ready", ready, description="Containers that are ready, of all."),
        Column("Status", status_word, description="What the pod is doing."),
        Column("Restarts", restarts, description="How often containers were restarted."),
        AGE,
        Column("IP", of("status.podIP", NONE), priority=1),
        Column("Node", of("spec.nodeName", NONE), priority=1),
        Column("Nominated Node", nominated, priority=1),
        Column("Readiness Gates", readiness_gates, priority=1),
    ),
)

SERVED_FIELDS = {
    "core.v1.Pod": acted("node", "spec"),
}
