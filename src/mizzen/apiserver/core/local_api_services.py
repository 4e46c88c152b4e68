"""APIServices of what this server answers itself: one for each version of a group.

Those of built-in groups are put right when the server starts, those of custom kinds for as long as
they are served. Whoever takes the label off one has it for himself.
Source: kube-aggregator `controllers/autoregister`, `controllers/status/local`; kube-apiserver
`app/aggregator.go`; controlplane `controller/crdregistration`; Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, condition, labels_of, with_condition
from mizzen.base.reading import entries, part, text
from mizzen.base.resources import API_SERVICES

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"
# That of APIServices themselves has none; the other's are another server's in most clusters, who
# brings them.
_WITHOUT = frozenset((API_SERVICES.group, "metrics.k8s.io"))
_OTHER_GROUP, _OTHER_VERSION = 1000, 100
_GROUPS: dict[str, tuple[int, dict[str, int]]] = {
    "": (18000, {"v1": 1}),
    API_SERVICES.group: (17900, {}),
    "apps": (17800, {"v1": 15}),
    "events.k8s.io": (17750, {"v1": 15}),
    "authentication.k8s.io": (17700, {"v1": 15, "v1beta1": 9, "v1alpha1": 1}),
    "authorization.k8s.io": (17600, {"v1": 15}),
    "autoscaling": (17500, {"v2": 30, "v1": 15}),
    "batch": (17400, {"v1": 15}),
    "certificates.k8s.io": (17300, {"v1": 15, "v1beta1": 9, "v1alpha1": 1}),
    "networking.k8s.io": (17200, {"v1": 15, "v1beta1": 9}),
    "policy": (17100, {"v1": 15}),
    "rbac.authorization.k8s.io": (17000, {"v1": 15}),
    "storage.k8s.io": (16800, {"v1": 15, "v1beta1": 9, "v1alpha1": 1}),
    "admissionregistration.k8s.io": (16700, {"v1": 15, "v1beta1": 12, "v1alpha1": 9}),
    "apiextensions.k8s.io": (16700, {"v1": 15}),
    "scheduling.k8s.io": (16600, {"v1": 15, "v1alpha2": 2}),
    "coordination.k8s.io": (16500, {"v1": 15, "v1beta1": 13, "v1alpha2": 12}),
    "node.k8s.io": (16300, {"v1": 15}),
    "discovery.k8s.io": (16200, {"v1": 15}),
    "resource.k8s.io": (16200, {"v1": 21, "v1beta2": 15, "v1beta1": 9, "v1alpha3": 1}),
    "flowcontrol.apiserver.k8s.io": (16100, {"v1": 21}),
    "internal.apiserver.k8s.io": (16000, {"v1alpha1": 9}),
    "storagemigration.k8s.io": (15800, {"v1beta1": 9}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """An APIService that is to be there, and when it is put right."""

    spec: Obj
    managed: str


def group_priority(group: str) -> int:
    """The higher comes first in discovery."""
    return _GROUPS.get(group, (_OTHER_GROUP, {}))[0]


def wanted(builtin: Iterable[tuple[str, str]], definitions: Iterable[Obj]) -> dict[str, Wanted]:
    """By name, of built-in (group, version)s and of what definitions say is served."""
    found = {
        f"{version}.{group}": Wanted(_spec(group, version), ON_START)
        for group, version in builtin
        if group not in _WITHOUT
    }
    for definition in definitions:
        group = text(definition, "spec", "group")
        for version in entries(definition, "spec", "versions"):
            name = f"{version['name']}.{group}"
            if version.get("served") and name not in found:
                found[name] = Wanted(_spec(group, version["name"]), ALWAYS)
    return found


def _spec(group: str, version: str) -> Obj:
    priority, versions = _GROUPS.get(group, (_OTHER_GROUP, {}))
    place = {"group": group, "version": version} if group else {"version": version}
    return {
        **place, "groupPriorityMinimum": priority,
        "versionPriority": versions.get(version, _OTHER_VERSION),
    }  # fmt: skip


def changed(
    found: Obj | None, name: str, known: Mapping[str, Wanted], now_ns: int, *, is_start: bool
) -> Obj | None:
    """The object as it is to be; None where there is to be none."""
    want = known.get(name)
    managed = "" if found is None else labels_of(found).get(MANAGED, "")
    if want is None:
        is_over = managed == ALWAYS or (managed == ON_START and is_start)
        return None if found is None or is_over else available(found, now_ns)
    if want.managed == ON_START and not is_start:
        return None if found is None else available(found, now_ns)
    if found is None:
        metadata: Obj = {"name": name, "labels": {MANAGED: want.managed}}
        made = {"kind": API_SERVICES.kind, "apiVersion": API_SERVICES.api_version}
        return available({**made, "metadata": metadata, "spec": want.spec}, now_ns)
    if managed and found["spec"] != want.spec:
        found = {**found, "metadata": dict(found["metadata"]), "spec": want.spec}
    return available(found, now_ns)


def available(obj: Obj, now_ns: int) -> Obj:
    """With its condition, if it has no Service: what is local is always there."""
    if part(obj, "spec").get("service") is not None:
        return obj
    if (condition(obj, "Available") or {}).get("reason") == "Local":
        return obj
    told: Obj = {
        "type": "Available", "status": "True", "lastTransitionTime": rfc3339(now_ns),
        "reason": "Local", "message": "Local APIServices are always available",
    }  # fmt: skip
    conditions = with_condition(entries(obj, "status", "conditions"), told)
    return {**obj, "metadata": dict(obj["metadata"]), "status": {"conditions": conditions}}
