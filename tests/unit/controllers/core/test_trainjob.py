import json

import pytest

from mizzen.base.names import (
    AWAITS_GENERATION,
    FORMATION_GENERATION,
    FORMATION_SIZE,
    JOBSET_NAME,
    JOIN_READY,
    MAX_NODES,
    MIN_NODES,
    PROGRESS,
    REPLICATED_JOB_NAME,
    WAITING,
)
from mizzen.base.operations import Create, Patch
from mizzen.base.resources import (
    CLUSTER_TRAINING_RUNTIMES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIMS,
    TRAIN_JOBS,
)
from mizzen.controllers.core.bootstrap import defaults
from mizzen.controllers.core.trainjob import CONTROLLER
from support.controlled import SECOND, Cluster, condition


def job(name="t", nodes=3, low=1, **spec):
    annotations = {MIN_NODES: str(low), MAX_NODES: str(nodes)} if low else {}
    return {
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {
            "runtimeRef": {"name": "jax-distributed"},
            "trainer": {
                "numNodes": nodes,
                "command": ["python", "train.py"],
                "env": [{"name": "A", "value": "1"}],
                "resourcesPerNode": {"limits": {"mizzen.dev/cpu-core": 1, "memory": "1Gi"}},
            },
            **spec,
        },
    }


@pytest.fixture
def cluster():
    made = Cluster(CONTROLLER)
    for create in defaults():
        made.add(create.resource, create.object)
    return made


def start(cluster, name="t", ranks=(0, 1, 2), **kwargs):
    """A job whose ranks are bound, run and wait to join."""
    cluster.add(TRAIN_JOBS, job(name, **kwargs))
    cluster.settle(name)
    for rank in ranks:
        bind(cluster, rank, name)
    cluster.settle(name)


def bind(cluster, rank, name="t", ready=True):
    status = {"phase": "Running", "conditions": [condition(JOIN_READY, str(ready))]}
    cluster.change(PODS, f"{name}-node-0-{rank}", {"spec": {"nodeName": "n"}, "status": status})


def formation(cluster, rank, name="t"):
    annotations = cluster.get(PODS, f"{name}-node-0-{rank}")["metadata"]["annotations"]
    return annotations.get(FORMATION_GENERATION), annotations.get(FORMATION_SIZE)


def evict(cluster, rank, name="t"):
    """As the scheduler does: marked, with the condition that says why."""
    pod = cluster.get(PODS, f"{name}-node-0-{rank}")
    conditions = [*pod["status"]["conditions"], condition("DisruptionTarget")]
    mark = {"deletionTimestamp": "2027-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
    cluster.change(
        PODS, pod["metadata"]["name"], {"metadata": mark, "status": {"conditions": conditions}}
    )


def job_condition(cluster, kind, name="t"):
    found = cluster.get(TRAIN_JOBS, name).get("status", {}).get("conditions", [])
    return next((c for c in found if c["type"] == kind), None)


def test_everything_is_made_in_one_plan(cluster):
    cluster.add(TRAIN_JOBS, job())
    actions = cluster.reconcile("t")
    assert [a.resource.kind for a in actions if isinstance(a, Create)] == [
        "PodGroup",
        *["ResourceClaim", "Pod"] * 3,
    ]
    assert cluster.settle("t") == 1  # the counts of the new pods
    group = cluster.get(POD_GROUPS, "t")
    assert group["spec"]["schedulingPolicy"] == {"gang": {"minCount": 1}}
    assert group["spec"]["priorityClassName"] == "mizzen-training"


def test_a_pod_follows_upstreams_contract(cluster):
    start(cluster, ranks=())
    pod = cluster.get(PODS, "t-node-0-1")
    spec = pod["spec"]
    labels = pod["metadata"]["labels"]
    assert labels[JOBSET_NAME] == "t"
    assert labels[REPLICATED_JOB_NAME] == "node"
    assert pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == "1"
    assert (spec["hostname"], spec["subdomain"]) == ("t-node-0-1", "t")
    assert spec["schedulingGroup"] == {"podGroupName": "t"}
    assert spec["priorityClassName"] == "mizzen-training"
    container = spec["containers"][0]
    assert container["image"] == "mizzen.dev/python"
    assert container["command"] == ["python", "train.py"]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert env == {
        "A": "1",
        "MIZZEN_COORDINATOR": "t-node-0-0.t:29500",
        "MIZZEN_SIZE_MAX": "3",
        "JAX_NUM_PROCESSES": "3",
        "JAX_PROCESS_ID": "1",
        "JAX_COORDINATOR_ADDRESS": "t-node-0-0.t:29500",
    }


def test_extended_resources_become_a_claim_of_the_pods_own(cluster):
    start(cluster, ranks=())
    container = cluster.get(PODS, "t-node-0-0")["spec"]["containers"][0]
    assert container["resources"] == {
        "limits": {"memory": "1Gi"},
        "claims": [{"name": "devices"}],
    }
    reference = cluster.get(PODS, "t-node-0-0")["spec"]["resourceClaims"][0]
    claim = cluster.get(RESOURCE_CLAIMS, reference["resourceClaimName"])
    request = claim["spec"]["devices"]["requests"][0]["exactly"]
    assert request["deviceClassName"] == "cpu-core.mizzen.dev"
    assert request["count"] == 1
    assert len(set(cluster.names(RESOURCE_CLAIMS))) == 3


def test_not_elastic_means_all_or_nothing(cluster):
    start(cluster, low=None, ranks=(0, 1))
    assert cluster.get(POD_GROUPS, "t")["spec"]["schedulingPolicy"]["gang"]["minCount"] == 3
    assert formation(cluster, 0) == (None, None)
    bind(cluster, 2)
    cluster.settle("t")
    assert formation(cluster, 0) == ("1", "3")


def test_the_group_asks_for_the_topology_that_the_job_asks_for(cluster):
    wanted = job()
    wanted["metadata"]["annotations"] |= {
        "mizzen.dev/topology-required": "mizzen.dev/rack",
        "example.com/other": "x",
    }
    cluster.add(TRAIN_JOBS, wanted)
    cluster.settle("t")
    group = cluster.get(POD_GROUPS, "t")
    assert group["metadata"]["annotations"] == {"mizzen.dev/topology-required": "mizzen.dev/rack"}
    news = {
        "mizzen.dev/topology-required": None,
        "mizzen.dev/topology-preferred": "mizzen.dev/block",
    }
    cluster.change(TRAIN_JOBS, "t", {"metadata": {"annotations": news}})
    cluster.settle("t")
    group = cluster.get(POD_GROUPS, "t")
    assert group["metadata"]["annotations"] == {"mizzen.dev/topology-preferred": "mizzen.dev/block"}
    assert group["spec"]["schedulingPolicy"] == {"gang": {"minCount": 1}}


def test_a_formation_is_one_plan_for_all_its_ranks(cluster):
    start(cluster, ranks=())
    for rank in (0, 1):
        bind(cluster, rank)
    patches = [a for a in cluster.reconcile("t") if isinstance(a, Patch) and a.resource == PODS]
    assert [p.name for p in patches] == ["t-node-0-0", "t-node-0-1"]
    assert formation(cluster, 0) == formation(cluster, 1) == ("1", "2")


def test_shrink_tells_the_leaver_and_brings_its_rank_back_as_pending(cluster):
    start(cluster)
    evict(cluster, 2)
    cluster.settle("t")
    assert [formation(cluster, r) for r in (0, 1, 2)] == [("2", "2")] * 3
    old_claims = set(cluster.names(RESOURCE_CLAIMS))
    cluster.vanish(PODS, "t-node-0-2")
    cluster.settle("t")
    back = cluster.get(PODS, "t-node-0-2")
    assert "nodeName" not in back["spec"]
    assert formation(cluster, 2) == (None, None)
    assert formation(cluster, 0) == ("2", "2")
    new_claims = set(cluster.names(RESOURCE_CLAIMS))
    assert len(new_claims) == 3
    assert len(new_claims - old_claims) == 1  # a claim belongs to one incarnation


def test_grow_when_the_new_rank_is_ready(cluster):
    start(cluster, ranks=(0, 1))
    bind(cluster, 2, ready=False)
    cluster.settle("t")
    assert formation(cluster, 0) == ("1", "2")
    bind(cluster, 2)
    cluster.settle("t")
    assert [formation(cluster, r) for r in (0, 1, 2)] == [("2", "3")] * 3


def test_gang_restart(cluster):
    start(cluster)
    awaits = {"metadata": {"annotations": {AWAITS_GENERATION: "2"}}}
    for rank in (0, 1, 2):
        cluster.change(PODS, f"t-node-0-{rank}", awaits)
        bind(cluster, rank, ready=False)
    cluster.settle("t")
    assert formation(cluster, 0) == ("1", "3")
    for rank in (0, 1, 2):
        bind(cluster, rank)
    cluster.settle("t")
    assert formation(cluster, 0) == ("2", "3")


def test_complete_when_the_last_formation_succeeded(cluster):
    start(cluster, ranks=(0, 1))
    cluster.change(PODS, "t-node-0-0", {"status": {"phase": "Succeeded"}})
    cluster.settle("t")
    assert job_condition(cluster, "Complete") is None
    cluster.change(PODS, "t-node-0-1", {"status": {"phase": "Succeeded"}})
    cluster.settle("t")
    assert job_condition(cluster, "Complete")["status"] == "True"
    assert cluster.names(PODS) == ["t-node-0-0", "t-node-0-1"]  # the one that never ran is gone
    counts = cluster.get(TRAIN_JOBS, "t")["status"]["jobsStatus"][0]
    assert (counts["succeeded"], counts["active"]) == (2, 0)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_rank_lost_while_the_others_are_done_runs_again_with_them(cluster, lost):
    start(cluster, ranks=(0, 1))
    cluster.change(PODS, f"t-node-0-{1 - lost}", {"status": {"phase": "Succeeded"}})
    evict(cluster, lost)
    cluster.settle("t")
    cluster.vanish(PODS, f"t-node-0-{lost}")
    cluster.settle("t")
    assert all("status" not in cluster.get(PODS, f"t-node-0-{rank}") for rank in (0, 1))
    for rank in (0, 1):
        awaits = {"metadata": {"annotations": {AWAITS_GENERATION: "2"}}}
        cluster.change(PODS, f"t-node-0-{rank}", awaits)
        bind(cluster, rank)
    cluster.settle("t")
    assert formation(cluster, 0) == formation(cluster, 1) == ("2", "2")
    assert job_condition(cluster, "Complete") is None


def test_a_program_that_forms_nothing_completes(cluster):
    cluster.add(TRAIN_JOBS, job(nodes=2, low=0))
    cluster.settle("t")
    for rank in (0, 1):
        bind(cluster, rank, ready=False)
    for rank in (0, 1):
        assert job_condition(cluster, "Complete") is None
        cluster.change(PODS, f"t-node-0-{rank}", {"status": {"phase": "Succeeded"}})
        cluster.settle("t")
    assert job_condition(cluster, "Complete")["status"] == "True"


def test_a_failed_pod_fails_the_job_with_its_last_words(cluster):
    start(cluster)
    ended = {"terminated": {"exitCode": 1, "message": "ValueError: bad shape"}}
    status = {"phase": "Failed", "containerStatuses": [{"name": "node", "state": ended}]}
    cluster.change(PODS, "t-node-0-1", {"status": status})
    cluster.settle("t")
    failed = job_condition(cluster, "Failed")
    assert failed["reason"] == "PodFailed"
    assert "t-node-0-1" in failed["message"]
    assert "ValueError: bad shape" in failed["message"]
    assert cluster.get(PODS, "t-node-0-0")["metadata"]["deletionTimestamp"]


def test_an_evicted_pod_that_ends_failed_comes_back(cluster):
    start(cluster)
    status = {"phase": "Failed", "conditions": [condition("DisruptionTarget")]}
    cluster.change(PODS, "t-node-0-2", {"status": status})
    cluster.settle("t")
    assert job_condition(cluster, "Failed") is None
    assert "status" not in cluster.get(PODS, "t-node-0-2")


def test_unknown_runtime_is_told_and_mended(cluster):
    cluster.add(TRAIN_JOBS, job(runtimeRef={"name": "nope"}))
    cluster.settle("t")
    failed = job_condition(cluster, "Failed")
    assert failed["reason"] == "TrainingRuntimeNotSupported"
    assert failed["message"].startswith(
        'spec.runtimeRef: ClusterTrainingRuntime "nope" not found; there are: jax-distributed'
    )
    assert len(cluster.events) == 1
    assert cluster.names(PODS) == []
    runtime = cluster.get(CLUSTER_TRAINING_RUNTIMES, "jax-distributed")
    cluster.add(CLUSTER_TRAINING_RUNTIMES, {"metadata": {"name": "nope"}, "spec": runtime["spec"]})
    cluster.settle("t")
    assert job_condition(cluster, "Failed")["status"] == "False"
    assert len(cluster.names(PODS)) == 3


@pytest.mark.parametrize(
    ("nodes", "annotations", "message"),
    [
        (1, {MIN_NODES: "2"}, "numNodes: 1 is below annotation mizzen.dev/min-nodes: 2"),
        (4, {MAX_NODES: "3"}, "numNodes: 4 is above annotation mizzen.dev/max-nodes: 3"),
        (4, {MIN_NODES: "few"}, "'few' is not a number"),
    ],
)
def test_contradicting_elasticity_is_told(cluster, nodes, annotations, message):
    body = job(nodes=nodes)
    body["metadata"]["annotations"] = annotations
    cluster.add(TRAIN_JOBS, body)
    cluster.settle("t")
    assert message in job_condition(cluster, "Failed")["message"]


def test_suspend_stops_and_resume_begins_again(cluster):
    start(cluster)
    cluster.change(TRAIN_JOBS, "t", {"spec": {"suspend": True}})
    cluster.settle("t")
    assert job_condition(cluster, "Suspended")["status"] == "True"
    assert all(pod["metadata"].get("deletionTimestamp") for pod in cluster.all(PODS))
    for name in cluster.names(PODS):
        cluster.vanish(PODS, name)
    cluster.change(TRAIN_JOBS, "t", {"spec": {"suspend": None}})
    cluster.settle("t")
    assert job_condition(cluster, "Suspended")["reason"] == "Resumed"
    assert len(cluster.names(PODS)) == 3


def test_deadline(cluster):
    start(cluster, activeDeadlineSeconds=60)
    cluster.reconcile("t")
    assert 59 < cluster.requeues[0] <= 60
    cluster.now += 61 * SECOND
    cluster.settle("t")
    assert job_condition(cluster, "Failed")["reason"] == "DeadlineExceeded"


def report(cluster, step, rank=0):
    progress = {"step": step, "steps": 100, "metrics": {"loss": 2.5}, "stepSeconds": 0.5}
    annotations = {PROGRESS: json.dumps(progress)}
    cluster.change(PODS, f"t-node-0-{rank}", {"metadata": {"annotations": annotations}})


def test_progress_is_written_at_most_once_a_second(cluster):
    start(cluster)
    report(cluster, 10)
    cluster.settle("t")
    status = cluster.get(TRAIN_JOBS, "t")["status"]["trainerStatus"]
    assert status["progressPercentage"] == 10
    assert status["estimatedRemainingSeconds"] == 45
    assert {"name": "loss", "value": "2.5"} in status["metrics"]
    report(cluster, 11)
    assert cluster.settle("t") == 0
    assert 1 <= cluster.requeues[0] <= 2
    cluster.now += 2 * SECOND
    assert cluster.settle("t") == 1


def test_progress_does_not_wait_for_a_clock_that_was_set_back(cluster):
    start(cluster)
    report(cluster, 10)
    cluster.settle("t")
    cluster.now -= 3600 * SECOND
    report(cluster, 11)
    assert cluster.settle("t") == 1


def test_progress_that_is_no_json_harms_nobody(cluster):
    start(cluster)
    cluster.change(PODS, "t-node-0-0", {"metadata": {"annotations": {PROGRESS: "["}}})
    assert cluster.settle("t") == 0


def test_fewer_nodes_wished_removes_the_highest_ranks(cluster):
    start(cluster)
    cluster.change(TRAIN_JOBS, "t", {"spec": {"trainer": {"numNodes": 2}}})
    cluster.settle("t")
    assert cluster.get(PODS, "t-node-0-2")["metadata"]["deletionTimestamp"]
    assert formation(cluster, 0) == ("2", "2")


def test_a_foreign_pod_in_the_way_is_told(cluster):
    cluster.add(PODS, {"metadata": {"name": "t-node-0-0", "namespace": "default"}, "spec": {}})
    cluster.add(TRAIN_JOBS, job())
    cluster.settle("t")
    assert cluster.events[0].reason == "PodNameTaken"
    assert len(cluster.names(PODS)) == 3


def test_runtime_patches_reach_the_pods(cluster):
    pod = {"spec": {"nodeSelector": {"a": "b"}, "containers": [{"name": "node", "image": "x"}]}}
    job_patch = {"name": "node", "template": {"spec": {"template": pod}}}
    patch = {"trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [job_patch]}}}}
    cluster.add(TRAIN_JOBS, job(runtimePatches=[patch]))
    cluster.settle("t")
    spec = cluster.get(PODS, "t-node-0-0")["spec"]
    assert spec["nodeSelector"] == {"a": "b"}
    assert spec["containers"][0]["image"] == "x"
    assert spec["priorityClassName"] == "mizzen-training"


def test_a_job_says_why_it_waits_until_it_runs(cluster):
    """Whoever describes the job sees what its first pod lacks, once per reason."""
    cluster.add(TRAIN_JOBS, job(nodes=2, low=0))
    cluster.settle("t")
    for rank in (0, 1):
        unscheduled = condition("PodScheduled", "False", reason="Unschedulable", message="no room")
        cluster.change(PODS, f"t-node-0-{rank}", {"status": {"conditions": [unscheduled]}})
    cluster.settle("t")
    waiting = job_condition(cluster, WAITING)
    assert (waiting["status"], waiting["reason"]) == ("True", "Unschedulable")
    assert waiting["message"] == "pod t-node-0-0: no room"
    for rank in (0, 1):
        ready = {"phase": "Running", "conditions": [condition("Ready")]}
        cluster.change(PODS, f"t-node-0-{rank}", {"spec": {"nodeName": "n"}, "status": ready})
    cluster.settle("t")
    assert job_condition(cluster, WAITING)["status"] == "False"


def test_a_failure_is_told_in_the_agents_words(cluster):
    """Not in those of a peer that was killed along with the culprit."""
    start(cluster, ranks=(0, 1), nodes=2, low=0)
    verdict = "rank 1 failed 3 times in a row without a new step: exit code 3: bye"
    killed = {"name": "node", "state": {"terminated": {"exitCode": 137, "message": "rank 1 died"}}}
    status = {"phase": "Failed", "message": verdict, "containerStatuses": [killed]}
    cluster.change(PODS, "t-node-0-0", {"status": status})
    cluster.settle("t")
    assert job_condition(cluster, "Failed")["message"] == f"pod t-node-0-0 failed: {verdict}"


def test_a_job_without_a_command_is_refused_until_it_has_one(cluster):
    cluster.add(TRAIN_JOBS, job(trainer={"numNodes": 1}))
    cluster.settle("t")
    assert job_condition(cluster, "Failed")["reason"] == "MissingCommand"
    assert cluster.names(PODS) == []


def test_a_large_job_is_made_a_part_at_a_time(cluster):
    """A plan has a bound: what does not fit into one follows in the next."""
    cluster.add(TRAIN_JOBS, job(nodes=450, low=0))
    assert len([a for a in cluster.reconcile("t") if isinstance(a, Create)]) < 500
    cluster.settle("t")
    assert len(cluster.names(PODS)) == 450


def test_what_became_of_a_jobs_pods_stays_known_when_they_go(cluster):
    start(cluster, ranks=(0, 1), nodes=2, low=0)
    for rank in (0, 1):
        cluster.change(PODS, f"t-node-0-{rank}", {"status": {"phase": "Succeeded"}})
    cluster.settle("t")
    assert job_condition(cluster, "Complete")["status"] == "True"
    for rank in (0, 1):
        cluster.vanish(PODS, f"t-node-0-{rank}")
    cluster.change(TRAIN_JOBS, "t", {"spec": {"suspend": True}})
    cluster.settle("t")
    (counts,) = cluster.get(TRAIN_JOBS, "t")["status"]["jobsStatus"]
    assert (counts["succeeded"], counts["active"], counts["suspended"]) == (2, 0, 0)


def test_a_jobs_labels_and_annotations_reach_all_that_is_made_for_it(cluster):
    cluster.add(TRAIN_JOBS, job(labels={"team": "a"}, annotations={"note": "b"}))
    cluster.settle("t")
    for made in (cluster.get(POD_GROUPS, "t"), cluster.get(PODS, "t-node-0-0")):
        assert made["metadata"]["labels"]["team"] == "a"
        assert made["metadata"]["annotations"]["note"] == "b"


def test_a_name_that_no_worker_can_be_derived_from_is_told(cluster):
    """How many workers there are may be the runtime's to say."""
    name = "a" * 55
    cluster.add(TRAIN_JOBS, job(name=name, nodes=3))
    cluster.settle(name)
    failed = job_condition(cluster, "Failed", name)
    assert failed["reason"] == "InvalidName" and f'"{name}-node-0-2"' in failed["message"]
    assert cluster.names(PODS) == []


def test_a_job_that_cannot_be_made_says_so_until_it_is(cluster):
    cluster.add(TRAIN_JOBS, job(nodes=2, low=0))
    (write,) = CONTROLLER.report_stuck(
        cluster.get(TRAIN_JOBS, "t"), "FailedInvalid", "bad", cluster.now
    )
    cluster.change(TRAIN_JOBS, "t", write.patch)
    assert job_condition(cluster, WAITING)["message"] == "FailedInvalid: bad"
    assert (
        CONTROLLER.report_stuck(cluster.get(TRAIN_JOBS, "t"), "FailedInvalid", "bad", cluster.now)
        == []
    )
    cluster.settle("t")
    assert job_condition(cluster, WAITING)["status"] == "False"


def test_a_thousand_million_workers_cost_no_more_than_a_plan(cluster):
    cluster.add(TRAIN_JOBS, job(nodes=10**9, low=0))
    made = [a for a in cluster.reconcile("t") if isinstance(a, Create) and a.resource == PODS]
    assert len(made) == 200
