"""Conventions in the product: owners, refusals and subgroups as decisions and conditions."""

from __future__ import annotations

from typing import Any

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.conventions.gangs import Surroundings, gangs
from mizzen.scheduler.core.conventions.membership import membership
from mizzen.scheduler.core.conventions.watched import HYPER_NODES, JOB_SETS, TOPOLOGIES
from mizzen.scheduler.core.units import units
from support.manifests import manifest
from support.scheduler_world import World, claim, node, pod, pod_group

JOBSET = manifest("""
    metadata: {name: js, namespace: default}
    spec:
      replicatedJobs:
      - {name: w, replicas: 2, template: {spec: {parallelism: 2, completions: 2}}}
""")


def add(world: World, name: str, labels: dict[str, str] | None = None, **more: Any) -> Obj:
    annotations = more.pop("annotations", {})
    obj = pod(name, claims=(name,), **more)
    obj["metadata"]["labels"].update(labels or {})
    obj["metadata"]["annotations"].update(annotations)
    world.add(claim(name), obj)
    return obj


def add_jobset_pods(world: World, jobs: int = 2) -> None:
    for job in range(jobs):
        for index in range(2):
            add(
                world,
                f"js-w-{job}-{index}",
                {
                    "jobset.sigs.k8s.io/jobset-name": "js",
                    "jobset.sigs.k8s.io/replicatedjob-name": "w",
                    "jobset.sigs.k8s.io/job-index": str(job),
                    "batch.kubernetes.io/job-completion-index": str(index),
                },
            )


def test_pods_of_a_jobset_start_together() -> None:
    world = World()
    world.others[JOB_SETS] = [JOBSET]
    add_jobset_pods(world, jobs=1)
    world.run()
    assert not world.bound()
    assert "2 of the 4 members" in world.condition("js-w-0-0")["message"]
    world = World()
    world.others[JOB_SETS] = [JOBSET]
    add_jobset_pods(world)
    world.run()
    bound = world.bound()
    assert len(bound) == 4
    assert len({device for held in bound.values() for device in held}) == 4


def test_without_their_jobset_they_wait_for_it() -> None:
    world = World()
    add_jobset_pods(world)
    (decision, *_) = world.run().decisions
    assert decision.unschedulable is not None
    assert decision.unschedulable.word == "JobSetMissing"
    assert 'JobSet "default/js" does not exist' in world.condition("js-w-1-1")["message"]


def test_two_gangs_on_one_pod_are_a_condition_on_it() -> None:
    world = World()
    world.add(pod_group("g", 1))
    add(world, "a", {"scheduling.x-k8s.io/pod-group": "h"}, gang="g")
    world.add_pods(["b"])
    plan = world.run()
    refused = [d.unschedulable for d in plan.decisions if d.unschedulable]
    assert [why.word for why in refused] == ["TwoGangs"]
    assert "keep one of them" in world.condition("a")["message"]
    assert list(world.bound()) == ["b"], "the rest goes on"


def test_a_contradiction_in_a_group_is_a_condition_on_its_pods_and_on_itself() -> None:
    world = World()
    group = pod_group("g", 3)
    group["metadata"]["annotations"] = {"mizzen.dev/max-count": "2"}
    world.add(group)
    world.add_pods(["g-0", "g-1", "g-2"], gang="g")
    world.run()
    assert not world.bound()
    assert "raise the maximum" in world.condition("g-1")["message"]
    (told,) = world.get("PodGroup", "g")["status"]["conditions"]
    assert told["status"] == "False" and "raise the maximum" in told["message"]


def test_a_level_on_no_node_is_refused() -> None:
    world = World()
    group = pod_group("g", 1)
    group["spec"]["schedulingConstraints"] = {"topology": [{"key": "example.com/row"}]}
    world.add(group)
    world.add_pods(["g-0"], gang="g")
    world.run()
    assert 'no node carries the label "example.com/row"' in world.condition("g-0")["message"]
    world.nodes = [node(labels={"example.com/row": "a"})]
    world.nodes[0]["metadata"]["resourceVersion"] = "2"
    world.run()
    assert list(world.bound()) == ["g-0"]


def test_no_more_run_than_the_maximum() -> None:
    world = World()
    group = pod_group("g", 1)
    group["metadata"]["annotations"] = {"mizzen.dev/max-count": "2"}
    world.add(group)
    world.add_pods(["g-0", "g-1", "g-2"], gang="g")
    world.run()
    assert sorted(world.bound()) == ["g-0", "g-1"]
    assert "at most 2 members" in world.condition("g-2")["message"]
    assert not world.run().decisions


def with_subgroups(world: World, minimum: int, subgroups: str) -> None:
    group = pod_group("g", minimum)
    group["metadata"]["annotations"] = {"mizzen.dev/subgroups": subgroups}
    world.add(group)


def subgroup(name: str) -> dict[str, str]:
    return {"mizzen.dev/subgroup": name}


def test_the_members_that_must_start_go_first() -> None:
    world = World()
    with_subgroups(world, 2, '[{"name": "leader", "minCount": 1}]')
    for name in ("a-0", "a-1", "a-2"):
        add(world, name, gang="g", annotations=subgroup("worker"))
    add(world, "z-leader", gang="g", annotations=subgroup("leader"))
    (unit,) = units(world.known().cluster)
    assert (unit.needed, unit.short_of) == (2, "")
    assert [p.key.name for p in unit.pods] == ["z-leader", "a-0", "a-1", "a-2"]


def test_a_gang_waits_for_members_of_every_subgroup() -> None:
    world = World()
    with_subgroups(world, 2, '[{"name": "leader", "minCount": 1}]')
    for name in ("a-0", "a-1"):
        add(world, name, gang="g", annotations=subgroup("worker"))
    world.run()
    assert not world.bound()
    assert 'subgroup "leader" has fewer members' in world.condition("a-0")["message"]


def test_parts_that_start_one_after_the_other_are_gangs_of_their_own() -> None:
    world = World()
    staged = {**JOBSET, "spec": {**JOBSET["spec"]}}
    staged["spec"]["startupPolicy"] = {"startupPolicyOrder": "InOrder"}
    world.others[JOB_SETS] = [staged]
    add_jobset_pods(world)
    (unit,) = units(world.known().cluster)
    assert unit.subject == 'subgroup "w" of gang "default/JobSet/js"'
    assert (unit.needed, unit.ready) == (4, 4)


def test_trees_come_from_topology_objects_and_hyper_nodes() -> None:
    world = World()
    world.nodes = [node(labels={"row": "a", "col": "b"})]
    world.others[TOPOLOGIES] = [
        manifest("""
            metadata: {name: own}
            spec: {levels: [{nodeLabel: row}, {nodeLabel: col}]}
        """)
    ]
    world.others[HYPER_NODES] = [
        manifest("""
            metadata: {name: s0}
            spec: {tier: 1, members: [{type: Node, selector: {exactMatch: {name: n1}}}]}
        """)
    ]
    group = pod_group("g", 1)
    group["metadata"]["annotations"] = {
        "mizzen.dev/topology-required": "row",
        "mizzen.dev/topology-slices": "col=1",
    }
    world.add(group)
    world.add_pods(["g-0"], gang="g")
    cluster = world.known().cluster
    gang = cluster.gangs[Key("default", "g")]
    assert gang.refused is None and gang.tree is not None and gang.tree.name == "own"
    assert cluster.node("n1").labels["hypernode.volcano.sh/tier-1"] == "s0"


def test_labels_of_nodes_are_not_read_unless_a_gang_asks_for_topology() -> None:
    def labels() -> list[dict[str, str]]:
        raise AssertionError("read")

    plain = membership(
        manifest("""
            metadata:
              name: a
              namespace: ml
              labels: {kueue.x-k8s.io/pod-group-name: g}
              annotations: {kueue.x-k8s.io/pod-group-total-count: "2"}
            spec: {containers: []}
        """)
    )
    assert len(gangs([plain, plain], Surroundings({}, labels=labels))) == 1
