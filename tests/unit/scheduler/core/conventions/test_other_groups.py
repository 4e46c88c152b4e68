"""Coscheduling's and KAI's PodGroups, and plain Jobs that ask for topology."""

from __future__ import annotations

from mizzen.base.objects import Key
from mizzen.base.resources import JOBS
from mizzen.scheduler.core.conventions import coscheduling, kai
from mizzen.scheduler.core.conventions.gang import ALONE, Subgroup
from mizzen.scheduler.core.conventions.membership import gang_of, membership
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.conventions.watched import (
    COSCHEDULING_POD_GROUPS,
    KAI_POD_GROUPS,
    owner_of,
)
from support.manifests import manifest


def test_coscheduling() -> None:
    pod = manifest("""
        metadata: {name: a, namespace: ml, labels: {scheduling.x-k8s.io/pod-group: nginx}}
        spec: {containers: []}
    """)
    key = membership(pod).gang
    assert key == Key("ml", "CoschedulingPodGroup/nginx")
    assert owner_of(key) == (COSCHEDULING_POD_GROUPS, Key("ml", "nginx"))
    group = manifest("""
        apiVersion: scheduling.x-k8s.io/v1alpha1
        kind: PodGroup
        metadata: {name: nginx, namespace: ml}
        spec: {minMember: 3, scheduleTimeoutSeconds: 10}
    """)
    gang = coscheduling.gang(group)
    assert (gang.key, gang.min_count) == (key, 3)


KAI_GROUP = """
    apiVersion: scheduling.run.ai/v2alpha2
    kind: PodGroup
    metadata: {name: sample, namespace: ml}
    spec:
      minMember: 4
      topologyConstraint: {topology: t, requiredTopologyLevel: zone, preferredTopologyLevel: rack}
      subGroups:
      - {name: a, minMember: 3, topologyConstraint: {requiredTopologyLevel: rack}}
      - {name: b, minMember: 2}
"""


def test_kai() -> None:
    pod = manifest("""
        metadata:
          name: a1
          namespace: ml
          annotations: {pod-group-name: sample}
          labels: {kai.scheduler/subgroup-name: a}
        spec: {containers: []}
    """)
    found = membership(pod)
    assert found.gang is not None and found.subgroup == "a"
    assert owner_of(found.gang) == (KAI_POD_GROUPS, Key("ml", "sample"))
    gang = gang_of(found.gang, manifest(KAI_GROUP), ())
    assert (gang.min_count, gang.topology) == (5, TopologyRequest("zone", "rack"))
    assert gang.subgroups == (Subgroup("a", 3, topology=TopologyRequest("rack")), Subgroup("b", 2))


def test_kai_subgroups_of_subgroups_are_refused() -> None:
    group = manifest(KAI_GROUP)
    group["spec"]["subGroups"][1]["parent"] = "a"
    refused = kai.gang(group).refused
    assert refused is not None and refused.word == "NestedSubgroups"
    assert "b" in refused.sentence


def test_a_job_is_a_gang_where_its_pods_ask_for_topology() -> None:
    text = """
        metadata: {{name: j-0, namespace: ml, labels: {{batch.kubernetes.io/job-name: j}},
          annotations: {{{0}}}}}
        spec: {{containers: []}}
    """
    assert membership(manifest(text.format(""))) == ALONE
    found = membership(manifest(text.format("kueue.x-k8s.io/podset-required-topology: rack")))
    assert found.gang == Key("ml", "Job/j") and found.described is not None
    assert owner_of(found.gang) == (JOBS, Key("ml", "j"))
    job = manifest("""
        metadata: {name: j, namespace: ml}
        spec: {parallelism: 8, completions: 8}
    """)
    gang = gang_of(found.gang, job, [found.described])
    assert (gang.min_count, gang.topology) == (8, TopologyRequest("rack"))


def test_a_pod_alone_is_in_one_domain_anyhow() -> None:
    pod = manifest("""
        metadata: {name: a, namespace: ml, annotations: {mizzen.dev/topology-required: rack}}
        spec: {containers: []}
    """)
    assert membership(pod) == ALONE
