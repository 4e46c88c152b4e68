"""The book of gangs against the slow reading of everything."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.resources import POD_GROUPS, Resource
from mizzen.scheduler.core.conventions.book import GangBook
from mizzen.scheduler.core.conventions.gang import Gang, Membership
from mizzen.scheduler.core.conventions.gangs import Surroundings, gangs
from mizzen.scheduler.core.conventions.membership import membership
from mizzen.scheduler.core.conventions.watched import (
    JOB_SETS,
    LEADER_WORKER_SETS,
    TOPOLOGIES,
)

PODS = st.sampled_from([Key("ml", f"p{index}") for index in range(5)])
LABEL_KEYS = st.frozensets(st.sampled_from(["row", "col", "zone"]))


def said(labels: dict[str, str], annotations: dict[str, str], **spec: object) -> Membership:
    metadata = {"name": "p", "namespace": "ml", "labels": labels, "annotations": annotations}
    return membership({"metadata": metadata, "spec": {"containers": [], **spec}})


ASKS = [
    {},
    {"mizzen.dev/topology-required": "row"},
    {"mizzen.dev/topology-required": "row", "mizzen.dev/topology-slices": "col=2"},
]
MEMBERS = st.sampled_from(
    [
        said({}, {}),
        *(said({}, ask, schedulingGroup={"podGroupName": "g"}) for ask in ASKS),
        *(said({"jobset.sigs.k8s.io/jobset-name": "js"}, ask) for ask in ASKS[:2]),
        *(
            said(
                {"kueue.x-k8s.io/pod-group-name": "k"}, {"kueue.x-k8s.io/pod-group-total-count": n}
            )
            for n in ("2", "3", "x")
        ),
        *(
            said({"leaderworkerset.sigs.k8s.io/name": "l"}, {"leaderworkerset.sigs.k8s.io/size": n})
            for n in ("2", "4")
        ),
    ]
)


def named(name: str, namespace: str = "ml", **spec: object) -> Obj:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def a_group(least: int) -> Obj:
    return named("g", schedulingPolicy={"gang": {"minCount": least}}, priorityClassName="high")


OBJECTS: list[tuple[Resource, Obj]] = [
    (POD_GROUPS, a_group(1)),
    (POD_GROUPS, a_group(2)),
    (JOB_SETS, named("js", replicatedJobs=[{"name": "w", "replicas": 2}])),
    (LEADER_WORKER_SETS, named("l", startupPolicy="LeaderReady")),
    (TOPOLOGIES, named("t", "", levels=[{"nodeLabel": "row"}, {"nodeLabel": "col"}])),
]


class Book(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.book = GangBook()
        self.told: dict[Key, Gang] = {}
        self.pods: dict[Key, Membership] = {}
        self.objects: dict[Resource, dict[Key, Obj]] = {}
        self.nodes: dict[str, frozenset[str]] = {}
        self.classes: dict[str, int] = {}

    @rule(pod=PODS, member=MEMBERS)
    def set_pod(self, pod: Key, member: Membership) -> None:
        self.pods[pod] = member
        self.book.set_pod(pod, member)

    @rule(pod=PODS)
    def delete_pod(self, pod: Key) -> None:
        self.pods.pop(pod, None)
        self.book.delete_pod(pod)

    @rule(entry=st.sampled_from(OBJECTS))
    def set_object(self, entry: tuple[Resource, Obj]) -> None:
        resource, obj = entry
        self.objects.setdefault(resource, {})[key_of(obj)] = obj
        self.book.set_object(resource, obj)

    @rule(entry=st.sampled_from(OBJECTS))
    def delete_object(self, entry: tuple[Resource, Obj]) -> None:
        resource, obj = entry
        self.objects.get(resource, {}).pop(key_of(obj), None)
        self.book.delete_object(resource, key_of(obj))

    @rule(node=st.sampled_from(["a", "b"]), keys=LABEL_KEYS)
    def label_node(self, node: str, keys: frozenset[str]) -> None:
        self.book.change_labels(self.nodes.get(node, frozenset()), keys)
        self.nodes[node] = keys

    @rule(classes=st.sampled_from([{}, {"high": 1}, {"high": 2}]))
    def set_classes(self, classes: dict[str, int]) -> None:
        self.classes = classes
        self.book.set_classes(classes)

    @invariant()
    def changes_add_up_to_what_all_say(self) -> None:
        for key, gang in self.book.take_changes().items():
            if gang is None:
                del self.told[key]
            else:
                assert self.told.get(key) != gang, "no news"
                self.told[key] = gang
        around = Surroundings(
            self.objects,
            self.classes,
            lambda: [dict.fromkeys(keys, "") for keys in self.nodes.values()],
        )
        alive = (m for m in self.pods.values() if m.refused is None)
        assert self.told == gangs(alive, around)
        assert self.book.gangs == self.told
        assert not self.book.take_changes()


TestBook = Book.TestCase
TestBook.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
