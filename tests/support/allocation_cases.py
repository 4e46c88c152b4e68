"""Random allocation cases: small, and rich in everything upstream's allocator knows.

Few values on purpose, so that devices collide, constraints bite and pools contradict themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

Obj = dict[str, Any]

DRIVERS = ("gpu.example.com", "nic.example.com")
BINDING = "DRADeviceBindingConditions+DRAResourceClaimDeviceStatus"
GATES = (
    "DRADeviceTaints",
    "DRAPartitionableDevices",
    "DRAConsumableCapacity",
    BINDING,
    "DRAListTypeAttributes",
)
NODE_LABELS = {"zone": "a", "rack": "r1", "size": "7"}
QUANTITIES = ("0", "1", "1", "2", "2", "3", "4", "5", "8", "500m", "1Ki", "1024", "1.5", "1e1")
CAPACITIES = (("mem",), ("mem", "bw"), ("mem", "bw"), ("bw",), ("mem", f"{DRIVERS[0]}/cores"))
SMALL = ("0", "1", "1", "2", "2", "3", "4")


def cases(seed: int, count: int) -> Iterator[Obj]:
    for index in range(count):
        yield CaseMaker(Random(f"{seed}-{index}")).case()


class CaseMaker:
    """One case, drawn from one source of chance."""

    def __init__(self, random: Random) -> None:
        self.r = random
        self.counter_sets: list[Obj] = []
        self.gates: list[str] = []
        self.names: list[str] = []

    def chance(self, percent: int) -> bool:
        return self.r.randrange(100) < percent

    def some(self, pool: tuple[Any, ...] | list[Any], least: int, most: int) -> list[Any]:
        return self.r.sample(list(pool), min(len(pool), self.r.randint(least, most)))

    def case(self) -> Obj:
        self.gates = list(GATES) if self.chance(45) else self.some(GATES, 0, len(GATES))
        self.is_stable = not {GATES[2], GATES[3], GATES[4]} & set(self.gates)
        self.on = set(self.gates)
        slices = self.slices()
        claims = [self.claim(i) for i in range(self.r.choice((1, 1, 1, 1, 1, 2, 3)))]
        case: Obj = {
            "claims": claims,
            "classes": [self.device_class("any"), self.device_class("gpu"), self.device_class("x")],
            "slices": slices,
            "node": {"metadata": {"name": "n1", "labels": NODE_LABELS}},
            "features": self.features(),
        }
        self.allocated(case, slices)
        return case

    def features(self) -> list[str] | None:
        if not self.gates and self.chance(50):
            return None
        if len(self.gates) > 1 and self.chance(20):
            return ["+".join(self.gates)]
        return self.gates

    # -- what is there --------------------------------------------------------------------

    def slices(self) -> list[Obj]:
        found: list[Obj] = []
        # the stable allocator goes through pools in no order at all
        pools = 1 if self.is_stable else self.r.choice((1, 1, 2, 2, 3))
        keys: set[tuple[str, str]] = set()
        for _ in range(pools):
            keys.add((self.r.choice(DRIVERS), self.r.choice(("p1", "p1", "p2"))))
        for driver, pool in sorted(keys):
            found += self.pool(driver, pool)
        self.r.shuffle(found)
        return found

    def pool(self, driver: str, pool: str) -> list[Obj]:
        self.counter_sets = []
        partitions = self.chance(60 if "DRAPartitionableDevices" in self.on else 3)
        found: list[Obj] = []
        if partitions:
            for part in range(self.r.choice((1, 1, 1, 2))):
                sets = [self.counter_set(f"set{part}-{i}") for i in range(self.r.choice((1, 1, 2)))]
                if part and self.chance(5):
                    sets[0]["name"] = "set0-0"
                self.counter_sets += sets
                found.append(self.slice(driver, pool, {"sharedCounters": sets, "devices": None}))
        self.names = [f"dev{i}" for i in range(18)]
        for _ in range(self.r.choice((1, 1, 2, 2, 3))):
            found.append(self.slice(driver, pool, {}))
        for index, item in enumerate(found):
            item["metadata"] = {"name": f"{self.r.choice('abcde')}{index}-{driver}-{pool}"}
        generation = self.r.randint(1, 2)
        for item in found:
            here = generation - 1 if self.chance(2) else generation
            item["spec"]["pool"] = {
                "name": pool,
                "generation": here,
                "resourceSliceCount": len(found)
                + (self.r.choice((-1, 1)) if self.chance(1) else 0),
            }
        return found[1:] if len(found) > 1 and self.chance(2) else found

    def counter_set(self, name: str) -> Obj:
        counters = {
            n: {"value": self.r.choice(("2", "3", "4", "4"))} for n in self.some(("m", "s"), 1, 2)
        }
        return {"name": name, "counters": counters}

    def slice(self, driver: str, pool: str, spec: Obj) -> Obj:
        spec = {"driver": driver, **spec}
        where = self.r.randrange(100)
        per_device = False
        if where < 50:
            spec["nodeName"] = "n1" if self.chance(93) else "n2"
        elif where < 65:
            spec["allNodes"] = True
        elif where < 82:
            spec["nodeSelector"] = self.node_selector()
        elif "DRAPartitionableDevices" in self.on or self.chance(20):
            per_device = True
            spec["perDeviceNodeSelection"] = True
        else:
            spec["nodeName"] = "n1"
        if self.chance(1):
            spec["perDeviceNodeSelection"] = per_device
        if "devices" not in spec:
            spec["devices"] = [
                self.device(driver, per_device) for _ in range(self.r.choice((0, 1, 2, 3, 3, 4, 5)))
            ]
        return {"spec": spec}

    def node_selector(self) -> Obj:
        if self.chance(2):
            return {"nodeSelectorTerms": []}
        terms = [self.term() for _ in range(2 if self.chance(4) else 1)]
        return {"nodeSelectorTerms": terms}

    def term(self) -> Obj:
        options: list[tuple[str, str, list[str] | None]] = [
            ("zone", "In", ["a"]),
            ("zone", "In", ["b", "a"]),
            ("zone", "In", ["a", "b"]),
            ("zone", "Exists", None),
            ("none", "DoesNotExist", None),
            ("rack", "NotIn", ["r2"]),
            ("size", "Gt", ["3"]),
            ("size", "Lt", ["10"]),
        ]
        wrong: list[tuple[str, str, list[str] | None]] = [
            ("zone", "In", ["b"]),
            ("size", "Gt", ["7"]),
            ("rack", "Exists", ["x"]),
            ("zone", "In", []),
            ("Zone!", "In", ["a"]),
            ("size", "Lt", ["x"]),
            ("zone", "Like", ["a"]),
        ]
        picked = self.some(options, 1, 2)
        if self.chance(4):
            picked.append(self.r.choice(wrong))
        term: Obj = {"matchExpressions": [self.requirement(*p) for p in picked]}
        if self.chance(20):
            names = [("metadata.name", "In", ["n1"]), ("metadata.name", "NotIn", ["n2"])]
            term["matchFields"] = [self.requirement(*self.r.choice(names))]
            if self.chance(40):
                del term["matchExpressions"]
        return {} if self.chance(2) else term

    def requirement(self, key: str, operator: str, values: list[str] | None) -> Obj:
        found: Obj = {"key": key, "operator": operator}
        if values is not None:
            found["values"] = values
        return found

    def device(self, driver: str, per_device: bool) -> Obj:
        name = self.names.pop(0) if not self.chance(1) or self.chance(50) else "dev0"
        device: Obj = {"name": name}
        attributes = self.attributes(driver)
        if attributes or self.chance(50):
            device["attributes"] = attributes
        if self.chance(55):
            device["capacity"] = {n: self.capacity() for n in self.r.choice(CAPACITIES)}
        if self.chance(55 if "DRAConsumableCapacity" in self.on else 10):
            device["allowMultipleAllocations"] = not self.chance(8)
        if self.counter_sets and self.chance(70):
            device["consumesCounters"] = self.consumption()
        elif self.chance(1) and self.chance(50):
            device["consumesCounters"] = [{"counterSet": "none", "counters": {"m": {"value": "1"}}}]
        if self.chance(14):
            device["taints"] = [self.taint() for _ in range(self.r.choice((1, 1, 2)))]
        if self.chance(15):
            device["bindingConditions"] = self.r.choice((["Ready"], ["Ready"], ["A", "B"], []))
            device["bindingFailureConditions"] = self.r.choice((["Failed"], []))
        if self.chance(10):
            device["bindsToNode"] = self.chance(80)
        if per_device:
            self.place(device)
        return device

    def place(self, device: Obj) -> None:
        where = self.r.randrange(10)
        if where < 5:
            device["nodeName"] = "n1" if self.chance(75) else "n2"
        elif where < 7:
            device["allNodes"] = True
        elif where < 9 or self.chance(80):
            device["nodeSelector"] = self.node_selector()

    def attributes(self, driver: str) -> Obj:
        found: Obj = {}
        for name in ("numa", "model", "ver", "ok"):
            if not self.chance(88):
                continue
            key = f"{driver}/{name}" if self.chance(15) else name
            found[key] = self.value(name)
        if self.chance(50):
            found["resource.kubernetes.io/pcieRoot"] = {"string": self.r.choice(("r0", "r1"))}
        return found

    def value(self, name: str) -> Obj:
        if self.chance(30 if "DRAListTypeAttributes" in self.on else 1):
            kind = {"numa": "ints", "model": "strings", "ver": "versions", "ok": "bools"}[name]
            return {kind: [self.single(name) for _ in range(self.r.choice((1, 2, 2)))]}
        if self.chance(2):
            return {"string": "0"}
        kind = {"numa": "int", "model": "string", "ver": "version", "ok": "bool"}[name]
        return {kind: self.single(name)}

    def single(self, name: str) -> Any:
        options: dict[str, tuple[Any, ...]] = {
            "numa": (0, 1, 2),
            "model": ("H200", "B200"),
            "ver": ("1.0.0", "1.2.0"),
            "ok": (True, True, False),
        }
        return self.r.choice(options[name])

    def capacity(self) -> Obj:
        found: Obj = {"value": self.r.choice(("4", "8", "8", "10", "1Ki", "2Ki", "1024"))}
        if self.chance(50):
            found["requestPolicy"] = self.policy()
        return found

    def policy(self) -> Obj:
        found: Obj = {}
        if self.chance(60):
            found["default"] = self.r.choice(("1", "1", "2", "2", "4", "1Ki", "1024", "500m"))
        kind = self.r.randrange(3)
        if kind == 0:
            found["validValues"] = self.r.choice(
                (["1", "2", "4"], ["2", "8"], ["500m", "1.5", "4"], ["1Ki", "2Ki"], ["1024"], [])
            )
        elif kind == 1:
            span: Obj = {}
            if self.chance(92):
                span["min"] = self.r.choice(("0", "1", "1", "2", "500m", "1Ki"))
            if self.chance(60):
                span["max"] = self.r.choice(("4", "6", "8", "2Ki", "3.5"))
            if ("min" in span and self.chance(50)) or self.chance(2):
                span["step"] = self.r.choice(("1", "2", "2", "3", "500m", "512"))
            found["validRange"] = span
        return found

    def consumption(self) -> list[Obj]:
        found: list[Obj] = []
        for counters in self.some(self.counter_sets, 1, 2):
            names = self.some(list(counters["counters"]), 1, 2)
            if self.chance(1):
                names.append("zz")
            amounts = {n: {"value": self.r.choice(SMALL)} for n in names}
            found.append({"counterSet": counters["name"], "counters": amounts})
        return found

    def taint(self) -> Obj:
        taint: Obj = {
            "key": self.r.choice(("bad", "hot")),
            "effect": self.r.choice(("NoSchedule", "NoSchedule", "NoExecute", "None")),
        }
        if self.chance(50):
            taint["value"] = self.r.choice(("x", "y"))
        return taint

    # -- what is asked ---------------------------------------------------------------------

    def claim(self, index: int) -> Obj:
        requests = [self.request(i) for i in range(self.r.choice((1, 1, 1, 1, 2, 3)))]
        names = [r["name"] for r in requests]
        for request in requests:
            names += [f"{request['name']}/{s['name']}" for s in request.get("firstAvailable") or ()]
        devices: Obj = {"requests": requests}
        if self.chance(38):
            devices["constraints"] = [
                self.constraint(names) for _ in range(self.r.choice((1, 1, 2)))
            ]
        if self.chance(30):
            devices["config"] = [self.config(names) for _ in range(self.r.choice((1, 1, 2)))]
        return {"metadata": {"name": f"c{index}", "namespace": "ns"}, "spec": {"devices": devices}}

    def request(self, index: int) -> Obj:
        name = f"r{index}"
        if self.chance(25):
            subs = []
            for i in range(self.r.choice((1, 2, 2, 3))):
                big = self.r.choice((20, 31, 32, 33)) if self.chance(6) else None
                subs.append({"name": f"s{i}", **self.body(big)})
            return {"name": name, "firstAvailable": subs}
        body = self.body(self.r.choice((17, 32, 33)) if self.chance(1) else None)
        if self.chance(8):
            body["adminAccess"] = self.chance(85)
        if self.chance(1) and self.chance(30):
            return {"name": name}
        return {"name": name, "exactly": body}

    def body(self, count: int | None) -> Obj:
        body: Obj = {
            "deviceClassName": self.r.choice(("any", "any", "any", "any", "gpu", "x"))
            if not (self.chance(1) and self.chance(50))
            else self.r.choice(("none", "")),
        }
        if count is None and self.chance(13):
            body["allocationMode"] = "All"
        else:
            body["allocationMode"] = (
                "ExactCount"
                if not (self.chance(1) and self.chance(50))
                else self.r.choice(("", "Some"))
            )
            body["count"] = count or self.r.choice((1, 1, 1, 1, 1, 2, 2, 3))
        if self.chance(28):
            body["selectors"] = [self.selector() for _ in range(self.r.choice((1, 1, 2)))]
        if self.chance(35):
            body["tolerations"] = [self.toleration() for _ in range(self.r.choice((1, 1, 2)))]
        if self.chance(30 if "DRAConsumableCapacity" in self.on else 1):
            names = self.r.choice(
                (("mem",), ("mem",), ("bw",), ("mem", "bw"), (f"{DRIVERS[0]}/cores",))
            )
            body["capacity"] = {"requests": {n: self.r.choice(QUANTITIES) for n in names}}
            if self.chance(5):
                body["capacity"] = {}
        return body

    def selector(self) -> Obj:
        d = self.r.choice(DRIVERS)
        safe = (
            "true",
            f'device.driver == "{d}"',
            f'"model" in device.attributes["{d}"]',
            f'device.attributes["{d}"].?model.orValue("") == "H200"',
            f'has(device.attributes["{d}"].numa) && device.attributes["{d}"].numa == 0',
            f'device.capacity["{d}"].?mem.orValue(quantity("0")).isGreaterThan(quantity("5"))',
            f'device.driver != "{d}" || !("ok" in device.attributes["{d}"])',
        )
        failing = (
            f'device.attributes["{d}"].model == "H200"',
            f'device.attributes["{d}"].numa < 2',
            f'device.capacity["{d}"].mem.compareTo(quantity("5")) >= 0',
            f'device.attributes["{d}"].ok',
            'device.attributes["nowhere.example.com"].x == 1',
            "device.driver ==",
            "1 + 1",
        )
        if self.chance(10 if "DRAConsumableCapacity" in self.on else 1):
            return {"cel": {"expression": "device.allowMultipleAllocations == true"}}
        if self.chance(10 if "DRAListTypeAttributes" in self.on else 1):
            includes = f'device.attributes["{d}"].?model.orValue("").includes("H200")'
            return {"cel": {"expression": includes}}
        return {"cel": {"expression": self.r.choice(failing if self.chance(12) else safe)}}

    def toleration(self) -> Obj:
        found: Obj = {"operator": self.r.choice(("Exists", "Exists", "Equal"))}
        if self.chance(70):
            found["key"] = self.r.choice(("bad", "hot"))
        if found["operator"] == "Equal":
            found["value"] = self.r.choice(("x", "y"))
            if self.chance(10):
                del found["operator"]
        if self.chance(30):
            found["effect"] = self.r.choice(("NoSchedule", "NoExecute"))
        if found.get("effect") == "NoExecute" and self.chance(40):
            found["tolerationSeconds"] = self.r.choice((0, 60))
        return found

    def constraint(self, names: list[str]) -> Obj:
        attribute = self.r.choice(
            (
                f"{DRIVERS[0]}/numa",
                f"{DRIVERS[0]}/model",
                f"{DRIVERS[1]}/numa",
                "resource.kubernetes.io/pcieRoot",
                f"{DRIVERS[0]}/ver",
                f"{DRIVERS[0]}/ok",
            )
        )
        distinct = self.chance(45 if not self.is_stable else 2)
        found: Obj = {"distinctAttribute" if distinct else "matchAttribute": attribute}
        if self.chance(1) and self.chance(40):
            found = {}
        if self.chance(50):
            found["requests"] = self.some(names, 1, 2)
        return found

    def config(self, names: list[str]) -> Obj:
        found: Obj = {
            "opaque": {
                "driver": DRIVERS[0],
                "parameters": {"kind": "Tune", "level": self.r.randint(1, 3)},
            }
        }
        if self.chance(60):
            found["requests"] = self.some(names, 1, 2)
        if self.chance(10):
            found.pop("opaque")
        return found

    def device_class(self, name: str) -> Obj:
        spec: Obj = {}
        if name == "gpu":
            spec["selectors"] = [{"cel": {"expression": f'device.driver == "{DRIVERS[0]}"'}}]
        if name == "x" and self.chance(50):
            spec["selectors"] = [self.selector()]
        if self.chance(30):
            spec["config"] = [
                {"opaque": {"driver": DRIVERS[0], "parameters": {"class": name, "n": i}}}
                for i in range(self.r.choice((1, 2)))
            ]
        return {"metadata": {"name": name}, "spec": spec}

    # -- what is taken -----------------------------------------------------------------------

    def allocated(self, case: Obj, slices: list[Obj]) -> None:
        devices: list[tuple[str, Obj]] = [
            (f"{s['spec']['driver']}/{s['spec']['pool']['name']}/{d['name']}", d)
            for s in slices
            for d in s["spec"].get("devices") or ()
        ]
        whole: list[str] = []
        shared: list[str] = []
        consumed: dict[str, Obj] = {}
        for name, device in devices:
            if not self.chance(13):
                continue
            if not device.get("allowMultipleAllocations") or self.chance(10):
                whole.append(name)
                continue
            shared.append(f"{name}/00000000-0000-0000-0000-00000000000{self.r.randint(0, 9)}")
            if self.chance(85):
                consumed[name] = {n: self.r.choice(SMALL) for n in device.get("capacity") or ()}
        if whole:
            case["allocatedDevices"] = whole
        if shared:
            case["allocatedShared"] = shared
        if consumed:
            case["allocatedCapacity"] = consumed
