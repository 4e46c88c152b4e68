"""What the pod machine tells of a pod's life: the kubelet's Events."""

from __future__ import annotations

from typing import Any

from mizzen.node.core.events import (
    Exited,
    KillNow,
    Observed,
    PostStartDone,
    Prepared,
    ProbeDone,
    RecordEvent,
    Started,
    Tick,
)
from mizzen.node.core.pod import PodState, new_pod, step
from mizzen.node.core.pod_events import NO_DEBUGGERS
from mizzen.node.core.status import patch_of, status_of

S = 1_000_000_000
T0 = 1_700_000_000 * S
AT = "spec.containers{main}"
MAIN = {"name": "main", "image": "mizzen.dev/python"}


def pod(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "p", "namespace": "default", "uid": "u", "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": [MAIN], **spec}}  # fmt: skip


def told(state: PodState, event: Any) -> list[tuple[str, str, str, str]]:
    return [
        (c.type, c.reason, c.message, c.field_path)
        for c in step(state, event)
        if isinstance(c, RecordEvent)
    ]


def running(**spec: Any) -> PodState:
    state = new_pod(pod(**spec), "127.99.0.2", T0)
    for event in (Tick(T0), Prepared(T0), Started("main", 0, "run", T0, T0)):
        step(state, event)
    return state


def test_a_container_is_pulled_created_and_started() -> None:
    state = new_pod(pod(), "127.99.0.2", T0)
    step(state, Tick(T0))
    text = 'Container image "mizzen.dev/python" already present on machine and can be accessed by the pod'
    assert told(state, Prepared(T0)) == [("Normal", "Pulled", text, AT)]
    assert told(state, Started("main", 0, "run", T0, T0)) == [
        ("Normal", "Created", "Container created", AT),
        ("Normal", "Started", "Container started", AT),
    ]


def test_what_an_agent_before_started_is_not_told_again() -> None:
    state = new_pod(pod(), "127.99.0.2", T0)
    assert told(state, Started("main", 0, "run", T0)) == []


def test_init_containers_are_named_as_such() -> None:
    state = new_pod(pod(initContainers=[{"name": "first", "image": "/bin/true"}]), "127.99.0.2", T0)
    step(state, Tick(T0))
    assert [each[3] for each in told(state, Prepared(T0))] == ["spec.initContainers{first}"]


def test_a_container_is_told_once_that_it_is_stopped() -> None:
    state = running()
    gone = {**state.pod, "metadata": {**state.pod["metadata"], "deletionGracePeriodSeconds": 5,
                                      "deletionTimestamp": "2023-11-14T22:13:25Z"}}  # fmt: skip
    assert told(state, Observed(gone, T0)) == [("Normal", "Killing", "Stopping container main", AT)]
    assert told(state, Tick(T0 + 7 * S)) == []
    assert told(running(), KillNow(T0, "left"))[0][1:3] == ("Killing", "Stopping container main")


def test_a_failed_probe_says_why_the_container_is_killed() -> None:
    probe = {"exec": {"command": ["false"]}, "failureThreshold": 1, "periodSeconds": 1}
    for policy, more in (("Always", ", will be restarted"), ("Never", "")):
        state = running(containers=[{**MAIN, "livenessProbe": probe}], restartPolicy=policy)
        assert told(state, ProbeDone("main", 0, "liveness", False, "no", T0)) == [
            ("Warning", "Unhealthy", "Liveness probe failed: no", AT),
            ("Normal", "Killing", f"Container main failed liveness probe{more}", AT),
        ]


def test_readiness_that_stays_out_is_told_and_its_hasty_questions_are_not() -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1}
    state = running(containers=[{**MAIN, "readinessProbe": probe}])
    at, said = T0, list[list[tuple[str, str, str, str]]]()
    for _ in range(12):
        at = state.containers[0].probes["readiness"].next_at
        said.append(told(state, ProbeDone("main", 0, "readiness", False, "no", at)))
    assert said[0] == [] and at - T0 > 5 * S
    assert said[-2] == said[-1] == [("Warning", "Unhealthy", "Readiness probe failed: no", AT)]


def test_a_hook_that_fails_does_not_tell_what_it_printed() -> None:
    hook = {"postStart": {"exec": {"command": ["false"]}}}
    state = running(containers=[{**MAIN, "lifecycle": hook}])
    assert told(state, PostStartDone("main", 0, False, "a password", T0 + S)) == [
        ("Warning", "FailedPostStartHook", "PostStartHook failed", AT),
        ("Normal", "Killing", "FailedPostStartHook", AT),
    ]


def test_the_same_end_is_told_in_the_same_words() -> None:
    state = running()
    text = "Back-off restarting failed container main in pod p_default(u): exit code 3: it broke"
    for number in range(2):
        end = Exited("main", number, 3, 0, T0, T0 + S, message="it broke")
        assert told(state, end) == [("Warning", "BackOff", text, AT)]
        for event in (Tick(T0 + 90 * S), Prepared(T0 + 90 * S)):
            step(state, event)


def test_a_program_that_cannot_be_executed_has_failed() -> None:
    state = new_pod(pod(restartPolicy="Never"), "127.99.0.2", T0)
    step(state, Tick(T0))
    step(state, Prepared(T0))
    end = Exited("main", 0, 128, 0, T0, T0, "StartError", "no such file", T0)
    assert told(state, end) == [("Warning", "Failed", "Error: no such file", AT)]


def test_what_a_container_lacks_is_told_once_until_it_changes() -> None:
    state = new_pod(pod(), "127.99.0.2", T0)
    step(state, Tick(T0))
    lacks = Prepared(T0, "CreateContainerConfigError", 'configmap "c" does not exist')
    said = [("Warning", "Failed", 'Error: configmap "c" does not exist', "")]
    assert told(state, lacks) == said and told(state, lacks) == []
    mount = Prepared(T0, "FailedMount", 'volume "v": no such thing')
    assert told(state, mount) == [("Warning", "FailedMount", 'volume "v": no such thing', "")]


def test_a_deadline_is_told_in_the_kubelets_words() -> None:
    state = running(activeDeadlineSeconds=5)
    text = "Pod was active on the node longer than the specified deadline"
    assert ("Normal", "DeadlineExceeded", text, "") in told(state, Tick(T0 + 5 * S))
    assert status_of(state, "10.0.0.1", T0 + 6 * S)["message"] == text


def test_a_debugger_is_refused_once_where_it_stands() -> None:
    state = running()
    debugged = {**state.pod, "spec": {**state.pod["spec"], "ephemeralContainers": [
        {"name": "debugger", "image": "mizzen.dev/python"}]}}  # fmt: skip
    where = "spec.ephemeralContainers{debugger}"
    said = [("Warning", "Failed", f"Error: {NO_DEBUGGERS}", where)]
    assert told(state, Observed(debugged, T0)) == said
    assert told(state, Observed(debugged, T0)) == []
    patch = patch_of(state, "127.0.0.1", T0)
    assert patch is not None
    state.pod["status"] = patch.patch["status"]
    (status,) = state.pod["status"]["ephemeralContainerStatuses"]
    assert status["state"]["terminated"]["message"] == NO_DEBUGGERS
    assert (
        patch_of(state, "127.0.0.1", T0 + S) is None and state.pod["status"]["phase"] == "Running"
    )
