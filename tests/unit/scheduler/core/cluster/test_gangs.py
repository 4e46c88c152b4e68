"""Gangs kept up to date by changes, against the slow reading of everything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.resources import NODES, POD_GROUPS, PODS, PRIORITY_CLASSES, Resource
from mizzen.scheduler.core.cluster.objects import Feed
from mizzen.scheduler.core.conventions.gangs import Surroundings, gangs
from mizzen.scheduler.core.conventions.membership import membership
from mizzen.scheduler.core.conventions.watched import JOB_SETS, LEADER_WORKER_SETS, TOPOLOGIES
from mizzen.scheduler.device_selectors import CelSelectors
from support.scheduler_world import World, node, pod, pod_group

pytestmark = pytest.mark.slow


POD_NAMES = st.sampled_from([f"p{index}" for index in range(5)])
NODE_NAMES = st.sampled_from(["a", "b"])
LABEL_KEYS = st.frozensets(st.sampled_from(["row", "col", "zone"]))
REQUIRED, SLICES = "mizzen.dev/topology-required", "mizzen.dev/topology-slices"
ASKS: list[dict[str, str]] = [{}, {REQUIRED: "row"}, {REQUIRED: "row", SLICES: "col=2"}]
KUEUE, LWS = "kueue.x-k8s.io/pod-group", "leaderworkerset.sigs.k8s.io"
Said = tuple[dict[str, str], dict[str, str], dict[str, Any]]  # labels, annotations, spec
SAID: list[Said] = [
    ({}, {}, {}),
    *(({}, ask, {"gang": "g"}) for ask in ASKS),
    *(({"jobset.sigs.k8s.io/jobset-name": "js"}, ask, {}) for ask in ASKS[:2]),
    *(({f"{KUEUE}-name": "k"}, {f"{KUEUE}-total-count": n}, {}) for n in ("2", "3", "x")),
    *(({f"{LWS}/name": "l"}, {f"{LWS}/size": n}, {}) for n in ("2", "4")),
]


def named(name: str, namespace: str = "default", **spec: object) -> Obj:
    return {"metadata": {"name": name, "namespace": namespace, "uid": name}, "spec": spec}


def a_group(least: int) -> Obj:
    return named("g", schedulingPolicy={"gang": {"minCount": least}}, priorityClassName="high")


OBJECTS: list[tuple[Resource, Obj]] = [
    (POD_GROUPS, a_group(1)),
    (POD_GROUPS, a_group(2)),
    (JOB_SETS, named("js", replicatedJobs=[{"name": "w", "replicas": 2}])),
    (LEADER_WORKER_SETS, named("l", startupPolicy="LeaderReady")),
    (TOPOLOGIES, named("t", "", levels=[{"nodeLabel": "row"}, {"nodeLabel": "col"}])),
]


class Told(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.feed = Feed(CelSelectors())
        self.objects: dict[Resource, dict[Key, Obj]] = {}
        self.revision = 1
        self.keys: set[str] = set()  # of labels that nodes have had; one that is gone may come back

    def put(self, resource: Resource, obj: Obj) -> None:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self.objects.setdefault(resource, {})[key_of(obj)] = obj
        self.feed.upsert(resource, obj)

    def drop(self, resource: Resource, key: Key) -> None:
        if self.objects.get(resource, {}).pop(key, None) is not None:
            self.feed.delete(resource, key)

    @rule(name=POD_NAMES, said=st.sampled_from(SAID))
    def put_pod(self, name: str, said: Said) -> None:
        labels, annotations, more = said
        obj = pod(name, **more)
        obj["metadata"]["labels"].update(labels)
        obj["metadata"]["annotations"].update(annotations)
        self.put(PODS, obj)

    @rule(name=POD_NAMES)
    def drop_pod(self, name: str) -> None:
        self.drop(PODS, Key("default", name))

    @rule(entry=st.sampled_from(OBJECTS))
    def put_object(self, entry: tuple[Resource, Obj]) -> None:
        resource, obj = entry
        self.put(resource, {**obj, "metadata": dict(obj["metadata"])})

    @rule(entry=st.sampled_from(OBJECTS))
    def drop_object(self, entry: tuple[Resource, Obj]) -> None:
        self.drop(entry[0], key_of(entry[1]))

    @rule(name=NODE_NAMES, keys=LABEL_KEYS)
    def label_node(self, name: str, keys: frozenset[str]) -> None:
        self.keys |= keys
        self.put(NODES, node(name, labels=dict.fromkeys(keys, "x")))

    @rule(name=NODE_NAMES)
    def drop_node(self, name: str) -> None:
        self.drop(NODES, Key("", name))

    @rule(value=st.sampled_from([1, 2]))
    def put_class(self, value: int) -> None:
        metadata = {"name": "high", "uid": "high"}
        self.put(PRIORITY_CLASSES, {"metadata": metadata, "value": value})

    @invariant()
    def gangs_are_what_all_objects_say(self) -> None:
        said = [membership(obj) for obj in self.objects.get(PODS, {}).values()]
        classes = self.objects.get(PRIORITY_CLASSES, {}).values()
        around = Surroundings(
            self.objects,
            {obj["metadata"]["name"]: obj["value"] for obj in classes},
            lambda: [dict.fromkeys(self.keys, "")],
        )
        expected = gangs((m for m in said if m.refused is None), around)
        assert dict(self.feed.settle().gangs) == expected


TestTold = Told.TestCase
TestTold.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_nothing_is_kept_of_gangs_that_are_gone() -> None:
    world = World()
    world.known()
    for number in range(3):
        world.add(pod_group(f"g{number}", 1), pod("a", gang=f"g{number}", rank=0))
        world.run()
        world.end("a")
        world.known()
        del world.objects["PodGroup", f"g{number}"]
    world.known()
    assert not world.feed.gangs._owned
    assert not world.feed.cluster.gangs
