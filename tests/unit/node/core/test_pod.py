"""The pod machine, called with values: what it asks for at each turn of a pod's life."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.node.core import pod as machine
from mizzen.node.core.events import (
    Adopted,
    AdoptedRun,
    Command,
    DevicesChanged,
    Event,
    Exited,
    GangRestart,
    KillNow,
    Observed,
    PostStartDone,
    Prepare,
    Prepared,
    PreStopDone,
    ProbeDone,
    RecordEvent,
    Remove,
    RunPostStart,
    RunPreStop,
    RunProbe,
    Signal,
    Spawn,
    Started,
    Tick,
    Vanished,
    WakeAt,
)  # fmt: skip
from mizzen.node.core.pod import PodState, new_pod, phase_of, postpone
from mizzen.node.core.status import patch_of, status_of

S = 1_000_000_000
T0 = 1_700_000_000 * S


def step(state: PodState, event: Event) -> list[Command]:
    """What is done; what is told of it has tests of its own (test_pod_events.py)."""
    return [c for c in machine.step(state, event) if not isinstance(c, RecordEvent)]


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "uid": "u", "resourceVersion": "1"},
        "spec": {"containers": [{"name": "main", "image": "mizzen.dev/python"}], **spec},
    }


def running(**spec: Any) -> PodState:
    state = new_pod(pod(**spec), "127.99.0.2", T0)
    assert step(state, Tick(T0)) == [Prepare()]
    assert step(state, Prepared(T0)) == [Spawn("main", 0)]
    step(state, Started("main", 0, "run", T0))
    return state


def ended(state: PodState, code: int, at: int, number: int = 0) -> list[Any]:
    return step(state, Exited("main", number, code, 0, T0, at))


def test_a_pod_runs_and_succeeds() -> None:
    state = running(restartPolicy="Never")
    assert phase_of(state) == "Running"
    ended(state, 0, T0 + S)
    assert phase_of(state) == "Succeeded"


def test_never_means_failed_at_the_first_error_with_its_last_words() -> None:
    state = running(restartPolicy="Never")
    step(state, Exited("main", 0, 3, 0, T0, T0 + S, message="the last words"))
    status = status_of(state, "127.0.0.1", T0 + S)
    assert status["phase"] == "Failed"
    terminated = status["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["message"]) == (3, "the last words")


def test_the_pause_counts_from_when_the_end_was_heard_whatever_the_wall_says() -> None:
    """The shim stamps with the wall clock, which somebody may set back."""
    state = running(restartPolicy="Always")
    hour = 3600 * S
    commands = step(state, Exited("main", 0, 1, 0, T0 - hour, T0 - hour + S, heard=T0 + S))
    assert [c for c in commands if isinstance(c, WakeAt)] == [WakeAt(T0 + 2 * S)]
    assert not any(isinstance(c, Prepare) for c in commands)


def test_a_clock_set_forward_cuts_no_grace_pause_or_budget_short() -> None:
    hour = 3600 * S
    stopping = running(restartPolicy="Always")
    step(stopping, Observed(deleted(stopping, 30), T0 + S))
    waiting = running(restartPolicy="Always")
    ended(waiting, 1, T0)
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1, "failureThreshold": 10}
    container = {"name": "main", "image": "mizzen.dev/python", "startupProbe": probe}
    probed = running(containers=[container])
    for state in (stopping, waiting, probed):
        postpone(state, hour)
    now = T0 + hour
    signals = step(stopping, Tick(now + 29 * S)), step(stopping, Tick(now + 32 * S))
    assert [[c.signal for c in s if isinstance(c, Signal)] for s in signals] == [[], [9]]
    assert Prepare() not in step(waiting, Tick(now + S // 2))
    assert Prepare() in step(waiting, Tick(now + 2 * S))
    step(probed, ProbeDone("main", 0, "startup", False, "", now + 9 * S))
    assert not probed.containers[0].stop_by
    step(probed, ProbeDone("main", 0, "startup", False, "", now + 10 * S))
    assert probed.containers[0].stop_by


def test_restarts_wait_twice_as_long_each_time() -> None:
    state = running(restartPolicy="OnFailure")
    pauses: list[int] = []
    at = T0
    for number in range(4):
        wake = [
            c
            for c in step(state, Exited("main", number, 1, 0, at, at + S))
            if isinstance(c, WakeAt)
        ]
        pauses.append(wake[0].at - at - S)
        at = wake[0].at
        assert step(state, Tick(at)) == [Prepare()]
        assert step(state, Prepared(at)) == [Spawn("main", number + 1)]
        step(state, Started("main", number + 1, "run", at))
    assert pauses == [S, 2 * S, 4 * S, 8 * S]
    waiting = status_of(state, "127.0.0.1", at)["containerStatuses"][0]
    assert waiting["restartCount"] == 4 and waiting["lastState"]["terminated"]["exitCode"] == 1


def test_init_containers_run_first_and_one_by_one() -> None:
    init = [
        {"name": "a", "image": "mizzen.dev/python"},
        {"name": "b", "image": "mizzen.dev/python"},
    ]
    state = new_pod(pod(initContainers=init, restartPolicy="Never"), "127.99.0.2", T0)
    step(state, Tick(T0))
    assert step(state, Prepared(T0)) == [Spawn("a", 0)]
    assert step(state, Exited("a", 0, 0, 0, T0, T0)) == [Spawn("b", 0)]
    assert step(state, Exited("b", 0, 0, 0, T0, T0)) == [Spawn("main", 0)]


def test_a_failed_init_container_fails_the_pod_that_never_restarts() -> None:
    init = [{"name": "a", "image": "mizzen.dev/python"}]
    state = new_pod(pod(initContainers=init, restartPolicy="Never"), "127.99.0.2", T0)
    step(state, Tick(T0))
    step(state, Prepared(T0))
    step(state, Exited("a", 0, 1, 0, T0, T0))
    assert phase_of(state) == "Failed"


def test_what_cannot_be_prepared_waits_with_its_reason_and_is_tried_again() -> None:
    state = new_pod(pod(), "127.99.0.2", T0)
    step(state, Tick(T0))
    commands = step(state, Prepared(T0, "ErrImageNeverPull", "no such image"))
    wake = next(c for c in commands if isinstance(c, WakeAt))
    waiting = status_of(state, "127.0.0.1", T0)["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "ErrImageNeverPull", "message": "no such image"}
    assert Prepare() in step(state, Tick(wake.at))


def deleted(state: PodState, grace_s: int) -> dict[str, Any]:
    changed = {**state.pod, "metadata": {**state.pod["metadata"]}}
    changed["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    changed["metadata"]["deletionGracePeriodSeconds"] = grace_s
    return changed


def test_deletion_asks_then_kills_then_removes() -> None:
    state = running()
    commands = step(state, Observed(deleted(state, 5), T0))
    assert commands == [Signal("main", 0, 15), WakeAt(T0 + 5 * S)]
    assert step(state, Tick(T0 + 5 * S)) == [Signal("main", 0, 9)]
    assert step(state, Exited("main", 0, 137, 9, T0, T0 + 5 * S)) == [Remove()]
    assert step(state, Tick(T0 + 6 * S)) == []


def test_pre_stop_comes_before_sigterm() -> None:
    hook = {"preStop": {"exec": {"command": ["true"]}}}
    state = running(containers=[{"name": "main", "image": "mizzen.dev/python", "lifecycle": hook}])
    assert RunPreStop("main", 0) in step(state, Observed(deleted(state, 5), T0))
    assert Signal("main", 0, 15) in step(state, PreStopDone("main", 0, T0 + S))


@pytest.mark.parametrize(
    ("hook", "is_run"),
    [
        ({"sleep": {"seconds": 1}}, True),
        ({"httpGet": {"port": 1}}, True),
        ({"tcpSocket": {}}, False),
    ],
)
def test_hooks_are_commands_requests_and_pauses(hook: dict[str, Any], is_run: bool) -> None:
    lifecycle = {"preStop": hook}
    container = {"name": "main", "image": "mizzen.dev/python", "lifecycle": lifecycle}
    state = running(containers=[container])
    commands = step(state, Observed(deleted(state, 5), T0))
    assert (RunPreStop("main", 0) in commands) == is_run
    assert (Signal("main", 0, 15) in commands) != is_run


def post_starting(**spec: Any) -> PodState:
    container = {
        "name": "main", "image": "mizzen.dev/python", "readinessProbe": {"httpGet": {"port": 80}},
        "lifecycle": {"postStart": {"exec": {"command": ["true"]}}},
    }  # fmt: skip
    state = new_pod(pod(containers=[container], **spec), "127.99.0.2", T0)
    step(state, Tick(T0))
    step(state, Prepared(T0))
    assert step(state, Started("main", 0, "run", T0, T0)) == [RunPostStart("main", 0)]
    return state


def test_a_container_is_probed_once_its_post_start_hook_is_done() -> None:
    state = post_starting()
    assert not status_of(state, "127.0.0.1", T0)["containerStatuses"][0]["started"]
    assert step(state, Tick(T0 + S)) == []
    done = step(state, PostStartDone("main", 0, True, "", T0 + S))
    assert done == [RunProbe("main", 0, "readiness")]
    assert status_of(state, "127.0.0.1", T0)["containerStatuses"][0]["started"]


def test_a_container_whose_post_start_hook_fails_is_ended_and_started_again() -> None:
    state = post_starting()
    failed = step(state, PostStartDone("main", 0, False, "it said no", T0 + S))
    assert Signal("main", 0, 15) in failed
    step(state, Exited("main", 0, 143, 15, T0, T0 + S))
    again = step(state, Tick(T0 + 10 * S))
    assert Prepare() in again


def test_a_hook_that_has_begun_is_not_begun_again_by_the_next_agent() -> None:
    container = {
        "name": "main", "image": "mizzen.dev/python",
        "lifecycle": {"postStart": {"exec": {"command": ["true"]}}},
    }  # fmt: skip
    state = new_pod(pod(containers=[container]), "127.99.0.2", T0)
    step(state, Adopted((AdoptedRun("main", 0, None, 0),)))
    assert RunPostStart("main", 0) not in step(state, Started("main", 0, "run", T0))


def test_a_pod_that_vanished_is_killed_at_once() -> None:
    state = running()
    assert step(state, Vanished(T0)) == [Signal("main", 0, 9)]
    assert step(state, Exited("main", 0, 137, 9, T0, T0)) == [Remove()]


def test_readiness_is_probed_quickly_until_it_is_seen() -> None:
    probe = {"httpGet": {"port": 80}, "periodSeconds": 10}
    state = new_pod(
        pod(containers=[{"name": "main", "image": "mizzen.dev/python", "readinessProbe": probe}]),
        "127.99.0.2",
        T0,
    )
    step(state, Tick(T0))
    step(state, Prepared(T0))
    assert step(state, Started("main", 0, "run", T0)) == [RunProbe("main", 0, "readiness")]
    wake = step(state, ProbeDone("main", 0, "readiness", False, "refused", T0))
    assert wake == [WakeAt(T0 + S // 10)]
    step(state, Tick(T0 + S // 10))
    after = step(state, ProbeDone("main", 0, "readiness", True, "", T0 + S // 10))
    assert after == [WakeAt(T0 + S // 10 + 10 * S)]
    conditions = {c["type"]: c["status"] for c in status_of(state, "127.0.0.1", T0)["conditions"]}
    assert conditions["Ready"] == "True"


def test_a_liveness_probe_that_keeps_failing_restarts_the_container() -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 2}
    state = running(
        containers=[{"name": "main", "image": "mizzen.dev/python", "livenessProbe": probe}]
    )
    step(state, ProbeDone("main", 0, "liveness", False, "no", T0))
    commands = step(state, ProbeDone("main", 0, "liveness", False, "no", T0 + S))
    assert Signal("main", 0, 15) in commands
    step(state, Exited("main", 0, 143, 15, T0, T0 + 2 * S))
    assert phase_of(state) == "Running"


def member() -> PodState:
    made = pod(restartPolicy="OnFailure")
    owner = {"kind": "TrainJob", "name": "j", "uid": "o", "controller": True}
    made["metadata"]["ownerReferences"] = [owner]
    state = new_pod(made, "127.99.0.2", T0)
    step(state, Tick(T0))
    step(state, Prepared(T0))
    step(state, Started("main", 0, "run", T0))
    return state


def test_a_gang_member_restarts_on_the_gangs_word_alone() -> None:
    state = member()
    assert ended(state, 137, T0 + S) == []
    assert phase_of(state) == "Running"
    assert step(state, GangRestart(T0 + S, T0 + S, 2)) == [Prepare()]
    assert step(state, Prepared(T0 + S)) == [Spawn("main", 1)]
    patch = patch_of(state, "127.0.0.1", T0 + S)
    assert patch is not None
    assert patch.patch["metadata"]["annotations"] == {"mizzen.dev/awaits-generation": "2"}


def test_a_member_that_knows_no_formation_is_asked_like_any_pod() -> None:
    """And who waits for its device has it at the end of the grace."""
    state = member()
    commands = step(state, Observed(deleted(state, 5), T0))
    assert commands == [Signal("main", 0, 15), WakeAt(T0 + 5 * S)]
    assert step(state, Tick(T0 + 5 * S)) == [Signal("main", 0, 9)]


def test_a_gang_member_that_attached_gets_no_sigterm_but_its_grace() -> None:
    state = member()
    state.member.is_attached = True
    assert step(state, Observed(deleted(state, 5), T0)) == [WakeAt(T0 + 5 * S)]
    assert step(state, KillNow(T0 + S, "left"))[0] == Signal("main", 0, 9)


def test_a_status_that_agrees_is_not_written() -> None:
    state = running()
    patch = patch_of(state, "127.0.0.1", T0)
    assert patch is not None
    state.pod["status"] = patch.patch["status"]
    assert patch_of(state, "127.0.0.1", T0 + S) is None


def test_a_restart_tells_how_the_last_run_ended() -> None:
    state = running()
    ended(state, 3, T0 + S)
    text = "container main ended with exit code 3 and starts again after a pause"
    waiting = status_of(state, "127.0.0.1", T0 + S)["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "CrashLoopBackOff", "message": text}


def test_a_program_that_ends_well_and_must_run_always_says_so() -> None:
    state = running(restartPolicy="Always")
    ended(state, 0, T0 + S)
    waiting = status_of(state, "127.0.0.1", T0 + S)["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff"
    assert waiting["message"].endswith("(restartPolicy is Always)")


def test_a_pod_fails_once_its_deadline_has_passed() -> None:
    state = running(terminationGracePeriodSeconds=3)
    state.pod["spec"]["activeDeadlineSeconds"] = 5
    assert WakeAt(T0 + 5 * S) in step(state, Tick(T0 + S))
    signal, wake = step(state, Tick(T0 + 5 * S))
    assert signal == Signal("main", 0, 15) and wake == WakeAt(T0 + 8 * S)
    assert ended(state, 0, T0 + 6 * S) == [] and phase_of(state) == "Failed"
    written = status_of(state, "10.0.0.1", T0 + 6 * S)
    assert written["reason"] == "DeadlineExceeded"


def test_a_pod_that_ended_in_time_keeps_its_end() -> None:
    state = running(restartPolicy="Never")
    state.pod["spec"]["activeDeadlineSeconds"] = 5
    ended(state, 0, T0 + 4 * S)
    assert step(state, Tick(T0 + 9 * S)) == [] and phase_of(state) == "Succeeded"


def test_what_was_begun_before_is_taken_up_and_what_was_not_is_prepared() -> None:
    init = {"name": "init", "image": "mizzen.dev/python"}
    state = new_pod(pod(initContainers=[init]), "127.99.0.2", T0)
    assert step(state, Adopted((AdoptedRun("init", 2, None, 2),))) == []
    assert (state.containers[0].phase, state.containers[0].number) == ("starting", 2)
    assert step(state, Exited("init", 2, 0, 0, T0, T0)) == [Prepare()]
    assert step(state, Prepared(T0)) == [Spawn("main", 0)]


def test_devices_that_come_cut_the_wait_for_a_first_run_short_and_no_pause() -> None:
    state = new_pod(pod(), "127.99.0.2", T0)
    step(state, Tick(T0))
    step(state, Prepared(T0, "WaitingForDevices", "no claim yet"))
    assert step(state, DevicesChanged(T0)) == [Prepare()]
    failed = running(restartPolicy="Always")
    ended(failed, 1, T0 + S)
    assert Prepare() not in step(failed, DevicesChanged(T0 + S))
