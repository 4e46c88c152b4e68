"""Decides which claims hold devices whose taints evict pods, and when.

A NoExecute taint, set by the driver in its slice or by a DeviceTaintRule, ends every pod whose claim
does not tolerate it, or tolerates it for so many seconds only.
Source: kube-controller-manager `pkg/controller/devicetainteviction`, 1.36. Unlike there, a
toleration without an effect tolerates NoExecute too, as its documentation says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Key, Obj, name_of, namespace_of, uid_of
from mizzen.base.reading import entries, part, text
from mizzen.base.resources import DEVICE_TAINT_RULES, POD_GROUPS, PODS, RESOURCE_SLICES
from mizzen.controllers.core.pods import IN_GROUP, in_group, is_active
from mizzen.controllers.core.view import Index, View

NO_EXECUTE = "NoExecute"
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Eviction:
    """Pods of a claim have to go at `due_ns`; `rules` and `slices` are the taints' origins."""

    due_ns: int
    rules: tuple[str, ...]
    slices: tuple[str, ...]

    @property
    def reason(self) -> str:
        named = [f'DeviceTaintRule "{name}"' for name in self.rules]
        return ", ".join([*named, *(f'ResourceSlice "{name}"' for name in self.slices)])


def _pool(item: Obj) -> Iterator[str]:
    yield f"{text(item, 'spec', 'driver')}/{text(item, 'spec', 'pool', 'name')}"


def _evicting_devices(item: Obj) -> Iterator[str]:
    (pool,) = _pool(item)
    for device in entries(item, "spec", "devices"):
        if any(taint.get("effect") == NO_EXECUTE for taint in device.get("taints") or ()):
            yield f"{pool}/{device['name']}"


POOLS = Index("slices by pool", RESOURCE_SLICES, _pool)
EVICTING = Index("slices by device with a NoExecute taint", RESOURCE_SLICES, _evicting_devices)


def results_of(claim: Obj) -> list[Obj]:
    return entries(claim, "status", "allocation", "devices", "results")


def eviction_of(view: View, claim: Obj, rules: Iterable[Obj] | None = None) -> Eviction | None:
    """The eviction due for the claim's pods, None for none. `rules` replace the stored ones."""
    found = view.all(DEVICE_TAINT_RULES).values() if rules is None else rules
    evicting = [r for r in found if part(r, "spec", "taint").get("effect") == NO_EXECUTE]
    due: list[int] = []
    by_rule: set[str] = set()
    by_slice: set[str] = set()
    for result in results_of(claim):
        for item, taint in _slice_taints(view, result):
            when_ns = _due_ns(taint, result)
            if when_ns is not None:
                due.append(when_ns)
                by_slice.add(name_of(item))
        for rule in evicting:
            when_ns = (
                _due_ns(part(rule, "spec", "taint"), result) if selects(rule, result) else None
            )
            if when_ns is not None:
                due.append(when_ns)
                by_rule.add(name_of(rule))
    if not due:
        return None
    return Eviction(min(due), tuple(sorted(by_rule)), tuple(sorted(by_slice)))


def selects(rule: Obj, device: Obj) -> bool:
    """True if the rule selects this device: a mapping with driver, pool and device."""
    selector = part(rule, "spec").get("deviceSelector")
    return selector is not None and all(
        selector.get(field) in (None, device.get(field)) for field in ("driver", "pool", "device")
    )


def _slice_taints(view: View, result: Obj) -> Iterator[tuple[Obj, Obj]]:
    """The NoExecute taints its driver has set, in the pool's newest generation."""
    pool = f"{result['driver']}/{result['pool']}"
    tainted = view.find(EVICTING, f"{pool}/{result['device']}")
    if not tainted:
        return
    newest = max(_generation(item) for item in view.find(POOLS, pool))
    for item in tainted:
        if _generation(item) < newest:
            continue
        for device in entries(item, "spec", "devices"):
            if device["name"] == result["device"]:
                for taint in device.get("taints") or ():
                    if taint.get("effect") == NO_EXECUTE:
                        yield item, taint


def _generation(item: Obj) -> int:
    return int(part(item, "spec", "pool").get("generation") or 0)


def _due_ns(taint: Obj, result: Obj) -> int | None:
    """The time at which this taint evicts pods of this device; None if it is tolerated for ever."""
    since_ns = parse_rfc3339(taint["timeAdded"]) if taint.get("timeAdded") else 0
    patience_s: list[int] = []
    for toleration in entries(result, "tolerations"):
        if not tolerates(toleration, taint):
            continue
        if toleration.get("tolerationSeconds") is None:
            return None
        patience_s.append(max(0, int(toleration["tolerationSeconds"])))
    return since_ns + min(patience_s, default=0) * _NS


def tolerates(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (
        taint.get("value") or ""
    )


def pods_using(view: View, claim: Obj) -> list[Obj]:
    """The bound, live pods that the claim is reserved for, by themselves or as a PodGroup."""
    namespace = namespace_of(claim)
    found: dict[str, Obj] = {}
    for consumer in entries(claim, "status", "reservedFor"):
        name, uid = str(consumer.get("name")), consumer.get("uid")
        if consumer.get("resource") == PODS.plural and not consumer.get("apiGroup"):
            pod = view.get(PODS, Key(namespace, name))
            if pod is not None and uid_of(pod) == uid:
                found[uid_of(pod)] = pod
        elif consumer.get("resource") == POD_GROUPS.plural:
            for pod in view.find(IN_GROUP, in_group(namespace, name)):
                if name_of(claim) in claim_names(pod):
                    found[uid_of(pod)] = pod
    return [pod for pod in found.values() if pod["spec"].get("nodeName") and is_active(pod)]


def claims_of_pod(_: View, pod: Obj) -> list[Key]:
    """For a Watch: the claims that a pod uses."""
    return [Key(namespace_of(pod), name) for name in sorted(claim_names(pod))]


def claim_names(pod: Obj) -> set[str]:
    """The claims a pod uses, as far as they are made."""
    status = pod.get("status") or ()
    if "resourceClaims" not in pod["spec"] and "extendedResourceClaimStatus" not in status:
        return set()  # as most pods, of which there are many
    named = [e.get("resourceClaimName") for e in entries(pod, "spec", "resourceClaims")]
    named += [e.get("resourceClaimName") for e in entries(pod, "status", "resourceClaimStatuses")]
    named.append(text(pod, "status", "extendedResourceClaimStatus", "resourceClaimName"))
    return {str(name) for name in named if name}
