"""LeaderWorkerSet: every group a gang, told by its pods, corrected by the object."""

from __future__ import annotations

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.conventions.gang import Subgroup
from mizzen.scheduler.core.conventions.membership import gang_of, membership
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.conventions.watched import LEADER_WORKER_SETS, owner_of
from support.manifests import manifest

KEY = Key("ml", "LeaderWorkerSet/vllm-2")


def pod(index: int, annotations: str = "", labels: str = "") -> Obj:
    return manifest(f"""
        apiVersion: v1
        kind: Pod
        metadata:
          name: vllm-2-{index}
          namespace: ml
          labels:
            leaderworkerset.sigs.k8s.io/name: vllm
            leaderworkerset.sigs.k8s.io/group-index: "2"
            leaderworkerset.sigs.k8s.io/worker-index: "{index}"
            {labels}
          annotations:
            leaderworkerset.sigs.k8s.io/size: "4"
            {annotations}
        spec: {{containers: []}}
    """)


def lws(**spec: object) -> Obj:
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "vllm", "namespace": "ml"},
        "spec": {"replicas": 3, "leaderWorkerTemplate": {"size": 4}, **spec},
    }


def test_a_group_is_a_gang_told_by_its_pods_alone() -> None:
    found = membership(pod(3))
    assert (found.gang, found.order, found.needs_owner) == (KEY, (3,), False)
    assert owner_of(KEY) == (LEADER_WORKER_SETS, Key("ml", "vllm"))
    assert found.described is not None
    gang = gang_of(KEY, None, [found.described])
    assert (gang.min_count, gang.count, gang.disruption) == (4, 4, "PodGroup")


def test_workers_made_after_a_ready_leader_cannot_be_waited_for() -> None:
    described = membership(pod(0)).described
    assert described is not None
    gang = gang_of(KEY, lws(startupPolicy="LeaderReady"), [described])
    assert (gang.min_count, gang.count) == (1, 4)
    assert gang_of(KEY, lws(startupPolicy="LeaderCreated"), [described]).min_count == 4


def test_lone_restarts_let_preemption_take_single_pods() -> None:
    described = membership(pod(0)).described
    assert described is not None
    template = {"size": 4, "restartPolicy": "None"}
    assert gang_of(KEY, lws(leaderWorkerTemplate=template), [described]).disruption == "Pod"
    assert gang_of(KEY, lws(), [described]).disruption == "PodGroup"


def test_an_exclusive_group_begins_with_its_leader() -> None:
    found = membership(pod(0, "leaderworkerset.sigs.k8s.io/exclusive-topology: rack"))
    assert found.described is not None
    gang = gang_of(KEY, lws(), [found.described])
    assert (gang.min_count, gang.count) == (1, 4)
    assert gang.topology == TopologyRequest(required="rack", exclusive="rack")


def test_subgroups_of_their_own_domains() -> None:
    notes = (
        "leaderworkerset.sigs.k8s.io/subgroup-exclusive-topology: rack\n"
        '            leaderworkerset.sigs.k8s.io/subgroup-size: "2"'
    )
    pods = [
        pod(index, notes, f'leaderworkerset.sigs.k8s.io/subgroup-index: "{index // 2}"')
        for index in range(4)
    ]
    found = [membership(p) for p in pods]
    assert [m.subgroup for m in found] == ["0", "0", "1", "1"]
    gang = gang_of(KEY, lws(), [m.described for m in found if m.described])
    own = TopologyRequest(required="rack", exclusive="rack")
    assert gang.min_count == 4
    assert gang.subgroups == (Subgroup("0", 0, 2, own), Subgroup("1", 0, 2, own))


def test_leader_and_workers_may_ask_for_different_topology() -> None:
    leader = membership(pod(0, "kueue.x-k8s.io/podset-preferred-topology: rack"))
    worker = membership(pod(1, "kueue.x-k8s.io/podset-required-topology: rack"))
    described = [m.described for m in (leader, worker) if m.described]
    gang = gang_of(KEY, lws(), described)
    assert gang.subgroup("leader") == Subgroup("leader", topology=TopologyRequest(preferred="rack"))
    assert gang.subgroup("workers") == Subgroup("workers", topology=TopologyRequest("rack"))


def test_a_size_that_is_none_is_refused() -> None:
    bad = pod(0)
    bad["metadata"]["annotations"]["leaderworkerset.sigs.k8s.io/size"] = "four"
    refused = membership(bad).refused
    assert refused is not None and refused.word == "InvalidCount"


def test_pods_that_disagree_about_the_size_are_refused() -> None:
    other = pod(1)
    other["metadata"]["annotations"]["leaderworkerset.sigs.k8s.io/size"] = "5"
    described = [m.described for m in map(membership, (pod(0), other)) if m.described]
    gang = gang_of(KEY, lws(), described)
    assert gang.refused is not None and gang.refused.word == "InvalidCount"
