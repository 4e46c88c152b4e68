"""Volcano: PodGroup, Job, tasks, tiers of HyperNodes."""

from __future__ import annotations

import time

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.conventions import hyper_nodes, volcano
from mizzen.scheduler.core.conventions.gang import Subgroup
from mizzen.scheduler.core.conventions.membership import gang_of, membership
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.conventions.watched import VOLCANO_JOBS, owner_of
from support.manifests import manifest


def pod(annotations: str, labels: str = "") -> Obj:
    return manifest(f"""
        metadata:
          name: train-worker-1
          namespace: ml
          labels: {{{labels}}}
          annotations: {{{annotations}}}
        spec: {{containers: []}}
    """)


def group(spec: str) -> Obj:
    return manifest(f"""
        apiVersion: scheduling.volcano.sh/v1beta1
        kind: PodGroup
        metadata: {{name: train, namespace: ml}}
        spec: {{minMember: 3, {spec}}}
    """)


def test_a_pod_names_its_group_and_task() -> None:
    for key in ("scheduling.k8s.io/group-name", "scheduling.volcano.sh/group-name"):
        found = membership(
            pod(f'{key}: train, volcano.sh/task-spec: worker, volcano.sh/task-index: "1"')
        )
        assert found.gang == Key("ml", "VolcanoPodGroup/train")
        assert (found.subgroup, found.order) == ("worker", (1,))


def test_two_names_are_refused() -> None:
    both = "scheduling.k8s.io/group-name: a, scheduling.volcano.sh/group-name: b"
    refused = membership(pod(both)).refused
    assert refused is not None and refused.word == "TwoGangs"


def test_members_and_members_of_tasks() -> None:
    gang = volcano.gang(group("minTaskMember: {ps: 1, worker: 4}, priorityClassName: p"), {"p": 9})
    assert (gang.min_count, gang.priority) == (5, 9)
    assert gang.subgroups == (Subgroup("ps", 1), Subgroup("worker", 4))
    assert volcano.gang(group("")).min_count == 3


def test_hard_topology_takes_the_lowest_tier_up_to_the_highest_allowed() -> None:
    gang = volcano.gang(group("networkTopology: {mode: hard, highestTierAllowed: 2}"))
    assert gang.topology == TopologyRequest(hyper_nodes.tier_key(2), hyper_nodes.tier_key(1))
    named = volcano.gang(group("networkTopology: {highestTierName: rack}"))
    assert named.topology is not None
    assert named.topology.required == hyper_nodes.tier_name_key("rack")


def test_soft_topology_is_preferred_only() -> None:
    gang = volcano.gang(group("networkTopology: {mode: soft, highestTierAllowed: 2}"))
    assert gang.topology == TopologyRequest(preferred=hyper_nodes.tier_key(1))


def test_subgroup_policies_by_task() -> None:
    gang = volcano.gang(
        group("""subGroupPolicy: [{name: p, subGroupSize: 4, minSubGroups: 2,
            labelSelector: {matchLabels: {volcano.sh/task-spec: worker}},
            networkTopology: {mode: hard, highestTierAllowed: 1}}]""")
    )
    slices = TopologyRequest(subgroup_size=4, subgroup_required=hyper_nodes.tier_key(1))
    assert gang.subgroups == (Subgroup("worker", 8, topology=slices),)
    assert gang.min_count == 8


def test_a_policy_without_selector_is_about_all() -> None:
    gang = volcano.gang(
        group("""networkTopology: {mode: hard, highestTierAllowed: 2},
            subGroupPolicy: [{name: p, subGroupSize: 4,
            networkTopology: {mode: hard, highestTierAllowed: 1}}]""")
    )
    low, high = hyper_nodes.tier_key(1), hyper_nodes.tier_key(2)
    assert gang.topology == TopologyRequest(high, low, 4, low)


def test_other_selectors_are_refused() -> None:
    gang = volcano.gang(group("subGroupPolicy: [{name: p, matchLabelKeys: [shard]}]"))
    assert gang.refused is not None and gang.refused.word == "SubGroupPolicyNotSupported"


def test_pods_of_a_job_without_a_group() -> None:
    key = membership(pod("", "volcano.sh/job-name: train")).gang
    assert key == Key("ml", "VolcanoJob/train")
    assert owner_of(key) == (VOLCANO_JOBS, Key("ml", "train"))
    job = manifest("""
        apiVersion: batch.volcano.sh/v1alpha1
        kind: Job
        metadata: {name: train, namespace: ml}
        spec:
          minAvailable: 3
          tasks: [{name: ps, replicas: 1}, {name: worker, replicas: 4, minAvailable: 3}]
    """)
    gang = gang_of(key, job, ())
    assert (gang.min_count, gang.count) == (3, 5)
    assert gang.subgroups == (Subgroup("ps", 0, 1), Subgroup("worker", 3, 4))


HYPER_NODES = [
    manifest("""
        metadata: {name: s0}
        spec: {tier: 1, tierName: rack, members: [
          {type: Node, selector: {exactMatch: {name: n0}}},
          {type: Node, selector: {regexMatch: {pattern: "^n[12]$"}}}]}
    """),
    manifest("""
        metadata: {name: s1}
        spec: {tier: 1, members: [
          {type: Node, selector: {labelMatch: {matchLabels: {rack: b}}}}]}
    """),
    manifest("""
        metadata: {name: top}
        spec: {tier: 2, members: [{type: HyperNode, selector: {regexMatch: {pattern: "^s"}}},
          {type: HyperNode, selector: {exactMatch: {name: top}}}]}
    """),
]
NODES = {"n0": {}, "n1": {}, "n2": {}, "n3": {"rack": "b"}, "n9": {}}


def test_tiers_are_levels_the_highest_outermost() -> None:
    tree = hyper_nodes.tree(HYPER_NODES)
    assert tree.levels == tuple(
        f"hypernode.volcano.sh/{level}" for level in ("tier-2", "tier-1", "tier-name-rack")
    )


def test_nodes_get_the_hypernodes_they_are_in() -> None:
    found = hyper_nodes.labels(HYPER_NODES, NODES)
    one, two, name = (
        f"hypernode.volcano.sh/{level}" for level in ("tier-1", "tier-2", "tier-name-rack")
    )
    assert found["n1"] == {one: "s0", two: "top", name: "s0"}
    assert found["n3"] == {one: "s1", two: "top"}
    assert "n9" not in found


def test_a_pattern_that_is_none_selects_nothing() -> None:
    bad = manifest("""
        metadata: {name: s}
        spec: {tier: 1, members: [{type: Node, selector: {regexMatch: {pattern: "("}}}]}
    """)
    assert hyper_nodes.labels([bad], NODES) == {}


def test_patterns_take_time_linear_in_names() -> None:
    hostile = manifest("""
        metadata: {name: s}
        spec: {tier: 1, members: [{type: Node, selector: {regexMatch: {pattern: "([a-z0-9-]+)+!"}}}]}
    """)
    begun = time.process_time()
    assert hyper_nodes.labels([hostile], {"a" * 60: {}}) == {}
    assert time.process_time() - begun < 1


def test_a_long_chain_of_hypernodes_is_followed_to_its_end() -> None:
    def link(number: int) -> Obj:
        below = {"type": "HyperNode", "selector": {"exactMatch": {"name": f"h{number + 1}"}}}
        return {"metadata": {"name": f"h{number}"}, "spec": {"tier": 1, "members": [below]}}

    leaf = {"type": "Node", "selector": {"exactMatch": {"name": "n0"}}}
    last = {"metadata": {"name": "h1200"}, "spec": {"tier": 1, "members": [leaf]}}
    begun = time.process_time()
    found = hyper_nodes.labels([*map(link, range(1200)), last], NODES)
    assert found == {"n0": {"hypernode.volcano.sh/tier-1": "h0"}}
    assert time.process_time() - begun < 5
