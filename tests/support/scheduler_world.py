"""API objects for scheduler tests, as short as they can be while staying what the wire carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.operations import Bind, Create, Delete, Operation, Patch
from mizzen.base.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    NODES,
    POD_GROUPS,
    PODS,
    PRIORITY_CLASSES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from mizzen.kinds.patches import merge_patch
from mizzen.scheduler.core.cluster.objects import WATCHED, Feed
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.place import place
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.queue.policy import QueuePolicy
from mizzen.scheduler.core.queue.priority import POLICY as PRIORITY
from mizzen.scheduler.core.types import Plan
from mizzen.scheduler.device_selectors import CelSelectors

NOW_NS = 1_800_000_000_000_000_000
CREATED = "2027-01-15T07:00:00Z"  # well before NOW_NS: nothing is young
CORE = "cpu-core.mizzen.dev"
DRIVER = "cpu.mizzen.dev"


def node(name: str = "n1", cpu: str = "2", memory: str = "8Gi", **spec: Any) -> Obj:
    labels = spec.pop("labels", {})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"node-{name}", "resourceVersion": "1", "labels": labels},
        "spec": spec,
        "status": {
            "capacity": {"cpu": cpu, "memory": memory, "pods": "110"},
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def halves(node_name: str = "n1", cores: int = 2) -> Obj:
    """The slice of a machine with few cores: two half-core devices for each."""
    devices = [
        {
            "name": f"core-{core}-half-{half}",
            "attributes": {
                "type": {"string": "cpu-core"},
                "core": {"int": core},
                "half": {"int": half},
            },
            "capacity": {"cpu": {"value": "500m"}},
        }
        for core in range(cores)
        for half in range(2)
    ]
    return resource_slice(node_name, devices)


def resource_slice(node_name: str, devices: list[Obj], **more: Any) -> Obj:
    driver = more.pop("driver", DRIVER)
    pool = more.pop("pool", node_name)
    name = more.pop("name", f"{driver}-{pool}")
    generation, count = more.pop("generation", 1), more.pop("count", 1)
    return {
        "metadata": {"name": name, "uid": f"slice-{name}", "resourceVersion": str(generation)},
        "spec": {
            "driver": driver,
            "pool": {"name": pool, "generation": generation, "resourceSliceCount": count},
            **(more or {"nodeName": node_name}),
            "devices": devices,
        },
    }


def device_class(name: str = CORE, *expressions: str, **spec: Any) -> Obj:
    selectors = [
        {"cel": {"expression": e}} for e in expressions or (f'device.driver == "{DRIVER}"',)
    ]
    return {
        "metadata": {"name": name, "uid": f"class-{name}", "resourceVersion": "1"},
        "spec": {"selectors": selectors, **spec},
    }


def exactly(name: str = "r", cls: str = CORE, count: int = 1, *cel: str, **more: Any) -> Obj:
    body: Obj = {"deviceClassName": cls, "allocationMode": "ExactCount", "count": count, **more}
    if cel:
        body["selectors"] = [{"cel": {"expression": e}} for e in cel]
    return {"name": name, "exactly": body}


def claim(name: str, *requests: Obj, **devices: Any) -> Obj:
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"claim-{name}",
            "resourceVersion": "1",
        },
        "spec": {"devices": {"requests": list(requests or (exactly(),)), **devices}},
        "status": {},
    }


def pod(name: str, *, claims: Sequence[str] = (), cpu: str = "", **more: Any) -> Obj:
    """`gang`, `rank`, `priority`, `cause`, `created` are understood; the rest goes into spec."""
    annotations = {"mizzen.dev/cause": more.pop("cause")} if "cause" in more else {}
    labels: dict[str, str] = {}
    if "rank" in more:
        labels["batch.kubernetes.io/job-completion-index"] = str(more.pop("rank"))
    if "gang" in more:
        more["schedulingGroup"] = {"podGroupName": more.pop("gang")}
    container: Obj = {"name": "main"}
    if cpu:
        container["resources"] = {"requests": {"cpu": cpu}}
    created = more.pop("created", CREATED)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"pod-{name}",
            "resourceVersion": "1",
            "creationTimestamp": created,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "containers": [container],
            "resourceClaims": [{"name": c, "resourceClaimName": c} for c in claims],
            **more,
        },
        "status": {"phase": "Pending"},
    }


def pod_group(name: str, min_count: int) -> Obj:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"group-{name}",
            "resourceVersion": "1",
        },
        "spec": {"schedulingPolicy": {"gang": {"minCount": min_count}}},
    }


@dataclass(slots=True)
class World:
    """A small cluster whose API server carries out plans and ends pods at once when told."""

    nodes: list[Obj] = field(default_factory=lambda: [node()])
    slices: list[Obj] = field(default_factory=lambda: [halves()])
    classes: list[Obj] = field(default_factory=lambda: [device_class()])
    objects: dict[tuple[str, str], Obj] = field(default_factory=dict)
    priority_classes: list[Obj] = field(default_factory=list)
    taint_rules: list[Obj] = field(default_factory=list)
    others: dict[Resource, list[Obj]] = field(default_factory=dict)
    what_if: WhatIf | None = None
    told: dict[tuple[Resource, Key], str] = field(default_factory=dict)
    revision: int = 100
    uids: set[str] = field(default_factory=set)
    limits: Limits = field(default_factory=Limits)
    policies: Sequence[QueuePolicy] = (PRIORITY,)
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        self.feed = Feed(CelSelectors(), self.limits, self.policies)

    def add(self, *objects: Obj) -> None:
        for obj in objects:
            kind = obj.get("kind") or "PodGroup"
            uid = obj["metadata"]["uid"]
            if uid in self.uids:  # a later object of the same name is another one
                obj["metadata"]["uid"] = f"{uid}-{len(self.uids)}"
            self.uids.add(obj["metadata"]["uid"])
            self.objects[kind, obj["metadata"]["name"]] = obj

    def add_pods(self, names: Iterable[str], **more: Any) -> None:
        """Pods with a claim of one core each; ranks count up when a gang is given."""
        for rank, name in enumerate(names):
            ranked = {"rank": more.get("first_rank", 0) + rank} if "gang" in more else {}
            kept = {k: v for k, v in more.items() if k != "first_rank"}
            self.add(claim(name), pod(name, claims=(name,), **ranked, **kept))

    def get(self, kind: str, name: str) -> Obj:
        return self.objects[kind, name]

    def plan(self, now_ns: int = NOW_NS) -> Plan:
        return place(self.known(), now_ns, self.policies)

    def known(self) -> WhatIf:
        """The cluster as the scheduler plans in it, told of everything that changed, in whichever way, since last time."""
        now = {(resource, key_of(obj)): obj for resource, obj in self._objects()}
        for resource, key in [known for known in self.told if known not in now]:
            del self.told[resource, key]
            self.feed.delete(resource, key)
        for (resource, key), obj in now.items():
            if self.told.get((resource, key)) != repr(obj):
                self.told[resource, key] = repr(obj)
                self.feed.upsert(resource, obj)
        self.feed.settle()
        if self.what_if is None or self.what_if.cluster is not self.feed.cluster:
            self.what_if = WhatIf(self.feed.cluster)
        return self.what_if

    def forget(self) -> None:
        """Another scheduler takes over, which knows nothing yet."""
        self.feed = Feed(CelSelectors(), self.limits, self.policies)
        self.told.clear()

    def _objects(self) -> Iterable[tuple[Resource, Obj]]:
        kept = {"Pod": PODS, "ResourceClaim": RESOURCE_CLAIMS, "PodGroup": POD_GROUPS}
        found: dict[Resource, list[Obj]] = {
            NODES: self.nodes,
            RESOURCE_SLICES: self.slices,
            DEVICE_CLASSES: self.classes,
            PRIORITY_CLASSES: self.priority_classes,
            DEVICE_TAINT_RULES: self.taint_rules,
        }
        for (kind, _), obj in self.objects.items():
            if kind in kept:
                found.setdefault(kept[kind], []).append(obj)
        found |= self.others
        order = [*WATCHED, *self.others]
        return ((resource, obj) for resource in order for obj in found.get(resource, ()))

    def run(self) -> Plan:
        """One decision, carried out."""
        plan = self.plan()
        for decision in plan.decisions:
            for operation in decision.operations:
                self.carry_out(operation)
        return plan

    def carry_out(self, operation: Operation) -> None:
        if isinstance(operation, Create):
            self.create(operation)
            return
        kind = getattr(operation, "resource", PODS).kind
        obj = self.objects[kind, operation.name]
        if operation.uid:
            assert operation.uid == obj["metadata"]["uid"]
        if operation.resource_version:
            assert operation.resource_version == obj["metadata"]["resourceVersion"]
        self.revision += 1
        if isinstance(operation, Patch):
            obj = merge_patch(obj, operation.patch)
        elif isinstance(operation, Bind):
            assert not obj["spec"].get("nodeName"), f"{operation.name} is bound already"
            obj = merge_patch(obj, {"spec": {"nodeName": operation.node}})
            obj["status"]["conditions"] = []
        else:
            assert isinstance(operation, Delete)
            obj = merge_patch(obj, {"metadata": {"deletionTimestamp": CREATED}})
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self.objects[kind, operation.name] = obj

    def create(self, operation: Create) -> None:
        assert operation.resource == RESOURCE_CLAIMS, "the scheduler creates claims only"
        made = {"kind": "ResourceClaim", "status": {}, **operation.object}
        name = made["metadata"]["name"]
        assert ("ResourceClaim", name) not in self.objects, f"claim {name} is there already"
        self.revision += 1
        version = {"uid": f"claim-{name}", "resourceVersion": str(self.revision)}
        made["metadata"] = {**made["metadata"], **version}
        self.add(made)

    def end(self, name: str, *, with_claim: bool = True) -> None:
        """The pod is gone, and its claim of the same name with it."""
        del self.objects["Pod", name]
        if with_claim:
            self.objects.pop(("ResourceClaim", name), None)

    def bound(self) -> Mapping[str, list[str]]:
        """Devices of each pod that has a node."""
        return {
            name: [
                result["device"]
                for claim_name in _claims_of(obj)
                for result in self.get("ResourceClaim", claim_name)["status"]["allocation"][
                    "devices"
                ]["results"]
            ]
            for (kind, name), obj in self.objects.items()
            if kind == "Pod" and obj["spec"].get("nodeName")
        }

    def condition(self, name: str, kind: str = "PodScheduled") -> Obj:
        conditions = self.get("Pod", name)["status"].get("conditions") or []
        return next((c for c in conditions if c["type"] == kind), {})


def _claims_of(pod_object: Obj) -> list[str]:
    named = [c["resourceClaimName"] for c in pod_object["spec"]["resourceClaims"]]
    extended = pod_object["status"].get("extendedResourceClaimStatus")
    return [*named, extended["resourceClaimName"]] if extended else named
