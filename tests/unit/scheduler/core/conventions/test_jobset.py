"""JobSet: counts from the object, places from its pods' labels."""

from __future__ import annotations

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.conventions.gang import Subgroup
from mizzen.scheduler.core.conventions.membership import gang_of, membership
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.conventions.watched import JOB_SETS, owner_of
from support.manifests import manifest

KEY = Key("ml", "JobSet/llama")


def jobset(top: str = "", driver: str = "", annotations: str = "") -> Obj:
    return manifest(f"""
        apiVersion: jobset.x-k8s.io/v1alpha2
        kind: JobSet
        metadata:
          name: llama
          namespace: ml
          annotations: {{{annotations}}}
        spec:
          {top}
          replicatedJobs:
          - name: driver
            {driver}
            template: {{spec: {{template: {{spec: {{containers: []}}}}}}}}
          - name: workers
            replicas: 2
            template:
              spec:
                parallelism: 8
                completions: 8
                template: {{spec: {{containers: []}}}}
    """)


def pod(job: int, index: int, annotations: str = "") -> Obj:
    return manifest(f"""
        apiVersion: v1
        kind: Pod
        metadata:
          name: llama-workers-{job}-{index}-x2x4z
          namespace: ml
          labels:
            jobset.sigs.k8s.io/jobset-name: llama
            jobset.sigs.k8s.io/replicatedjob-name: workers
            jobset.sigs.k8s.io/job-index: "{job}"
            batch.kubernetes.io/job-completion-index: "{index}"
          annotations: {{{annotations}}}
        spec: {{containers: []}}
    """)


def test_all_jobs_are_one_gang() -> None:
    found = membership(pod(1, 5))
    assert (found.gang, found.subgroup, found.order) == (KEY, "workers", (1, 5))
    assert found.needs_owner and owner_of(KEY) == (JOB_SETS, Key("ml", "llama"))
    gang = gang_of(KEY, jobset(), ())
    assert (gang.key, gang.min_count, gang.count) == (KEY, 17, 17)
    assert gang.subgroups == (Subgroup("driver", 1, 1), Subgroup("workers", 16, 16))


def test_jobs_that_start_in_order_are_gangs_one_by_one() -> None:
    for staged in (
        jobset(top="startupPolicy: {startupPolicyOrder: InOrder}"),
        jobset(driver="dependsOn: [{name: workers, status: Ready}]"),
    ):
        gang = gang_of(KEY, staged, ())
        assert gang.min_count == 0
        assert [part.min_count for part in gang.subgroups] == [1, 16]


def test_exclusive_jobs_start_with_their_first_pods() -> None:
    key = "cloud.google.com/gke-nodepool"
    annotation = f"alpha.jobset.sigs.k8s.io/exclusive-topology: {key}"
    gang = gang_of(KEY, jobset(annotations=annotation), ())
    own = TopologyRequest(required=key, exclusive=key)
    assert gang.min_count == 3 and gang.count == 17
    assert gang.subgroups[1:] == (
        Subgroup("workers-0", 1, 8, own),
        Subgroup("workers-1", 1, 8, own),
    )
    assert membership(pod(1, 5, annotation)).subgroup == "workers-1"


def test_with_node_selectors_jobset_chooses_the_nodes_itself() -> None:
    annotations = (
        "alpha.jobset.sigs.k8s.io/exclusive-topology: rack,"
        ' alpha.jobset.sigs.k8s.io/node-selector: "true"'
    )
    gang = gang_of(KEY, jobset(annotations=annotations), ())
    assert gang.min_count == 17
    assert all(part.topology is None for part in gang.subgroups)
    assert membership(pod(1, 5, annotations)).subgroup == "workers"


def test_kueue_topology_is_that_of_a_replicated_job() -> None:
    first = membership(pod(0, 0, "kueue.x-k8s.io/podset-required-topology: block"))
    assert first.described is not None
    gang = gang_of(KEY, jobset(), [first.described])
    assert gang.subgroup("workers") == Subgroup("workers", 16, 16, TopologyRequest("block"))
    assert gang.topology is None and gang.refused is None


def test_fewer_completions_than_parallelism() -> None:
    short = jobset()
    short["spec"]["replicatedJobs"][1]["template"]["spec"]["completions"] = 3
    assert gang_of(KEY, short, ()).min_count == 7
