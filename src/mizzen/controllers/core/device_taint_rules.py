"""Reports in a DeviceTaintRule's status the progress of eviction, or what it would evict.

Source: kube-controller-manager `pkg/controller/devicetainteviction` maybeUpdateRuleStatus. How many
pods it evicted is not counted: nobody remembers that over a restart.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Key, Obj, condition, name_of, namespace_of, uid_of, with_condition
from mizzen.base.operations import Patch
from mizzen.base.reading import entries, part, text
from mizzen.base.resources import DEVICE_TAINT_RULES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from mizzen.controllers.core.actions import Action, Controller, RequeueAfter
from mizzen.controllers.core.device_evictions import (
    NO_EXECUTE,
    POOLS,
    eviction_of,
    pods_using,
    results_of,
    selects,
)
from mizzen.controllers.core.pods import IN_GROUP
from mizzen.controllers.core.view import View

IN_PROGRESS = "EvictionInProgress"
IDLE_PERIOD_S = 60.0
PERIOD_S = 10.0  # at most so often is the status of a rule that evicts written


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Writes the condition of the rule named by `key` where it says something new."""
    rule = view.get(DEVICE_TAINT_RULES, key)
    if rule is None:
        return []
    before = condition(rule, IN_PROGRESS) or {}
    effect = text(rule, "spec", "taint", "effect")
    generation = rule["metadata"].get("generation")
    is_told = before.get("observedGeneration") == generation
    if is_told and effect != NO_EXECUTE:
        return []  # told once; what it would do now is asked by a new rule
    reason, message, is_evicting = _verdict(view, rule, effect, str(before.get("reason") or ""))
    told = (before.get("reason"), before.get("message"))
    actions: list[Action] = []
    if effect == NO_EXECUTE:
        actions.append(RequeueAfter(PERIOD_S if is_evicting else IDLE_PERIOD_S))
    if is_told and told == (reason, message):
        return actions
    new: Obj = {
        "type": IN_PROGRESS,
        "status": "True" if is_evicting else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": rfc3339(now_ns),
    }
    change: Obj = {"conditions": with_condition(entries(rule, "status", "conditions"), new)}
    patch = Patch(
        DEVICE_TAINT_RULES, "", name_of(rule), {"status": change}, "status", uid=uid_of(rule)
    )
    return [patch, *actions]


def _verdict(view: View, rule: Obj, effect: str, before: str) -> tuple[str, str, bool]:
    """Reason, message, and whether pods have yet to go."""
    if effect == NO_EXECUTE:
        pods = _affected(view, rule)
        if pods:
            verb = "pod needs" if len(pods) == 1 else "pods need"
            where = _namespaces(pods)
            return "PodsPendingEviction", f"{len(pods)} {verb} to be evicted in {where}.", True
        if before in ("PodsPendingEviction", "Completed"):
            return "Completed", "", False
        # Without a selector nothing is selected: there is nothing to wait for.
        return "NotStarted", "", False
    if effect == "None":
        return "NoEffect", _forecast(view, rule), False
    return "OtherEffect", "Eviction only happens for the NoExecute effect.", False


def _forecast(view: View, rule: Obj) -> str:
    taint: Obj = {**part(rule, "spec", "taint"), "effect": NO_EXECUTE}
    pods = _affected(view, {**rule, "spec": {**part(rule, "spec"), "taint": taint}})
    published = sum(selects(rule, device) for device in _published(view))
    allocated = sum(
        selects(rule, result)
        for claim in view.all(RESOURCE_CLAIMS).values()
        for result in results_of(claim)
    )
    return (
        f"{_count(published, 'published device')} selected. "
        f"{_count(allocated, 'allocated device')} selected. "
        f"{_count(len(pods), 'pod')} would be evicted in {_namespaces(pods)} if the effect was "
        "NoExecute. This information will not be updated again. Recreate the DeviceTaintRule to "
        "trigger an update."
    )


def _published(view: View) -> Iterable[Obj]:
    """Every device of the newest generation of its pool."""
    newest: dict[str, int] = {}
    slices = view.all(RESOURCE_SLICES).values()
    for item in slices:
        (pool,) = POOLS.values(item)
        generation = int(part(item, "spec", "pool").get("generation") or 0)
        newest[pool] = max(newest.get(pool, 0), generation)
    for item in slices:
        (pool,) = POOLS.values(item)
        spec = part(item, "spec")
        if int(part(spec, "pool").get("generation") or 0) == newest[pool]:
            place: Obj = {"driver": spec.get("driver"), "pool": part(spec, "pool").get("name")}
            for device in entries(spec, "devices"):
                yield {**place, "device": device["name"]}


def _affected(view: View, rule: Obj) -> list[Obj]:
    """The pods that this rule alone throws out, sooner or later."""
    pods: dict[str, Obj] = {}
    for claim in view.all(RESOURCE_CLAIMS).values():
        if any(selects(rule, result) for result in results_of(claim)):
            eviction = eviction_of(view, claim, [rule])
            if eviction is not None and eviction.rules:
                pods |= {uid_of(pod): pod for pod in pods_using(view, claim)}
    return list(pods.values())


def _namespaces(pods: Iterable[Obj]) -> str:
    count = len({namespace_of(pod) for pod in pods})
    return "1 namespace" if count == 1 else f"{count} different namespaces"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


CONTROLLER = Controller(
    name="device-taint-rule-status",
    resource=DEVICE_TAINT_RULES,
    reconcile=reconcile,
    reads=(RESOURCE_CLAIMS, RESOURCE_SLICES, PODS),
    indexes=(IN_GROUP,),
)
