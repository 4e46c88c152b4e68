"""A small cluster in which everything happens at random, seen late, by a scheduler that plans.

`World` carries plans out whole or not at all, as the API server does. On top: changes that the
scheduler has not heard of yet, in whichever order; refusals; clocks that jump.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from typing import Any

from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.operations import Bind, Operation
from mizzen.base.resources import (
    DEVICE_TAINT_RULES,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from mizzen.scheduler.core.place import place
from mizzen.scheduler.core.types import Decision, Plan
from support.scheduler_world import (
    NOW_NS,
    World,
    claim,
    device_class,
    exactly,
    node,
    pod,
    pod_group,
    resource_slice,
)

DRIVER = "sim.dev"
CLASS, FAILING, BROKEN = "sim", "failing", "broken"
ZONE = "topology.kubernetes.io/zone"
S = 10**9
Changed = tuple[Resource, Key]


def expression(model: str) -> str:
    return f'device.attributes["{DRIVER}"].model == "{model}"'


def whole(name: str, rng: random.Random) -> Obj:
    return {"name": name, "attributes": {"model": {"string": rng.choice("ab")}}}


def parts(rng: random.Random) -> list[Obj]:
    """One chip that is given whole, in halves or in quarters."""
    sizes = {"whole": 4, "half-0": 2, "half-1": 2, "quarter-0": 1, "quarter-1": 1, "quarter-2": 1}
    return [
        {
            **whole(name, rng),
            "consumesCounters": [{"counterSet": "chip", "counters": {"mem": {"value": str(size)}}}],
        }
        for name, size in sizes.items()
    ]


def shared(rng: random.Random) -> list[Obj]:
    """A device of which several claims take as much as they ask for."""
    policy = {"default": "1Gi", "validRange": {"min": "1Gi", "step": "1Gi"}}
    capacity = {"mem": {"value": "4Gi", "requestPolicy": policy}}
    return [{**whole("s0", rng), "allowMultipleAllocations": True, "capacity": capacity}]


@dataclass(slots=True)
class RestlessWorld(World):
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    late: dict[Changed, Obj | None] = field(default_factory=dict)  # as the scheduler knows them
    now_ns: int = NOW_NS
    count: int = 0
    refused: int = 0
    gangs: dict[str, int] = field(default_factory=dict)  # name -> minCount

    def begin(self) -> None:
        """A few nodes with devices, and classes of which two cannot be used."""
        self.nodes, self.slices = [], []
        self.classes = [
            device_class(CLASS, f'device.driver == "{DRIVER}"'),
            device_class(FAILING, f'device.attributes["{DRIVER}"].absent == "x"'),
            device_class(BROKEN, "device.driver =="),
        ]
        for _ in range(self.rng.randint(1, 4)):
            self.new_node()

    # -- what the scheduler knows --------------------------------------------------------------

    def _objects(self) -> list[tuple[Resource, Obj]]:
        known = {(r, key_of(obj)): obj for r, obj in World._objects(self)}
        for changed, old in self.late.items():
            if old is None:
                known.pop(changed, None)
            else:
                known[changed] = old
        return [(resource, obj) for (resource, _), obj in known.items()]

    def hold_back(self, resource: Resource, obj: Obj | None, key: Key) -> None:
        """The scheduler will hear of the next change of this object late."""
        if self.rng.random() < 0.3:
            self.late.setdefault((resource, key), copy.deepcopy(obj))

    def hear(self) -> None:
        """Some of what is late arrives."""
        for changed in list(self.late):
            if self.rng.random() < 0.4:
                del self.late[changed]

    def another(self) -> RestlessWorld:
        """The same objects, as far as the scheduler knows them, told to a scheduler that starts."""
        kept = (self.nodes, self.slices, self.classes, self.objects)
        return RestlessWorld(*kept, taint_rules=self.taint_rules, late=self.late)

    def told_objects(self) -> list[tuple[Resource, Obj]]:
        """What the scheduler has been told, or is the next time it decides."""
        return self._objects()

    # -- plans -----------------------------------------------------------------------------------

    def decide(self) -> Plan:
        plan = place(self.known(), self.now_ns)
        for decision in plan.decisions:
            self.attempt(decision)
        return plan

    def attempt(self, decision: Decision) -> bool:
        """The whole decision, or nothing of it where the scheduler knew too little."""
        before = copy.deepcopy(self.objects)
        uids = set(self.uids)
        try:
            for operation in decision.operations:
                self.carry_out(operation)
        except (AssertionError, KeyError):
            self.objects, self.uids = before, uids
            self.refused += 1
            for operation in decision.operations:
                self.late.pop(_changed(operation), None)
            return False
        for operation in decision.operations:
            self.late.pop(_changed(operation), None)
        return True

    # -- what happens ------------------------------------------------------------------------------

    def happen(self) -> None:
        happenings = [self.arrive] * 5 + [self.end_some] * 3 + [self.new_gang] * 2
        happenings += [self.new_node, self.lose_node, self.change_node, self.finish, self.rule]
        happenings += [self.new_node]
        happenings += [self.new_slice] * 2 + [
            self.lose_slice,
            self.lose_claim,
            self.jump,
            self.hear,
        ]
        self.rng.choice(happenings)()

    def arrive(self) -> None:
        self.count += 1
        self.new_pod(f"p{self.count}", priority=self.rng.choice([0, 0, 5, 10]))

    def new_gang(self) -> None:
        self.count += 1
        name, size = f"g{self.count}", self.rng.randint(2, 4)
        least = self.rng.randint(1, size)
        self.gangs[name] = least
        group = pod_group(name, least)
        if self.rng.random() < 0.3:
            group["spec"]["schedulingConstraints"] = {"topology": [{"key": ZONE}]}
        self.add(group)
        priority, kind = self.rng.choice([0, 5]), self.rng.choice(["", "one", "cpu"])
        for rank in range(size):
            self.new_pod(f"{name}-{rank}", kind, gang=name, rank=rank, priority=priority)

    def new_pod(self, name: str, kind: str = "", **more: Any) -> None:
        kind = kind or self.rng.choice(["one", "one", "some", "cpu", "both", "odd", "again"])
        cpu = self.rng.choice(["500m", "1", "2"]) if kind in ("cpu", "both") else ""
        claims: tuple[str, ...] = ()
        if kind == "again" and self.names("ResourceClaim"):
            claims = tuple(self.rng.sample(self.names("ResourceClaim"), k=1))
        elif kind != "cpu":
            claims = (name,)
            if ("ResourceClaim", name) not in self.objects:
                self.add(self.new_claim(name, kind))
        self.hold_back(PODS, None, Key("default", name))
        made = pod(name, claims=claims, cpu=cpu, **more)
        if "gang" not in more:
            self.be_choosy(made)
        self.add(made)

    def be_choosy(self, made: Obj) -> None:
        """Some pods go by labels of nodes, and some mind who else is there."""
        if self.rng.random() < 0.1:
            made["spec"]["nodeSelector"] = {self.rng.choice([ZONE, "disk", "rack"]): "x"}
        if self.rng.random() < 0.1:
            alone = {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"loud": "yes"}}}
            required = "requiredDuringSchedulingIgnoredDuringExecution"
            made["spec"]["affinity"] = {"podAntiAffinity": {required: [alone]}}
        if self.rng.random() < 0.2:
            made["metadata"]["labels"]["loud"] = "yes"
        if self.rng.random() < 0.1:
            made["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]

    def new_claim(self, name: str, kind: str) -> Obj:
        rng = self.rng
        if kind == "one":
            return claim(name, exactly(cls=CLASS))
        if kind != "odd":
            model = [expression(rng.choice("ab"))] if rng.random() < 0.5 else []
            return claim(name, exactly("r", CLASS, rng.randint(1, 3), *model))
        odd: list[Obj] = [
            exactly(cls=FAILING),
            exactly(cls=BROKEN),
            exactly(cls="absent"),
            exactly("r", CLASS, 1, "1/0 == 1"),
            exactly("r", CLASS, 1, "[1,2,3].all(x, [1,2,3].all(y, x > 0))"),
            exactly(cls=CLASS, adminAccess=True),
            exactly(cls=CLASS, capacity={"requests": {"mem": "2Gi"}}),
            {"name": "r", "exactly": {"deviceClassName": CLASS, "allocationMode": "All"}},
            {
                "name": "r",
                "firstAvailable": [
                    {
                        "name": m,
                        "deviceClassName": CLASS,
                        "count": 2,
                        "allocationMode": "ExactCount",
                    }
                    | {"selectors": [{"cel": {"expression": expression(m)}}]}
                    for m in "ab"
                ],
            },
        ]
        match = {"matchAttribute": f"{DRIVER}/model"}
        distinct = {"distinctAttribute": f"{DRIVER}/model"}
        if rng.random() < 0.3:  # two that no devices can meet together among them
            constraints = rng.sample([match, distinct], k=rng.randint(1, 2))
            return claim(name, exactly("r", CLASS, 2), constraints=constraints)
        return claim(name, rng.choice(odd))

    def end_some(self) -> None:
        """Pods that were told to leave are gone; sometimes one is deleted by its owner."""
        for name in self.names("Pod"):
            obj = self.objects["Pod", name]
            leaving = obj["metadata"].get("deletionTimestamp")
            if (leaving and self.rng.random() < 0.7) or self.rng.random() < 0.1:
                self.hold_back(PODS, obj, key_of(obj))
                del self.objects["Pod", name]
                self.release(obj)

    def finish(self) -> None:
        for name in self.names("Pod"):
            obj = self.objects["Pod", name]
            if obj["spec"].get("nodeName") and self.rng.random() < 0.2:
                self.hold_back(PODS, obj, key_of(obj))
                self.objects["Pod", name] = {**obj, "status": {"phase": "Succeeded"}}
                self.release(obj)

    def release(self, gone: Obj) -> None:
        """What the claim controller does: reservations end, and with the last one the allocation."""
        for name in self.names("ResourceClaim"):
            obj = self.objects["ResourceClaim", name]
            users = obj["status"].get("reservedFor") or []
            left = [u for u in users if u["uid"] != gone["metadata"]["uid"]]
            if len(left) == len(users):
                continue
            self.hold_back(RESOURCE_CLAIMS, obj, key_of(obj))
            self.revision += 1
            kept = {**obj["status"], "reservedFor": left} if left else {}
            metadata = {**obj["metadata"], "resourceVersion": str(self.revision)}
            self.objects["ResourceClaim", name] = {**obj, "metadata": metadata, "status": kept}

    def lose_claim(self) -> None:
        for name in self.names("ResourceClaim"):
            obj = self.objects["ResourceClaim", name]
            if not obj["status"].get("reservedFor") and self.rng.random() < 0.2:
                self.hold_back(RESOURCE_CLAIMS, obj, key_of(obj))
                del self.objects["ResourceClaim", name]

    def new_node(self) -> None:
        self.count += 1
        name = f"n{self.count}"
        labels = {ZONE: self.rng.choice("xy")} if self.rng.random() < 0.8 else {}
        self.nodes.append(node(name, cpu=self.rng.choice(["1", "2", "4"]), labels=labels))
        self.publish(name)

    def lose_node(self) -> None:
        if len(self.nodes) > 2 and self.rng.random() < 0.5:
            obj = self.nodes.pop(self.rng.randrange(len(self.nodes)))
            self.hold_back(NODES, obj, key_of(obj))

    def change_node(self) -> None:
        if self.nodes:
            at = self.rng.randrange(len(self.nodes))
            obj = copy.deepcopy(self.nodes[at])
            self.hold_back(NODES, self.nodes[at], key_of(obj))
            taint = {"key": "k", "effect": self.rng.choice(["NoSchedule", "NoExecute"])}
            obj["spec"] = self.rng.choice(
                [{}, {}, {}, {"taints": [taint]}, {"unschedulable": True}]
            )
            ready = self.rng.choice(["True"] * 6 + ["False", "Unknown"])
            obj["status"]["conditions"] = [{"type": "Ready", "status": ready}]
            self.nodes[at] = obj

    def new_slice(self) -> None:
        if self.nodes:
            self.publish(self.rng.choice(self.nodes)["metadata"]["name"])

    def publish(self, name: str) -> None:
        """A node's pool anew: a generation on, perhaps incomplete, perhaps a device twice."""
        rng = self.rng
        old = {s["metadata"]["name"]: s for s in self.slices}
        newest = max((s["spec"]["pool"]["generation"] for s in self.slices), default=0)
        devices = [whole(f"d{i}", rng) for i in range(rng.randint(0, 4))]
        devices += shared(rng) if rng.random() < 0.3 else []
        has_parts = rng.random() < 0.3
        devices += parts(rng) if has_parts else []
        if devices and rng.random() < 0.05:
            devices.append(devices[0])
        count = 1 + has_parts + (rng.random() < 0.1)
        more: Obj = {"driver": DRIVER, "generation": newest + 1, "count": count, "nodeName": name}
        made = [resource_slice(name, devices, name=f"{name}-{rng.randint(0, 1)}", **more)]
        if has_parts:
            counters = [{"name": "chip", "counters": {"mem": {"value": "4"}}}]
            more["sharedCounters"] = counters
            made.append(resource_slice(name, [], name=f"{name}-counters", **more))
        for item in made:  # slices of old generations remain
            self.hold_back(RESOURCE_SLICES, old.get(item["metadata"]["name"]), key_of(item))
            old[item["metadata"]["name"]] = item
        self.slices = list(old.values())

    def lose_slice(self) -> None:
        if self.slices:
            obj = self.slices.pop(self.rng.randrange(len(self.slices)))
            self.hold_back(RESOURCE_SLICES, obj, key_of(obj))

    def rule(self) -> None:
        if self.taint_rules and self.rng.random() < 0.6:
            self.taint_rules.pop()
            return
        self.count += 1
        selector = {"driver": DRIVER, "device": f"d{self.rng.randint(0, 3)}"}
        taint = {"key": "bad", "effect": self.rng.choice(["NoSchedule", "NoExecute"])}
        made: Obj = {"metadata": {"name": f"rule{self.count}"}}
        made["spec"] = {"deviceSelector": selector, "taint": taint}
        self.hold_back(DEVICE_TAINT_RULES, None, key_of(made))
        self.taint_rules.append(made)

    def jump(self) -> None:
        self.now_ns += self.rng.choice([1, 60 * S, -60 * S, 10**6 * S, -(10**6) * S])

    def names(self, kind: str) -> list[str]:
        return [name for k, name in self.objects if k == kind]


def _changed(operation: Operation) -> Changed:
    resource = PODS if isinstance(operation, Bind) else operation.resource
    if hasattr(operation, "object"):
        return resource, key_of(operation.object)
    return resource, Key(operation.namespace, operation.name)
