"""The agent against a real API server: pods become processes and their status comes back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.base.objects import Obj
from mizzen.base.resources import (
    CONFIG_MAPS,
    LEASES,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    SECRETS,
    USAGE_RECORDS,
)
from mizzen.host.clock import RealClock
from mizzen.node import usage
from mizzen.node.addresses import Addresses
from mizzen.node.agent import Agent
from mizzen.node.core.usage import CpuSamples
from mizzen.node.run import NodeConfig
from mizzen.node.runtimes.process.cgroups import Cgroups
from mizzen.node.runtimes.process.processes import start_ticks
from mizzen.node.runtimes.process.runtime import ProcessRuntime
from mizzen.node.runtimes.process.shim_client import Shim
from mizzen.node.runtimes.registry import Runtimes
from mizzen.node.usage import UsageRecorder
from support.agent_world import DEADLINE_S, World, phase
from support.api_in_process import api_server
from support.waiting import until


def state(pod: Obj) -> Obj:
    return pod["status"]["containerStatuses"][0]["state"]


def is_ready(pod: Obj) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path / "home") as client:
        made = World(client, tmp_path)
        await made.start()
        yield made
        await made.stop()


async def test_publishes_the_machine(world: World) -> None:
    node = await world.client.get(NODES, "testnode")
    assert node["status"]["capacity"]["cpu"] == str(len(os.sched_getaffinity(0)))
    assert any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
    slices, _ = await world.client.list(RESOURCE_SLICES)
    drivers = {s["spec"]["driver"] for s in slices}
    assert {"cpu.mizzen.dev", "simulated.mizzen.dev"} <= drivers
    assert await world.client.get(LEASES, "testnode", "kube-node-lease")


async def test_exit_code_log_and_last_words(world: World) -> None:
    await world.pod(
        "p", "python", "-c", "import os; print('ip', os.environ['POD_IP']); raise SystemExit(3)"
    )
    pod = await world.until("p", phase("Failed"))
    ip = pod["status"]["podIP"]
    assert ip.startswith("127.201.") and await world.log("p") == [f"ip {ip}"]
    assert state(pod)["terminated"]["exitCode"] == 3
    assert state(pod)["terminated"]["message"] == f"ip {ip}"


async def test_environment_from_a_config_map_that_comes_later(world: World) -> None:
    env = [{"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "word"}}}]
    await world.pod("p", "sh", "-c", "echo $WORD", container={"env": env})
    await world.until("p", lambda p: "does not exist" in str(p.get("status")))
    body = {"metadata": {"name": "cm", "namespace": "default"}, "data": {"word": "late"}}
    await world.client.create(CONFIG_MAPS, body)
    await world.until("p", phase("Succeeded"))
    assert await world.log("p") == ["late"]


async def test_unknown_images_and_mounts_say_what_exists(world: World) -> None:
    await world.pod("image", "true", container={"image": "nginx"})
    pod = await world.until("image", lambda p: "containerStatuses" in (p.get("status") or {}))
    pod = await world.until(
        "image", lambda p: "reason" in state(p)["waiting"] and "nginx" in str(state(p))
    )
    assert state(pod)["waiting"]["reason"] == "ErrImageNeverPull"
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    await world.pod("mount", "true", container=mounts, volumes=[{"name": "v", "emptyDir": {}}])
    await world.until("mount", lambda p: "MIZZEN_VOLUME_V" in str(p.get("status")))


async def test_an_image_that_no_path_can_be_is_the_pods_reason(world: World) -> None:
    await world.pod("nul", "true", container={"image": "/bin/sh\0"})
    pod = await world.until("nul", lambda p: "reason" in str(p.get("status")))
    waiting = (await world.until("nul", lambda p: state(p)["waiting"].get("message")))["status"]
    assert "NUL byte" in waiting["containerStatuses"][0]["state"]["waiting"]["message"], pod


async def test_a_container_whose_last_words_are_a_folder_starts_again(world: World) -> None:
    program = "rm -f $MIZZEN_TERMINATION_LOG; mkdir -p $MIZZEN_TERMINATION_LOG; exit 1"
    await world.pod("p", "sh", "-c", program, restartPolicy="Always")
    await world.until("p", lambda p: "'restartCount': 2" in str(p.get("status")))


async def test_a_folder_that_cannot_be_made_is_the_pods_reason(world: World) -> None:
    pods = world.config.pods_dir
    pods.rename(pods.with_name("aside"))
    pods.write_text("a file where a folder should be")
    await world.pod("p", "true")
    pod = await world.until("p", lambda p: "CreateContainerError" in str(p.get("status")))
    assert str(pods) in state(pod)["waiting"]["message"]
    pods.unlink()
    pods.with_name("aside").rename(pods)
    await world.until("p", phase("Succeeded"))


async def test_hooks_are_run_before_a_container_is_ready_and_before_it_is_stopped(
    world: World, tmp_path: Path
) -> None:
    begun, over = tmp_path / "begun", tmp_path / "over"
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", f"sleep 0.2; touch {begun}"]}},
        "preStop": {"httpGet": {"port": 8080, "path": "/none"}},
    }
    program = f"trap 'touch {over}; exit' TERM; python -m http.server 8080 --bind $POD_IP & wait"
    await world.pod("p", "sh", "-c", program, container={"lifecycle": hooks})
    await world.until("p", is_ready)
    assert begun.exists()
    await world.client.delete(PODS, "p", "default", grace_period_s=5)
    await world.until_gone("p")
    assert over.exists()
    failing = {"postStart": {"exec": {"command": ["sh", "-c", "echo no; exit 1"]}}}
    await world.pod("q", "sleep", "600", container={"lifecycle": failing})
    ended = await world.until("q", phase("Failed"))
    assert (
        "postStart hook failed: command ended with 1: no" in state(ended)["terminated"]["message"]
    )


async def test_readiness_over_http(world: World) -> None:
    probe = {"readinessProbe": {"httpGet": {"port": 8080}}}
    program = "exec python -m http.server 8080 --bind $POD_IP"
    await world.pod("web", "sh", "-c", program, container=probe)
    await world.until("web", is_ready)


async def test_deletion_ends_the_process_and_the_object(world: World) -> None:
    await world.pod("p", "sleep", "60")
    pod = await world.until("p", phase("Running"))
    pid = int(pod["status"]["containerStatuses"][0]["containerID"].removeprefix("process://"))
    await world.client.delete(PODS, "p", "default")
    await world.until_gone("p")
    assert not start_ticks(pid)


async def test_a_dead_shim_takes_its_pods_along_and_they_come_back(world: World) -> None:
    await world.pod("p", "sleep", "60", restartPolicy="Always")
    pod = await world.until("p", phase("Running"))
    pid = int(pod["status"]["containerStatuses"][0]["containerID"].removeprefix("process://"))
    os.kill(parent_of(pid), signal.SIGKILL)
    pod = await world.until(
        "p",
        lambda p: (
            p["status"]["containerStatuses"][0]["restartCount"] == 1 and "running" in state(p)
        ),
    )
    assert not start_ticks(pid)


async def test_a_shim_that_hangs_up_keeps_its_pods(world: World) -> None:
    await world.pod("p", "sleep", "60")
    pod = await world.until("p", phase("Running"))
    pid = pid_of(pod)
    await world.pod("other", "sleep", "60")
    other = await world.until("other", phase("Running"))
    with socket.socket(socket.AF_UNIX) as other_agent:  # one connection replaces the other
        other_agent.connect(str(world.config.state_dir / "shim.sock"))
        other_agent.recv(1)
    os.kill(pid_of(other), signal.SIGTERM)
    pod = await world.until("other", phase("Failed"))
    assert state(pod)["terminated"]["exitCode"] == 128 + signal.SIGTERM
    assert start_ticks(pid)
    await world.client.delete(PODS, "p", "default")
    await world.until_gone("p")


async def test_a_run_whose_pod_went_unseen_ends_with_all_it_started(tmp_path: Path) -> None:
    async with api_server(tmp_path / "home") as client:
        world = World(client, tmp_path)
        world.config.state_dir.mkdir()
        pids: list[int] = []
        shim = Shim(world.config.state_dir, lambda message: pids.append(message.get("pid", 0)))
        await shim.connect()
        program = "(setsid sh -c 'echo $$ > daemon; exec sleep 60' &); exec sleep 60"
        request = {"argv": ["sh", "-c", program], "env": {"PATH": os.environ["PATH"]}}
        log = {"log": str(tmp_path / "log"), "cwd": str(tmp_path)}
        shim.spawn({"key": "gone/main/0", **request, **log})
        place = tmp_path / "daemon"
        await until(lambda: pids and place.exists() and place.read_text(), "it runs")
        daemon = int(place.read_text())
        await shim.close()
        await world.start()
        await until(lambda: not start_ticks(pids[0]) and not start_ticks(daemon), "both ended")
        await world.stop()


async def test_going_down_ends_processes_and_up_again_judges_them(world: World) -> None:
    await world.pod("never", "sleep", "60")
    await world.pod("always", "sleep", "60", restartPolicy="Always")
    await world.until("never", phase("Running"))
    pod = await world.until("always", phase("Running"))
    ip = pod["status"]["podIP"]
    pid = int(pod["status"]["containerStatuses"][0]["containerID"].removeprefix("process://"))
    await world.stop()
    assert not start_ticks(pid)
    await world.start()
    pod = await world.until("never", phase("Failed"))
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["reason"] == "InstanceDown"
    assert ended["message"] == "the instance went down while it ran"
    pod = await world.until(
        "always", lambda p: "running" in state(p) and str(pid) not in str(p["status"])
    )
    assert pod["status"]["podIP"] == ip


async def test_free_devices_are_accounted(world: World) -> None:
    async with asyncio.timeout(DEADLINE_S):
        async with contextlib.aclosing(world.client.watch(USAGE_RECORDS)) as events:
            async for event in events:
                if event.type == "ADDED":
                    break
    assert [i["line"] for i in event.object["spec"]["intervals"]] == ["free"]


async def test_who_got_a_device_is_known_to_the_next_agent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent is killed between an allocation and the owner's first record."""

    async def held_back(_: UsageRecorder) -> None: ...

    saved = world.config.state_dir / "ledger.json"
    await until(saved.exists, "free devices are accounted")
    with monkeypatch.context() as patch:
        patch.setattr(UsageRecorder, "write", held_back)
        device = (await world.client.list(RESOURCE_SLICES))[0][0]["spec"]
        result = {
            "driver": device["driver"],
            "pool": "testnode",
            "device": device["devices"][0]["name"],
            "request": "r",
        }
        exactly = {"name": "r", "exactly": {"deviceClassName": device["driver"]}}
        claim = {"metadata": {"name": "c", "namespace": "default"},
                 "spec": {"devices": {"requests": [exactly]}}}  # fmt: skip
        await world.client.create(RESOURCE_CLAIMS, claim)
        status = {"status": {"allocation": {"devices": {"results": [result]}}}}
        await world.client.patch(RESOURCE_CLAIMS, "c", status, "default", subresource="status")
        await until(lambda: "default/c" in saved.read_text(), "the owner is in the file")
        since = json.loads(saved.read_text())["owners"][f"{device['driver']}/{result['device']}"][0]
        await world.stop()
    await world.start()

    ends: list[int] = []  # of the records before
    async with asyncio.timeout(DEADLINE_S):
        async with contextlib.aclosing(world.client.watch(USAGE_RECORDS)) as events:
            async for event in events:
                spec = event.object.get("spec") or {}
                if spec.get("device") == result["device"]:
                    if spec.get("claim") == "default/c":
                        break
                    ends.append(spec["end"])
    assert (spec["start"], ends[-1]) == (since, since)


def pid_of(pod: Obj) -> int:
    status: Any = pod["status"]["containerStatuses"][0]
    return int(status["containerID"].removeprefix("process://"))


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


async def test_a_bomb_in_the_environment_is_its_pods_reason_and_bytes_arrive(world: World) -> None:
    await world.pod("other", "sleep", "60")
    env = [{"name": "A0", "value": "x" * 100}]
    env += [{"name": f"A{i + 1}", "value": f"$(A{i})$(A{i})"} for i in range(40)]
    await world.pod("bomb", "true", container={"env": env})
    pod = await world.until("bomb", lambda p: "CreateContainerConfigError" in str(p.get("status")))
    assert 'variable "A11"' in state(pod)["waiting"]["message"]
    raw = b"\xff\xd8\xff\xe0"
    secret = {"metadata": {"name": "s", "namespace": "default"}}
    data = {"data": {"k": base64.b64encode(raw).decode()}}
    await world.client.create(SECRETS, {**secret, **data})
    ref = {"secretKeyRef": {"name": "s", "key": "k"}}
    program = "import os; print(os.environb[b'CERT'].hex(), os.environ['POD'])"
    held = [{"name": "CERT", "valueFrom": ref}, {"name": "POD", "value": "$(POD_IP)$(HOME)"}]
    await world.pod("bytes", "python", "-c", program, container={"env": held})
    await world.until("bytes", phase("Succeeded"))
    assert await world.log("bytes") == [f"{raw.hex()} $(POD_IP)$(HOME)"]
    assert phase("Running")(await world.client.get(PODS, "other", "default"))


async def test_a_programs_folder_holds_nothing_of_ours(world: World) -> None:
    """What it leaves there is not taken for a log, and a pipe for its last words holds nobody."""
    program = 'ls -A; echo hi; touch 100.log; rm -f 0.log; mkfifo "$MIZZEN_TERMINATION_LOG"; exit 3'
    await world.pod("p", "sh", "-c", program)
    pod = await world.until("p", phase("Failed"))
    assert state(pod)["terminated"]["message"] == "hi"
    assert await world.log("p") == ["hi"]


async def test_what_a_pod_installs_stays_in_the_pod(world: World) -> None:
    """pip installs into $PIP_TARGET, and refuses --user beside it; Python finds it there."""
    place = "mkdir -p $PIP_TARGET; echo 'answer = 42' > $PIP_TARGET/tiny_thing.py"
    program = "import tiny_thing; print('at', tiny_thing.__file__)"
    await world.pod("p", "sh", "-c", f'{place}; python -c "{program}"')
    await world.until("p", phase("Succeeded"))
    (said,) = await world.log("p")
    assert said.startswith(f"at {world.config.pods_dir}")


async def test_who_was_killed_by_others_says_so(world: World) -> None:
    """The kernel kills for lack of memory also where no limit of the pod's own was met."""
    await world.pod("p", "sh", "-c", "echo working; kill -9 $(exec sh -c 'echo $PPID')")
    ended = state(await world.until("p", phase("Failed")))["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("Error", 137)
    first, *_, last = ended["message"].splitlines()
    assert first.startswith("killed by SIGKILL, which Mizzen did not send") and last == "working"


async def test_who_was_killed_for_its_memory_says_so(world: World) -> None:
    cgroups = Cgroups.detect(f"probe-{os.getpid()}")
    has_limits = "memory" in cgroups.controllers
    cgroups.close()
    if not has_limits:
        pytest.skip("no control group may limit memory here")
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    program = "print('loading', flush=True); x = bytearray(300 << 20)"
    await world.pod("p", "python", "-c", program, container=limits)
    pod = await world.until("p", phase("Failed"))
    ended = state(pod)["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert ended["message"].startswith("out of memory: the kernel killed a process of the pod at")
    assert "its limit of 64 MiB\nloading" in ended["message"]
    child = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', sys.argv[1]]) != 0)"
    await world.pod("parent", "python", "-c", child, program, container=limits)
    pod = await world.until("parent", phase("Failed"))
    assert (state(pod)["terminated"]["reason"], state(pod)["terminated"]["exitCode"]) == (
        "OOMKilled",
        1,
    )
    await world.pod("fine", "python", "-c", "raise SystemExit(1)", container=limits)
    pod = await world.until("fine", phase("Failed"))
    assert state(pod)["terminated"]["reason"] == "Error"


async def test_who_names_its_node_and_does_not_fit_there_fails_with_the_reason(
    world: World,
) -> None:
    big = {"resources": {"requests": {"cpu": "100"}}}
    await world.pod("big", "sleep", "60", container=big)
    pod = await world.until("big", phase("Failed"))
    assert pod["status"]["reason"] == "OutOfcpu" and "100000 milli-CPU" in pod["status"]["message"]
    await world.pod("elsewhere", "sleep", "60", nodeSelector={"no": "where"})
    pod = await world.until("elsewhere", phase("Failed"))
    assert pod["status"]["reason"] == "NodeAffinity"
    small = {"resources": {"requests": {"cpu": "10m"}}}
    await world.pod("small", "true", container=small)
    await world.until("small", phase("Succeeded"))


async def test_what_pods_that_are_gone_left_is_removed_also_by_the_next_agent(
    world: World,
) -> None:
    def marked(uid: str) -> bool:
        return (world.config.pods_dir / uid / "pod.retired").exists()

    uids: list[str] = []
    for name in ("first", "second"):
        await world.pod(name, "true", volumes=[{"name": "v", "emptyDir": {}}])
        uids.append((await world.until(name, phase("Succeeded")))["metadata"]["uid"])
    await world.stop()
    await world.client.delete(PODS, "first", "default", grace_period_s=0)
    await world.start()
    await until(lambda: marked(uids[0]), "the folder of a pod that went meanwhile is retired")
    assert not marked(uids[1]), "its logs can be asked for"
    await world.client.delete(PODS, "second", "default", grace_period_s=0)
    await until(lambda: marked(uids[1]), "the folder of a pod that ended before is retired")
    assert not any((world.config.pods_dir / uid / "pod.volumes").exists() for uid in uids)


async def test_pods_without_devices_leave_nothing_in_the_books_of_devices(world: World) -> None:
    def kept() -> int:
        return sum(isinstance(o, CpuSamples) for o in gc.get_objects())

    before = kept()
    for number in range(3):
        await world.pod(f"short-{number}", "true")
        await world.until(f"short-{number}", phase("Succeeded"))
    assert kept() == before


@pytest.mark.parametrize("after", ["exit 1", "sleep 60"])
async def test_where_a_rank_file_was_the_next_agent_finds_a_folder(
    world: World, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """It starts, and goes on with its books of all devices, and the pod can end."""
    device = (await world.client.list(RESOURCE_SLICES))[0][0]["spec"]
    exactly = {"name": "r", "exactly": {"deviceClassName": device["driver"]}}
    claim = {"metadata": {"name": "c", "namespace": "default"},
             "spec": {"devices": {"requests": [exactly]}}}  # fmt: skip
    await world.client.create(RESOURCE_CLAIMS, claim)
    command = f"rm -f $MIZZEN_RANK_FILE; mkdir -p $MIZZEN_RANK_FILE; echo made; {after}"
    asks = {"resourceClaims": [{"name": "d", "resourceClaimName": "c"}]}
    container = {"resources": {"claims": [{"name": "d"}]}}
    await world.pod(
        "p", "sh", "-c", command, restartPolicy="OnFailure", container=container, **asks
    )
    uid = (await world.client.get(PODS, "p", "default"))["metadata"]["uid"]
    result = {"driver": device["driver"], "pool": "testnode",
              "device": device["devices"][0]["name"], "request": "r"}  # fmt: skip
    held = {"allocation": {"devices": {"results": [result]}},
            "reservedFor": [{"resource": "pods", "name": "p", "uid": uid}]}  # fmt: skip
    await world.client.patch(
        RESOURCE_CLAIMS, "c", {"status": held}, "default", subresource="status"
    )
    log = world.config.pods_dir / uid / "main" / "0.log"
    await until(lambda: log.exists() and "made" in log.read_text(), "the program has done it")
    await world.until("p", lambda p: ("running" if "sleep" in after else "waiting") in state(p))
    monkeypatch.setattr(usage, "FLUSH_S", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(Agent, "stop", Agent.close)
        await world.stop()
    await world.start()
    saved = world.config.state_dir / "ledger.json"
    before = saved.stat().st_mtime_ns
    await until(lambda: saved.stat().st_mtime_ns > before, "the books go on")
    await world.client.delete(PODS, "p", "default", grace_period_s=0)
    await world.until_gone("p")


def processes_of(config: NodeConfig) -> Runtimes:
    """Processes without control groups."""
    return Runtimes([ProcessRuntime(config.state_dir, Cgroups("best-effort", {}))])


@pytest_asyncio.fixture
async def lone(tmp_path: Path) -> AsyncIterator[tuple[Agent, Obj]]:
    """An agent that is told of pods by the test alone, and a pod."""
    async with api_server(tmp_path / "home") as client:
        world = World(client, tmp_path)
        agent = Agent(client, world.config, RealClock(), processes_of(world.config), [], {})
        world.config.pods_dir.mkdir(parents=True)
        await agent.start()
        await world.pod("p", "sleep", "60")
        pod = await client.get(PODS, "p", "default")
        pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
        yield agent, pod
        await agent.stop()


async def test_a_pod_whose_end_met_a_fault_does_not_come_back(
    lone: tuple[Agent, Obj], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    agent, pod = lone
    agent.observe("ADDED", pod)
    await until(lambda: agent.runtimes.running, "it runs")
    with monkeypatch.context() as patch:
        patch.setattr(agent.gangs, "forget", fail)
        agent.observe("DELETED", pod)
        await until(lambda: agent.boundary.statistics()["aside"], "the fault is noticed")
    await until(lambda: not agent.boundary.statistics()["aside"], "it was tried again")
    assert not agent.slots and not agent.runtimes.running


async def test_a_pod_that_goes_before_it_could_be_admitted_is_not_admitted_later(
    lone: tuple[Agent, Obj], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("no pod address is left")

    agent, pod = lone
    monkeypatch.setattr(Addresses, "take", fail)
    agent.observe("ADDED", pod)
    assert agent.boundary.statistics()["aside"] == 1
    agent.observe("DELETED", pod)
    assert agent.boundary.statistics()["aside"] == 0
