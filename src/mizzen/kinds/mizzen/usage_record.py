"""UsageRecord: what one device was used for, over one stretch of time. The ledger's entries."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import USAGE_RECORDS
from mizzen.kinds.columns import AGE, NAME, human_duration, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.schema import BOOL, INT64, STR, array, choice, package
from mizzen.kinds.treatment import acted

v1alpha1 = package("dev.mizzen.v1alpha1")
LINES = (
    "free", "starting", "usefulStep", "redoneStep", "checkpointStall", "reforming", "finishing",
    "servingBusy", "servingIdle", "running", "stopping", "down", "unknown",
)  # fmt: skip

INTERVAL = v1alpha1(
    "UsageInterval",
    "A stretch of time and its use.",
    line=choice(*LINES)("Line of the ledger.", required=True),
    start=INT64("Nanoseconds since the epoch.", required=True),
    end=INT64("Nanoseconds since the epoch.", required=True),
    cpu=INT64("Nanoseconds of CPU used.", default=0, minimum=0),
    step=INT64("Training step.", minimum=0),
)
SPEC = v1alpha1(
    "UsageRecordSpec",
    "The device, the time, the use; cannot change.",
    node=STR("The node.", required=True),
    driver=STR("Driver of the device.", required=True),
    pool=STR("Pool of the device.", required=True),
    device=STR("The device in its pool.", required=True),
    start=INT64("Nanoseconds since the epoch.", required=True),
    end=INT64("Nanoseconds since the epoch.", required=True),
    pod=STR("The pod that held it."),
    podUID=STR("The pod's UID."),
    workload=STR("What the pod belongs to, e.g. TrainJob/name."),
    namespace=STR("The pod's namespace."),
    claim=STR("The claim that gave it."),
    intervals=array(INTERVAL)("Touching stretches that fill the time.", required=True),
    kernelCPU=INT64("Nanoseconds of CPU as the kernel counts them.", minimum=0),
    folded=BOOL("Made of older records: its intervals are sums, in no order of time."),
)


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    """The intervals fill the record without gap or overlap, so that the ledger sums up."""
    if old is not None:
        return immutable(new, old, "spec")
    spec = new["spec"]
    causes: list[Cause] = []
    if spec["end"] < spec["start"]:
        message = f"Invalid value: {spec['end']}: must not be before start, {spec['start']}"
        causes.append(Cause("spec.end", message))
    moment = spec["start"]
    for index, interval in enumerate(spec["intervals"]):
        path = f"spec.intervals[{index}]"
        if interval["start"] != moment:
            message = (
                f"Invalid value: {interval['start']}: must be {moment}, where the last one ended"
            )
            causes.append(Cause(f"{path}.start", message))
        if interval["end"] < interval["start"]:
            message = f"Invalid value: {interval['end']}: must not be before its start"
            causes.append(Cause(f"{path}.end", message))
        moment = interval["end"]
    if moment != spec["end"]:
        message = f"Invalid value: the intervals end at {moment}, not at spec.end, {spec['end']}"
        causes.append(Cause("spec.intervals", message))
    return causes


def _duration(record: Obj, now_ns: int) -> str:
    return human_duration(record["spec"]["end"] - record["spec"]["start"])


def _main_line(record: Obj, now_ns: int) -> str:
    """The line that took most of the time."""
    total: dict[str, int] = {}
    for interval in record["spec"]["intervals"]:
        line = interval["line"]
        total[line] = total.get(line, 0) + interval["end"] - interval["start"]
    return max(total, key=lambda line: total[line]) if total else ""


KIND = Kind(
    resource=USAGE_RECORDS,
    short_names=("ur",),
    generation=False,
    schema=root(
        USAGE_RECORDS,
        "What one device was used for, over one stretch of time.",
        "dev.mizzen.v1alpha1.UsageRecord",
        spec=SPEC("The device, the time, the use; cannot change.", required=True),
    ),
    validate=_validate,
    selectable_fields=("spec.node", "spec.device", "spec.podUID", "spec.workload"),
    columns=(
        NAME,
        Column("Node", of("spec.node")),
        Column("Device", of("spec.device")),
        Column("Mostly", _main_line),
        Column("Duration", _duration),
        Column("Workload", of("spec.workload")),
        AGE,
    ),
)

SERVED_FIELDS = {
    "mizzen.v1alpha1.UsageRecord": acted("node cli", "spec"),
    "mizzen.v1alpha1.UsageRecordSpec": acted(
        "node base",
        "node driver pool device start end pod podUID workload namespace claim intervals kernelCPU "
        "folded",
    ),
    "mizzen.v1alpha1.UsageInterval": acted("node base", "line start end cpu step"),
}
