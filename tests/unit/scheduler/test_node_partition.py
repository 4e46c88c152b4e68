"""What the scheduler is shown of a shared cluster, event by event, is what the rule says at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.objects import Key, Obj, key_of, name_of
from mizzen.base.resources import NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.client.informer import Informer, _Listed
from mizzen.client.kubeconfig import Connection
from mizzen.host.clock import RealClock
from mizzen.scheduler.core.shared_cluster.handover import Handover, without_taint
from mizzen.scheduler.node_partition import NodePartition, Overlapping
from unit.scheduler.core.shared_cluster.test_handover import OURS, TAINT, claim, item, node, pod

WATCHED = (NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES)
NAMES = ("a", "b")


def nodes(name: str) -> list[Obj]:
    return [node(name), node(name, OURS), node(name, OURS, TAINT), node(name, {"rack": "r"}, TAINT)]


def pods(name: str) -> list[Obj]:
    return [
        pod(name),
        pod(name, "", "default-scheduler"),
        *(
            pod(name, where, scheduler, *claims)
            for where in NAMES
            for scheduler in ("mizzen", "default-scheduler")
            for claims in ((), ("c",))
        ),
    ]


def slices(name: str) -> list[Obj]:
    specs: list[Obj] = [{"nodeName": "a"}, {"nodeName": "b"}, {"allNodes": True}]
    made = [item(None, **spec) for spec in specs] + [item(OURS, allNodes=True)]
    return [{**one, "metadata": {**one["metadata"], "name": name}} for one in made]


CHOICES: list[tuple[Any, Obj]] = [
    *((NODES, obj) for name in NAMES for obj in nodes(name)),
    *((PODS, obj) for name in ("p", "q") for obj in pods(name)),
    *((RESOURCE_SLICES, obj) for name in ("s", "t") for obj in slices(name)),
    (RESOURCE_CLAIMS, claim("c", "d0")),
]
STEPS = st.lists(st.tuples(st.sampled_from(CHOICES), st.booleans()), max_size=25)


class Cluster:
    """Informers that are told by hand what a server would tell."""

    def __init__(self) -> None:
        client = Client(Connection("http://127.0.0.1:1"), user_agent="test")
        self.informers = {resource: Informer(client, resource) for resource in WATCHED}
        self.partition = NodePartition(self.informers, Silent(client, "test", RealClock()))
        self.revision = 0
        for informer in self.informers.values():
            informer._end_list(_Listed(), 1)

    def tell(self, resource: Any, obj: Obj, is_deleted: bool) -> None:
        self.revision += 1
        metadata = {**obj["metadata"], "resourceVersion": str(self.revision)}
        told = {**obj, "metadata": metadata}
        self.informers[resource]._change("DELETED" if is_deleted else "MODIFIED", told)

    def expected(self) -> dict[Any, dict[Key, Obj]]:
        """The rule applied to everything there is, from nothing."""
        objects = {resource: informer.objects for resource, informer in self.informers.items()}
        rule = Handover(objects[RESOURCE_CLAIMS])
        for each in objects[NODES].values():
            rule.learn_node(each)
        for each in objects[PODS].values():
            rule.learn_pod(each)
        return {
            NODES: {
                k: without_taint(n) for k, n in objects[NODES].items() if rule.is_ours(name_of(n))
            },
            PODS: {k: p for k, p in objects[PODS].items() if rule.shows_pod(p)},
            RESOURCE_SLICES: {
                k: s for k, s in objects[RESOURCE_SLICES].items() if rule.shows_slice(s)
            },
        }


class Silent(EventRecorder):
    """Events have no server to go to here; what they say is tested beside a real one."""

    def event(self, obj: Obj, type: Any, reason: str, message: str) -> None:
        assert type == "Warning" and reason and message


@settings(max_examples=150, deadline=None)
@given(STEPS)
async def test_shown_is_what_the_rule_says_of_everything(steps: Any) -> None:
    cluster = Cluster()
    # Claims are looked up as pods are learned: one that is seen later changes nothing by itself.
    cluster.tell(RESOURCE_CLAIMS, claim("c", "d0"), False)
    await cluster.partition.wait_published()
    sources = cluster.partition.sources
    told: dict[Any, dict[Key, Obj]] = {resource: {} for resource in (NODES, PODS, RESOURCE_SLICES)}

    def follow(resource: Any) -> Any:
        def handle(type: str, old: Obj | None, new: Obj) -> None:
            key = key_of(new)
            assert (old is None) == (type == "ADDED") == (key not in told[resource])
            if type == "DELETED":
                del told[resource][key]
            else:
                told[resource][key] = new

        return handle

    for resource in told:
        sources[resource].add_handler(follow(resource))
    for (resource, obj), is_deleted in steps:
        if resource != RESOURCE_CLAIMS:
            cluster.tell(resource, obj, is_deleted)
        expected = cluster.expected()
        for shown, objects in expected.items():
            assert dict(sources[shown].objects) == objects
        assert told == expected, "handlers hear of all that is shown and hidden"


async def test_an_overlap_at_the_start_is_refused_with_every_place_and_remedy() -> None:
    cluster = Cluster()
    cluster.tell(NODES, node("a", OURS), False)
    cluster.tell(NODES, node("b", OURS), False)
    with pytest.raises(Overlapping) as caught:
        await cluster.partition.wait_published()
    lines = str(caught.value).splitlines()
    assert [line.split(" is ")[0] for line in lines[1:]] == ['- Node "a"', '- Node "b"']
    assert "kubectl taint node a mizzen.dev/scheduler=mizzen:NoSchedule" in lines[1]
