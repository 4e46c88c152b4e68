"""What a user gets wrong, on a real instance: one clear message where the user looks."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.instance import DEADLINE_S, Instance

JOB = """
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {{name: {name}, annotations: {annotations}}}
spec:
  runtimeRef: {{name: jax-distributed}}
  trainer:
    numNodes: {nodes}
    command: {command}
    resourcesPerNode: {{limits: {{mizzen.dev/cpu-core: 1}}}}
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance(tmp_path_factory.mktemp("bad-input"))
    instance.ok("up", "--detach")
    yield instance
    instance.run("down")


def kubectl(
    instance: Instance, *words: str, body: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KUBECONFIG": instance.ok("kubeconfig").strip()}
    return subprocess.run(
        ["kubectl", *words],
        input=body,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def job(name: str, command: list[str], nodes: int = 1, **annotations: str) -> str:
    notes = json.dumps({f"mizzen.dev/{k.replace('_', '-')}": v for k, v in annotations.items()})
    return JOB.format(name=name, annotations=notes, nodes=nodes, command=json.dumps(command))


def conditions(instance: Instance, kind: str, name: str) -> dict[str, dict[str, Any]]:
    done = kubectl(instance, "get", kind, name, "-o", "json")
    found = json.loads(done.stdout or "{}").get("status", {}).get("conditions", [])
    return {condition["type"]: condition for condition in found}


def until_condition(
    instance: Instance, name: str, kind: str, told: Callable[[str], bool] = bool
) -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        found = conditions(instance, "trainjob", name).get(kind) or {}
        holds = found.get("status") == "True" and told(found["message"])
        return found if holds else None

    return instance.until(find)


def test_a_misspelt_annotation_is_refused_with_the_right_one(instance: Instance) -> None:
    body = job("misspelt", ["python"], min_nodse="1")
    done = kubectl(instance, "apply", "-f", "-", body=body)
    assert done.returncode == 1
    assert 'did you mean "mizzen.dev/min-nodes"?' in done.stderr


def test_a_job_larger_than_the_pool_says_so_where_it_is_described(instance: Instance) -> None:
    body = job("large", ["python", "-c", "print(1)"], nodes=900)
    assert kubectl(instance, "apply", "-f", "-", body=body).returncode == 0
    too_large = "its 900 members need 900 of them together"
    until_condition(instance, "large", "mizzen.dev/Waiting", lambda said: too_large in said)
    described = instance.until(
        lambda: (
            (text := kubectl(instance, "describe", "trainjob", "large").stdout)
            and "ask for at most" in text.partition("Events:")[2]
            and text
        )
    )
    assert "Unschedulable" in described
    assert "need 900 of them together" in instance.ok("ps")
    told = instance.ok("why", "trainjob/large")
    assert "pod/large-node-0-0 and 899 more in detail:" in told
    assert "  1 node  InsufficientDevices: " in told
    assert "  change 1: its 900 members need 900 of them together and there are " in told
    kubectl(instance, "delete", "trainjob", "large")


def test_a_program_that_raises_is_quoted(instance: Instance, tmp_path: Path) -> None:
    script = tmp_path / "raises.py"
    script.write_text("raise ValueError('the data has no column text')\n")
    done = instance.run("train", str(script), "--follow")
    assert done.returncode == 1
    assert "ValueError: the data has no column text" in done.stdout + done.stderr
    failed = until_condition(instance, "raises", "Failed")
    assert "exit code 1" in failed["message"]
    assert "ValueError: the data has no column text" in failed["message"]


def test_a_job_without_a_command_is_told_what_to_set(instance: Instance) -> None:
    body = job("empty", [])
    assert kubectl(instance, "apply", "-f", "-", body=body).returncode == 0
    assert "spec.trainer.command" in until_condition(instance, "empty", "Failed")["message"]


def test_a_program_that_does_not_use_the_library_completes(
    instance: Instance, tmp_path: Path
) -> None:
    script = tmp_path / "plain.py"
    script.write_text("print('hello')\n")
    done = instance.run("train", str(script), "--follow")
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout


@contextlib.contextmanager
def heeding_ctrl_c() -> Iterator[None]:
    """What runs in the background of a shell is born deaf to Ctrl-C, and so are its children.

    A signal that has a handler gets its default back in a new program; one ignored stays ignored.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_the_watching_and_says_that_the_training_goes_on(
    instance: Instance, tmp_path: Path
) -> None:
    script = tmp_path / "long.py"
    script.write_text("import time\nprint('begun', flush=True)\ntime.sleep(1000)\n")
    words = ["--home", str(instance.home), "train", str(script), "--follow"]
    command = [sys.executable, "-m", "mizzen.cli", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with heeding_ctrl_c():
        watching = subprocess.Popen(command, text=True, **pipes)
    with watching:
        assert watching.stdout is not None
        while "begun" not in watching.stdout.readline():
            pass
        watching.send_signal(signal.SIGINT)
        _, told = watching.communicate(timeout=DEADLINE_S)
    assert watching.returncode == 130
    assert "trainjob/long goes on" in told and "Traceback" not in told
    assert "Running" in kubectl(instance, "get", "trainjob", "long").stdout
    kubectl(instance, "delete", "trainjob", "long")


@pytest.mark.parametrize(
    ("words", "told"),
    [(("--workers", "0"), "from 1 to"), (("--min-workers", "2"), "choose min <= workers")],
)
def test_no_workers_are_no_training(
    instance: Instance, tmp_path: Path, words: tuple[str, str], told: str
) -> None:
    script = tmp_path / "none.py"
    script.touch()
    done = instance.run("train", str(script), *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "is a folder" in instance.run("train", str(tmp_path)).stderr


def test_a_runtime_that_is_not_there_is_told_at_once(instance: Instance, tmp_path: Path) -> None:
    script = tmp_path / "any.py"
    script.touch()
    done = instance.run("train", str(script), "--runtime", "nope")
    assert done.returncode == 4
    assert "--runtime 'nope' does not exist; there are: jax-distributed" in done.stderr
    assert kubectl(instance, "get", "trainjob", "any").returncode == 1


def test_a_device_class_that_is_not_there_is_told_at_once(
    instance: Instance, tmp_path: Path
) -> None:
    model = tmp_path / "any.gguf"
    model.touch()
    for verb in ("train", "serve"):
        done = instance.run(verb, str(model), "--device-class", "nope")
        assert done.returncode == 4
        assert "--device-class 'nope' does not exist; there are: cpu-core" in done.stderr
    assert kubectl(instance, "get", "modelendpoint", "any").returncode == 1


def test_what_is_named_twice_is_deleted_once(instance: Instance) -> None:
    run = ("run", "twice", "--image=mizzen.dev/python", "--restart=Never", "--command", "--")
    assert kubectl(instance, *run, "true").returncode == 0
    done = instance.run("delete", "twice", "pod/twice")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_damaged_record_of_addresses_is_told(instance: Instance, tmp_path: Path) -> None:
    model, record = tmp_path / "m.gguf", instance.home / "state/run/supervisor.json"
    model.touch()
    kept = record.read_bytes()
    record.write_bytes(b"")
    done = instance.run("serve", str(model), "--name", "unseen", "--no-wait")
    record.write_bytes(kept)
    assert done.returncode == 1
    assert "modelendpoint/unseen is made, but the record" in done.stderr
    kubectl(instance, "delete", "modelendpoint", "unseen")


STUCK = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError"


def test_what_is_not_served_is_refused_or_warned_of(instance: Instance) -> None:
    run = ("run", "asks", "--image=mizzen.dev/python", "--restart=Never", "--overrides")
    asks = json.dumps({"spec": {"hostUsers": False}})
    done = kubectl(instance, *run, asks, "--command", "--", "true")
    assert done.returncode == 0
    assert "Warning: spec.hostUsers: false is refused by Mizzen's own nodes" in done.stderr
    found = kubectl(instance, "wait", "pod/asks", "--timeout=30s", "--for", STUCK)
    assert found.returncode == 0, found.stderr
    shown = kubectl(instance, "get", "pod", "asks", "-o", "json")
    assert "spec.hostUsers: pods are processes of the machine" in shown.stdout
    assert kubectl(instance, "delete", "pod", "asks", "--wait").returncode == 0
    asks = json.dumps({"spec": {"hostNetwork": True}})
    done = kubectl(instance, *run, asks, "--command", "--", "true")
    assert done.returncode == 0 and "Warning: spec.hostNetwork: true changes nothing" in done.stderr


BATCH = """
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  backoffLimit: {limit}
  template:
    spec:
      restartPolicy: Never
      priorityClassName: {priority}
      containers:
      - {{name: c, image: mizzen.dev/python, command: [python, -c, "import sys; sys.exit({code})"]}}
{policy}
"""
FAIL_ON_42 = """
  podFailurePolicy:
    rules:
    - {action: FailJob, onExitCodes: {operator: In, values: [42]}}
"""


def _batch(instance: Instance, name: str, **more: Any) -> None:
    words = {"limit": 6, "priority": '""', "code": 0, "policy": "", **more}
    done = kubectl(instance, "apply", "-f", "-", body=BATCH.format(name=name, **words))
    assert done.returncode == 0, done.stderr


def test_a_job_that_waits_to_try_again_says_so(instance: Instance) -> None:
    _batch(instance, "again", code=3)
    said = instance.until(lambda: conditions(instance, "job", "again").get("mizzen.dev/Waiting"))
    assert said["reason"] == "BackOff" and "exit code 3" in said["message"]
    assert "the next try is at" in instance.ok("ps")
    kubectl(instance, "delete", "job", "again")


def test_a_job_fails_at_once_where_its_policy_says_so(instance: Instance) -> None:
    _batch(instance, "hopeless", code=42, policy=FAIL_ON_42)
    failed = instance.until(lambda: conditions(instance, "job", "hopeless").get("Failed"))
    assert failed["reason"] == "PodFailurePolicy"
    assert "exit code 42 matching FailJob rule at index 0" in failed["message"]


def test_a_job_whose_pods_are_refused_says_so(instance: Instance) -> None:
    _batch(instance, "refused", priority="nobody-knows-it")
    said = instance.until(lambda: conditions(instance, "job", "refused").get("mizzen.dev/Waiting"))
    assert "no PriorityClass with name nobody-knows-it was found" in said["message"]
    assert said["message"] in instance.ok("ps")
    kubectl(instance, "delete", "job", "refused")


def test_what_down_interrupts_says_so_and_its_time_has_its_line(instance: Instance) -> None:
    run = ("run", "bare", "--image=mizzen.dev/python", "--restart=Never", "--command", "--")
    assert kubectl(instance, *run, "sleep", "1000").returncode == 0
    instance.until(lambda: "Running" in kubectl(instance, "get", "pod", "bare").stdout)
    instance.ok("down")
    instance.ok("up", "--detach")
    instance.until(lambda: "InstanceDown" in kubectl(instance, "describe", "pod", "bare").stdout)
    assert "the instance went down while it ran" in instance.ok("ps")
    instance.until(
        lambda: any(
            row["line"] == "down" for row in json.loads(instance.ok("cost", "-o", "json"))["lines"]
        )
    )
