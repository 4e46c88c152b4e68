"""DeviceTaintRule: a taint on every device that matches. Source: resource.k8s.io/v1beta2, 1.36."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.reading import entries
from mizzen.base.resources import DEVICE_TAINT_RULES
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import CONDITIONS, root
from mizzen.kinds.reading import part
from mizzen.kinds.resource.devices import TAINT
from mizzen.kinds.resource.rules import check_driver, check_name, check_pool, check_taint
from mizzen.kinds.schema import STR, package
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted

v1beta2 = package("io.k8s.api.resource.v1beta2")

CONDITIONS_MAX = 8


def _stamp(new: Obj, old: Obj | None, now: str) -> None:
    """The taint is as old as its effect, unless the writer says otherwise; in place."""
    taint = part(new, "spec.taint")
    before = part(old or {}, "spec.taint")
    changed = old is not None and taint.get("effect") != before.get("effect")
    if changed and taint.get("timeAdded") == before.get("timeAdded"):
        taint["timeAdded"] = now
    taint.setdefault("timeAdded", now)


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    selector = part(spec, "deviceSelector")
    causes: list[Cause] = []
    for field, check in (("driver", check_driver), ("pool", check_pool), ("device", check_name)):
        if field in selector:
            causes += check(selector[field], f"spec.deviceSelector.{field}")
    return causes + check_taint(spec["taint"], "spec.taint")


def _eviction(rule: Obj, now_ns: int) -> str:
    found = (c for c in entries(rule, "status", "conditions") if c["type"] == "EvictionInProgress")
    return next((str(condition["status"]) for condition in found), "")


KIND = Kind(
    resource=DEVICE_TAINT_RULES,
    schema=root(
        DEVICE_TAINT_RULES,
        "A taint on every device that matches, as if its driver had set it.",
        "io.k8s.api.resource.v1beta2.DeviceTaintRule",
        spec=v1beta2(
            "DeviceTaintRuleSpec",
            "Which devices, which taint.",
            deviceSelector=v1beta2(
                "DeviceTaintSelector",
                "All that is set must match; absent: no device, empty: every device.",
                driver=STR("Devices of this driver."),
                pool=STR("Devices of this pool."),
                device=STR("Devices of this name."),
            ),
            taint=TAINT("The taint.", required=True),
        )("Which devices, which taint.", required=True),
        status=v1beta2(
            "DeviceTaintRuleStatus",
            "How far eviction is.",
            conditions=CONDITIONS("EvictionInProgress.", max_items=CONDITIONS_MAX),
        ),
    ),
    stamp=_stamp,
    validate=_validate,
    subresources=(STATUS_SUBRESOURCE,),
    columns=(
        NAME,
        Column("Effect", of("spec.taint.effect")),
        Column("Evicting", _eviction),
        AGE,
    ),
)

SERVED_FIELDS = {
    "resource.v1beta2.DeviceTaintRule": acted("scheduler controllers", "spec"),
    "resource.v1beta2.DeviceTaintRuleSpec": acted("scheduler controllers", "deviceSelector taint"),
    "resource.v1beta2.DeviceTaintSelector": acted("scheduler controllers", "driver pool device"),
}
