"""Node: a machine."""

from __future__ import annotations

from collections.abc import Callable

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import NODES
from mizzen.kinds.columns import AGE, NAME, NONE, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.names import invalid_value, label_value, qualified_name
from mizzen.kinds.reading import entries, part
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    INT64,
    OPEN,
    QUANTITIES,
    STR,
    STRINGS,
    TIME,
    array,
    choice,
    package,
)
from mizzen.kinds.subresource import STATUS_SUBRESOURCE, proxy_subresource
from mizzen.kinds.treatment import SHOWN, accepted, acted

v1 = package("io.k8s.api.core.v1")
_ROLE = "node-role.kubernetes.io/"

TAINT = v1(
    "Taint",
    "Keeps pods away that do not tolerate it.",
    key=STR("Name of the taint.", required=True),
    value=STR("Its value."),
    effect=choice("NoSchedule", "PreferNoSchedule", "NoExecute")("What it does.", required=True),
    timeAdded=TIME("Since when."),
)
CONDITION = v1(
    "NodeCondition",
    "One aspect of the node's state.",
    type=STR("Ready, MemoryPressure, ...", required=True),
    status=choice("True", "False", "Unknown")("Whether it holds.", required=True),
    lastHeartbeatTime=TIME("When it was last reported."),
    lastTransitionTime=TIME("When status last changed."),
    reason=STR("CamelCase word for programs."),
    message=STR("Sentence for people."),
)
SPEC = v1(
    "NodeSpec",
    "How the node should be used.",
    unschedulable=BOOL("No new pods (kubectl cordon)."),
    taints=array(TAINT)("Taints."),
    providerID=STR("The machine, as its provider names it."),
    podCIDR=STR("Addresses of its pods."),
    podCIDRs=array(STR, merge=True)("Addresses of its pods."),
    externalID=STR("Not used any more."),
    configSource=OPEN("Not used any more."),
)
STATUS = v1(
    "NodeStatus",
    "What the node has and how it is.",
    capacity=QUANTITIES("All it has."),
    allocatable=QUANTITIES("What pods may use."),
    conditions=array(CONDITION, key="type")("Aspects of its state."),
    addresses=array(
        v1(
            "NodeAddress",
            "An address.",
            type=STR("Hostname, InternalIP, ...", required=True),
            address=STR("The address.", required=True),
        ),
        key="type",
    )("Its addresses."),
    nodeInfo=v1(
        "NodeSystemInfo",
        "What it runs.",
        **{
            name: STR(required=True)
            for name in (
                "architecture", "bootID", "containerRuntimeVersion", "kernelVersion",
                "kubeProxyVersion", "kubeletVersion", "machineID", "operatingSystem", "osImage",
                "systemUUID",
            )
        },
        swap=v1("NodeSwapStatus", "Swap.", capacity=INT64("Bytes.")),
    ),
    daemonEndpoints=v1(
        "NodeDaemonEndpoints",
        "Where its agent listens.",
        kubeletEndpoint=v1("DaemonEndpoint", "A port.", Port=INT32(required=True)),
    ),
    images=array(
        v1("ContainerImage", "An image.", names=STRINGS("Its names."), sizeBytes=INT64("Bytes."))
    )("Images it has."),
    phase=STR("Not used any more."),
    volumesAttached=array(
        v1(
            "AttachedVolume",
            "A volume.",
            name=STR(required=True),
            devicePath=STR(required=True),
        )
    )("Volumes attached."),
    volumesInUse=STRINGS("Volumes mounted."),
    runtimeHandlers=array(OPEN)("Runtimes it has."),
    features=OPEN("What its runtime can do."),
    config=OPEN("Not used any more."),
    declaredFeatures=STRINGS("Features of its agent."),
)  # fmt: skip


def _default(node: Obj) -> None:
    """What a node does not keep back, pods may use. Source: SetDefaults_NodeStatus."""
    status = node.get("status")
    if status and "allocatable" not in status and status.get("capacity"):
        status["allocatable"] = dict(status["capacity"])


def _stamp(new: Obj, old: Obj | None, now: str) -> None:
    """A NoExecute taint says since when, unless its writer did; in place."""
    known = {
        (t.get("key"), t.get("value"), t.get("effect")): t.get("timeAdded")
        for t in entries(old, "spec.taints")
    }
    for taint in entries(new, "spec.taints"):
        if taint.get("effect") == "NoExecute":
            mark = (taint.get("key"), taint.get("value"), taint.get("effect"))
            taint.setdefault("timeAdded", known.get(mark) or now)


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(entries(new, "spec.taints")):
        path = f"spec.taints[{index}]"
        if qualified_name(taint["key"]):
            causes.append(invalid_value(f"{path}.key", taint["key"], qualified_name(taint["key"])))
        if label_value(taint.get("value") or ""):
            problem = label_value(taint["value"])
            causes.append(invalid_value(f"{path}.value", taint["value"], problem))
        mark = (taint["key"], taint["effect"])
        if mark in seen:
            message = f"Duplicate value: {taint['key']}:{taint['effect']}: taints must be unique "
            message += "by key and effect pair"
            causes.append(Cause(path, message, "FieldValueDuplicate"))
        seen.add(mark)
    return causes


def _status(node: Obj, now_ns: int) -> str:
    words: list[str] = []
    for condition in entries(node, "status.conditions"):
        if condition["type"] == "Ready":
            words.append("Ready" if condition["status"] == "True" else "NotReady")
    if part(node, "spec").get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words) or "Unknown"


def _roles(node: Obj, now_ns: int) -> str:
    labels = part(node["metadata"], "labels")
    roles = {key[len(_ROLE) :] for key in labels if key.startswith(_ROLE)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return ",".join(sorted(roles - {""})) or NONE


def _address(kind: str) -> Callable[[Obj, int], str]:
    def cell(node: Obj, now_ns: int) -> str:
        for entry in entries(node, "status.addresses"):
            if entry["type"] == kind:
                return entry["address"]
        return NONE

    return cell


KIND = Kind(
    resource=NODES,
    short_names=("no",),
    generation=False,
    keeps_first_status=True,
    schema=root(
        NODES,
        "A machine.",
        "io.k8s.api.core.v1.Node",
        spec=SPEC("How the node should be used.", default={}),
        status=STATUS("What the node has and how it is."),
    ),
    default=_default,
    stamp=_stamp,
    validate=_validate,
    subresources=(STATUS_SUBRESOURCE, proxy_subresource("NodeProxyOptions", may_upgrade=False)),
    selectable_fields=("spec.unschedulable",),
    columns=(
        NAME,
        Column("Status", _status),
        Column("Roles", _roles),
        AGE,
        Column("Version", of("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", _address("InternalIP"), priority=1),
        Column("External-IP", _address("ExternalIP"), priority=1),
        Column("OS-Image", of("status.nodeInfo.osImage", "<unknown>"), priority=1),
        Column("Kernel-Version", of("status.nodeInfo.kernelVersion", "<unknown>"), priority=1),
        Column(
            "Container-Runtime",
            of("status.nodeInfo.containerRuntimeVersion", "<unknown>"),
            priority=1,
        ),
    ),
)

SERVED_FIELDS = {
    "core.v1.Node": acted("scheduler", "spec"),
    "core.v1.NodeSpec": {
        **acted("scheduler", "unschedulable taints"),
        **accepted("providerID podCIDR podCIDRs externalID configSource", SHOWN),
    },
    "core.v1.Taint": {
        **acted("scheduler controllers", "key value effect"), **acted("controllers", "timeAdded"),
    },
}  # fmt: skip
