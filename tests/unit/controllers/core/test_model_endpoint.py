import pytest

from mizzen.base.names import CAUSE, ENDPOINT, ENGINE_TYPE
from mizzen.base.operations import Create, Delete
from mizzen.base.resources import MODEL_ENDPOINTS, PODS, RESOURCE_CLAIMS
from mizzen.base.termination import termination_message
from mizzen.controllers.core.model_endpoint import CONTROLLER, wanted_replicas
from support.controlled import SECOND, Cluster, condition


def endpoint(low=1, high=3, **spec):
    return {
        "metadata": {"name": "m", "namespace": "default", "generation": 1},
        "spec": {
            "model": {"path": "/models/a.gguf", "name": "tiny"},
            "replicas": {"min": low, "max": high},
            "resources": {"deviceClassName": "cpu-core.mizzen.dev", "count": 1},
            "engine": {"maxBatchSize": 8, "args": {"INFERENCE_PRECISION_HINT": "f32"}},
            **spec,
        },
    }


@pytest.fixture
def cluster():
    return Cluster(CONTROLLER)


def demand(cluster, replicas, cause="burst of 40 requests"):
    status = {"demand": {"replicas": replicas, "cause": cause}}
    cluster.change(MODEL_ENDPOINTS, "m", {"status": status})


def make_ready(cluster, *names):
    for name in names:
        status = {"phase": "Running", "conditions": [condition("Ready")]}
        cluster.change(PODS, name, {"spec": {"nodeName": "n"}, "status": status})


def start(cluster, replicas=1, **kwargs):
    cluster.add(MODEL_ENDPOINTS, endpoint(**kwargs))
    demand(cluster, replicas)
    cluster.settle("m")
    make_ready(cluster, *cluster.names(PODS))
    cluster.settle("m")


def alive(cluster):
    return [
        pod["metadata"]["name"]
        for pod in cluster.all(PODS)
        if not pod["metadata"].get("deletionTimestamp")
    ]


def ready(cluster):
    return cluster.get(MODEL_ENDPOINTS, "m")["status"]["conditions"][0]


@pytest.mark.parametrize(
    ("low", "high", "asked", "wanted"),
    [(1, 3, None, 1), (0, 3, None, 0), (0, 3, 0, 0), (1, 3, 0, 1), (1, 3, 2, 2), (1, 3, 9, 3)],
)
def test_wanted_replicas(low, high, asked, wanted):
    body = endpoint(low, high)
    if asked is not None:
        body["status"] = {"demand": {"replicas": asked}}
    assert wanted_replicas(body) == wanted


def test_replica_and_claim_are_made_in_one_plan_with_the_cause(cluster):
    start(cluster)
    demand(cluster, 2)
    actions = cluster.reconcile("m")
    assert [a.resource for a in actions if isinstance(a, Create)] == [RESOURCE_CLAIMS, PODS]
    pod = cluster.get(PODS, "m-1")
    assert pod["metadata"]["annotations"][CAUSE] == "burst of 40 requests"
    assert pod["metadata"]["labels"][ENDPOINT] == "m"
    assert pod["metadata"]["labels"][ENGINE_TYPE] == "openvino-genai"
    claim = cluster.get(RESOURCE_CLAIMS, pod["spec"]["resourceClaims"][0]["resourceClaimName"])
    exactly = claim["spec"]["devices"]["requests"][0]["exactly"]
    assert exactly["deviceClassName"] == "cpu-core.mizzen.dev"


def test_the_engines_command_line(cluster):
    start(cluster)
    container = cluster.get(PODS, "m-0")["spec"]["containers"][0]
    assert container["image"] == "mizzen.dev/engine"
    assert container["args"] == [
        *("--model", "/models/a.gguf", "--name", "tiny", "--host", "$(POD_IP)"),
        *("--port", "8000", "--max-batch-size", "8"),
        *("--property", "INFERENCE_PRECISION_HINT=f32"),
    ]


def test_a_replica_that_hangs_is_killed_one_that_loads_is_waited_for(cluster):
    start(cluster)
    container = cluster.get(PODS, "m-0")["spec"]["containers"][0]
    startup, liveness = container["startupProbe"], container["livenessProbe"]
    assert startup["httpGet"]["path"] == container["readinessProbe"]["httpGet"]["path"] == "/health"
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 3600
    assert liveness["httpGet"] == {"path": "/livez", "port": 8000}
    assert liveness["timeoutSeconds"] * liveness["failureThreshold"] <= 90


def test_scale_down_takes_the_highest_ready_index(cluster):
    start(cluster, 3)
    demand(cluster, 2)
    cluster.settle("m")
    assert alive(cluster) == ["m-0", "m-1"]


def test_scale_down_takes_replicas_that_are_not_ready_first(cluster):
    start(cluster, 3)
    cluster.change(PODS, "m-0", {"status": {"conditions": [condition("Ready", "False")]}})
    demand(cluster, 2)
    cluster.settle("m")
    assert alive(cluster) == ["m-1", "m-2"]


def test_growing_does_not_wait_for_a_terminating_replica(cluster):
    start(cluster, 2)
    demand(cluster, 1)
    cluster.settle("m")
    demand(cluster, 2)
    cluster.settle("m")
    assert alive(cluster) == ["m-0", "m-2"]


def test_the_claim_of_a_gone_replica_is_deleted(cluster):
    start(cluster, 2)
    demand(cluster, 1)
    cluster.settle("m")
    assert len(cluster.names(RESOURCE_CLAIMS)) == 2
    cluster.vanish(PODS, "m-1")
    cluster.settle("m")
    assert len(cluster.names(RESOURCE_CLAIMS)) == 1


def test_to_zero_and_back(cluster):
    start(cluster, 1, low=0)
    demand(cluster, 0)
    cluster.settle("m")
    assert alive(cluster) == []
    assert ready(cluster)["reason"] == "NoReplicas"
    cluster.vanish(PODS, "m-0")
    demand(cluster, 1)
    cluster.settle("m")
    assert alive(cluster) == ["m-0"]
    assert ready(cluster)["reason"] == "Starting"


def test_status_leaves_the_gateways_fields_alone(cluster):
    start(cluster, 2)
    cluster.change(MODEL_ENDPOINTS, "m", {"status": {"url": "http://x"}})
    make_ready(cluster, "m-0")
    cluster.settle("m")
    status = cluster.get(MODEL_ENDPOINTS, "m")["status"]
    assert status["url"] == "http://x"
    assert status["demand"]["replicas"] == 2
    assert (status["replicas"], status["readyReplicas"]) == (2, 2)
    assert status["observedGeneration"] == 1
    assert ready(cluster)["message"] == "2 of 2 replicas ready"


@pytest.mark.parametrize(
    ("said", "reason", "message"),
    [
        (
            termination_message(
                "ModelNotFound", 'model "/m.gguf" cannot be loaded: there is no such file'
            ),
            "ModelNotFound",
            'pod m-0: model "/m.gguf" cannot be loaded: there is no such file',
        ),
        (
            termination_message(
                "InvalidModel", 'model "/m.gguf" cannot be loaded: it is cut short'
            ),
            "InvalidModel",
            'pod m-0: model "/m.gguf" cannot be loaded: it is cut short',
        ),
        ("starting\nterminate called", "EngineFailed", "pod m-0: terminate called"),
        ('{"reason": "no CamelCase"}', "EngineFailed", 'pod m-0: {"reason": "no CamelCase"}'),
        ("", "EngineFailed", "pod m-0: exit code 3 (Error)"),
    ],
)
def test_what_the_engine_said_last_is_the_message(cluster, said, reason, message):
    cluster.add(MODEL_ENDPOINTS, endpoint())
    cluster.settle("m")
    ended = {"terminated": {"exitCode": 3, "message": said}}
    containers = [{"name": "engine", "state": {"waiting": {}}, "lastState": ended}]
    status = {"phase": "Running", "containerStatuses": containers}
    cluster.change(PODS, "m-0", {"status": status})
    cluster.settle("m")
    assert (ready(cluster)["reason"], ready(cluster)["message"]) == (reason, message)
    warnings = [event for event in cluster.events if event.type == "Warning"]
    assert [(event.reason, event.message) for event in warnings] == [(reason, message)]


def test_a_pending_replica_tells_why(cluster):
    cluster.add(MODEL_ENDPOINTS, endpoint())
    cluster.settle("m")
    why = condition("PodScheduled", "False", reason="Unschedulable", message="no device is free")
    cluster.change(PODS, "m-0", {"status": {"conditions": [why]}})
    cluster.settle("m")
    assert ready(cluster)["reason"] == "Unschedulable"
    assert "no device is free" in ready(cluster)["message"]


def test_a_failed_replica_is_replaced_after_a_while(cluster):
    start(cluster)
    cluster.change(PODS, "m-0", {"status": {"phase": "Failed", "message": "image unknown"}})
    cluster.settle("m")
    assert alive(cluster) == ["m-0"]
    assert ready(cluster)["reason"] == "EngineFailed"
    assert 0 < cluster.requeues[0] <= 10
    cluster.now += 11 * SECOND
    cluster.settle("m")
    assert "phase" not in cluster.get(PODS, "m-0").get("status", {})


def test_a_changed_spec_rolls_ready_replicas_one_by_one(cluster):
    start(cluster, 2)
    cluster.change(MODEL_ENDPOINTS, "m", {"spec": {"engine": {"maxBatchSize": 4}}})
    actions = cluster.reconcile("m")
    assert len([a for a in actions if isinstance(a, Delete)]) == 1
    assert len(alive(cluster)) == 1
    cluster.settle("m")
    new = [n for n in alive(cluster) if n == "m-2"]
    assert new, alive(cluster)
    assert len(alive(cluster)) == 2
    make_ready(cluster, "m-2")
    actions = cluster.reconcile("m")
    assert len([a for a in actions if isinstance(a, Delete)]) == 1


def test_what_looks_like_a_variable_in_a_path_is_none(cluster):
    cluster.add(MODEL_ENDPOINTS, endpoint(model={"path": "/m/$(POD_IP).gguf"}))
    cluster.settle("m")
    arguments = cluster.get(PODS, "m-0")["spec"]["containers"][0]["args"]
    assert arguments[:2] == ["--model", "/m/$$(POD_IP).gguf"]


def test_a_thousand_million_replicas_cost_no_more_than_a_plan(cluster):
    cluster.add(MODEL_ENDPOINTS, endpoint(low=10**9, high=10**9))
    made = [a for a in cluster.reconcile("m") if isinstance(a, Create) and a.resource == PODS]
    assert len(made) == 100


def test_an_endpoint_whose_replicas_are_refused_says_so_until_they_are_made(cluster):
    cluster.add(MODEL_ENDPOINTS, endpoint())
    me = cluster.get(MODEL_ENDPOINTS, "m")
    (write,) = CONTROLLER.report_stuck(me, "FailedForbidden", "no PriorityClass p", cluster.now)
    cluster.change(MODEL_ENDPOINTS, "m", write.patch)
    assert ready(cluster)["reason"] == "FailedForbidden"
    cluster.settle("m")
    assert ready(cluster)["reason"] == "Starting"
