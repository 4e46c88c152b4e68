"""Pods that end together, hold on, write where they should not, or ask for too much."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from attack.stage import NAMESPACE, Attack, Stage

PODS = f"{NAMESPACE}/pods"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
TOLD_S = 30.0  # within which a pod has ended or says why it does not run
ANSWER_S_MAX = 10.0  # of a log, whatever the pod put there
CHILD = "import os,sys,time; os.fork() and sys.exit(); os.setsid(); os.fork() and sys.exit(); "


def attacks(stage: Stage) -> Iterator[Attack]:
    yield Attack("sixty pods that end together", lambda: _together(stage))
    yield Attack("exec probes that end together", lambda: _probes(stage))
    for name, env in _bombs():
        yield Attack(f"environment: {name}", lambda env=env: _told(stage, env=env))
    yield Attack("image with a NUL", lambda: _told(stage, image="/bin/sh\0"))
    for name, script in _scripts().items():
        yield Attack(name, lambda script=script: _logs(stage, script))
    yield Attack("folders deeper than any stack", lambda: _leaves_nothing(stage, _DEEP))
    yield Attack("folders without rights", lambda: _leaves_nothing(stage, _SHUT))
    yield Attack("a link in place of its folder", lambda: _leads_nowhere(stage))
    yield Attack("the parent of all pods is stopped", lambda: _stopped(stage))
    yield Attack("descendants with sessions of their own", lambda: _descendants(stage))
    yield Attack("processes by the hundred", lambda: _logs(stage, _FORKS))
    yield Attack("50 MB of output without an end of line", lambda: _logs(stage, _FLOOD))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    number = 0
    while True:
        number += 1
        container = _container(chance)
        yield Attack(f"generated {number}", lambda container=container: _told(stage, **container))


_DEEP = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"
_SHUT = (
    "import os\nos.makedirs('a/b/c'); os.chmod('a/b/c', 0); os.chmod('a/b', 0); os.chmod('a', 0)"
)
_FORKS = "for i in $(seq 300); do sleep 3 & done; wait"
_FLOOD = "head -c 50000000 /dev/zero | tr '\\0' x"


def _scripts() -> dict[str, str]:
    """What a pod may do to the folder it works in."""
    return {
        "FIFO where a log would be": "echo hi; mkfifo 1.log 0.log",
        "FIFO as the termination message": "mkfifo termination-log; exit 1",
        "endless termination message": "ln -s /dev/zero termination-log; exit 1",
        "log that is a link to what it may not see": "ln -s /etc/shadow 5.log; echo mine",
        "digits that are none": "touch ².log; echo mine",
        "its log removed": "echo mine; rm -f *.log",
    }


def _bombs() -> Iterator[tuple[str, list[dict[str, str]]]]:
    for times in (17, 40):
        env = [{"name": "A0", "value": "x" * 100}]
        env += [{"name": f"A{n + 1}", "value": f"$(A{n})$(A{n})"} for n in range(times)]
        yield f"doubled {times} times", env
    yield "quadratic host name", [{"name": "A", "value": "a" * 100_000 + " ."}]
    yield "one value of 300 KB", [{"name": "A", "value": "a" * 300_000}]


def _name(stage: Stage) -> str:
    return f"hostile-{time.monotonic_ns():x}"


def _pod(stage: Stage, command: list[str], **container: Any) -> str:
    name = _name(stage)
    created = stage.create_pod(name, command, container=container)
    assert created.status == 201, created.said
    return name


def _ended(stage: Stage, name: str) -> Callable[[], bool]:
    return lambda: stage.pod(name)["status"].get("phase") in ("Succeeded", "Failed")


def _told(stage: Stage, **container: Any) -> None:
    """The pod is refused, or ends, or runs, or says on itself why not."""
    name = _name(stage)
    command = container.pop("command", ["/bin/true"])
    created = stage.create_pod(name, command, container=container)
    assert created.status < 500, created.said
    if created.status != 201:
        return

    def is_told() -> bool:
        status = stage.pod(name).get("status") or {}
        waiting = [
            c["state"]["waiting"].get("reason", "")
            for c in status.get("containerStatuses") or ()
            if "waiting" in (c.get("state") or {})
        ]
        conditions = [c for c in status.get("conditions") or () if c.get("message")]
        is_said = any(w not in ("", "ContainerCreating") for w in waiting)
        return status.get("phase") != "Pending" or is_said or bool(conditions)

    stage.until(is_told, f"a word on pod {name}", TOLD_S)
    stage.delete(f"{PODS}/{name}")


def _together(stage: Stage) -> None:
    container = {"name": "c", "image": "/bin/true", "command": ["/bin/true"]}
    spec = {
        "parallelism": 30,
        "completions": 60,
        "backoffLimit": 1000,
        "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "together"}, "spec": spec}
    assert stage.request("POST", JOBS, job).status == 201

    def status() -> dict[str, Any]:
        return stage.request("GET", f"{JOBS}/together").json.get("status") or {}

    stage.until(lambda: status().get("succeeded") == 60, "60 pods to succeed", 120)
    assert not status().get("failed"), f"pods failed: {status()}"
    stage.request("DELETE", f"{JOBS}/together", {"propagationPolicy": "Background"})


def _probes(stage: Stage) -> None:
    probe = {"exec": {"command": ["/bin/true"]}, "periodSeconds": 1}
    names = [
        _pod(stage, ["/bin/sleep", "60"], livenessProbe=probe, readinessProbe=probe)
        for _ in range(4)
    ]
    time.sleep(5)  # of probes, about forty
    for name in names:
        status = stage.pod(name)["status"]
        assert status["phase"] == "Running", status
        assert not status["containerStatuses"][0]["restartCount"], status
        stage.delete(f"{PODS}/{name}")


def _logs(stage: Stage, script: str) -> None:
    """The pod ends, and its log is answered in time and is the pod's own."""
    name = _pod(stage, ["/bin/sh", "-c", script])
    stage.until(_ended(stage, name), f"pod {name} to end", TOLD_S)
    began = time.monotonic()
    answer = stage.request("GET", f"{PODS}/{name}/log?tailLines=5&limitBytes=100000")
    took = time.monotonic() - began
    assert answer.status < 500, answer.said
    assert took < ANSWER_S_MAX, f"its log took {took:.1f} s"
    assert b"root:" not in answer.body, "a file that is not its log was shown"
    if "echo mine" in script:
        assert answer.body == b"mine\n", answer.said
    stage.delete(f"{PODS}/{name}")


def _folder(stage: Stage, name: str) -> Path:
    return stage.home.node / "pods" / stage.pod(name)["metadata"]["uid"]


def _leaves_nothing(stage: Stage, program: str) -> None:
    """What the pod made goes with it."""
    name = _pod(stage, ["python3", "-c", program])
    stage.until(_ended(stage, name), f"pod {name} to end", TOLD_S)
    work = _folder(stage, name) / "c" / "work"
    assert work.is_dir(), work
    stage.delete(f"{PODS}/{name}")
    stage.until(lambda: not work.exists(), f"{work} to be gone", TOLD_S)


def _leads_nowhere(stage: Stage) -> None:
    """Nothing more is written where the pod's link points to once its next run is due."""
    away = stage.home.state / f"away-{time.monotonic_ns():x}"
    away.mkdir()
    script = f"cd ../..; mv c before; ln -s {away} c; exit 1"
    name = _name(stage)
    made = stage.create_pod(name, ["/bin/sh", "-c", script], restartPolicy="OnFailure")
    assert made.status == 201, made.said

    def says() -> bool:
        (container,) = stage.pod(name)["status"].get("containerStatuses") or [{"state": {}}]
        return "a link or a file lies" in str(container["state"])

    stage.until(says, f"a word on the link of pod {name}", TOLD_S)
    assert not [path for path in away.iterdir() if path.suffix == ".log"], "a log was written there"
    stage.delete(f"{PODS}/{name}")


def _stopped(stage: Stage) -> None:
    """It is told to go on by the agent, and pods start again."""
    os.kill(stage.shim_pid(), signal.SIGSTOP)
    name = _pod(stage, ["/bin/true"])
    stage.until(_ended(stage, name), f"pod {name} to end", 60.0)
    stage.delete(f"{PODS}/{name}")


def _descendants(stage: Stage) -> None:
    """What left its session and its parents still goes with the pod."""
    mark = f"mark{time.monotonic_ns():x}"
    program = f"{CHILD}time.sleep(600)  # {mark}"
    name = _pod(stage, ["/bin/sh", "-c", f"python3 -c '{program}'; exec sleep 600"])

    def marked() -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes()
                if mark.encode() in words and not words.startswith(b"/bin/sh"):
                    found.append(int(entry.name))
        return found

    stage.until(marked, "the descendant")
    stage.delete(f"{PODS}/{name}")
    stage.until(lambda: not marked(), "the descendant to end", 20)


def _container(chance: Random) -> dict[str, Any]:
    """A container with one or two places that hold what they should not."""
    odd: list[Any] = ["", "\0", "x" * 70_000, "$(A)" * 5000, "é\x1b[31m", "../..", "/dev/zero"]
    container: dict[str, Any] = {"command": ["/bin/true"]}
    for _ in range(chance.randrange(1, 3)):
        value = chance.choice(odd)
        key = chance.choice(["command", "args", "workingDir", "env", "image", "resources", "ports"])
        container[key] = {
            "command": [value],
            "args": [value, value],
            "workingDir": value,
            "env": [{"name": "A", "value": value}, {"name": "B", "value": "$(A)$(A)"}],
            "image": value,
            "resources": {"limits": {"cpu": chance.choice(["1e9", "0", "1n", value])}},
            "ports": [{"containerPort": chance.choice([0, 1, 65536, 8080])}],
        }[key]
    return container
