"""The image, installed by `mizzen install`, in real pods; at the end it is taken away again."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from mizzen.base.names import SYSTEM_NAMESPACE
from mizzen.base.objects import Obj, has_condition, name_of
from support.real_node import ROOT
from support.real_site import COMPONENTS, REPOSITORY, Site, is_ready

MEMORY_BYTES_MAX = 512 << 20  # what each pod asks for
FROZEN_S = 240.0  # twelve probes of ten seconds, then the grace in which it does not end
TRAIN_JOB = f"""
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {{name: train}}
spec:
  runtimeRef: {{name: jax-distributed}}
  trainer:
    numNodes: 2
    image: {REPOSITORY}:1
    command: [python3, -S, -c, "import os; print('rank', os.environ['JAX_PROCESS_ID'])"]
"""


@pytest.mark.parametrize("component", COMPONENTS)
def test_both_copies_are_ready_unprivileged_and_content(site: Site, component: str) -> None:
    pods = site.pods(component)
    assert [is_ready(pod) for pod in pods] == [True, True]
    for pod in pods:
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        log = site.log(pod)
        assert not re.search("orbidden|Traceback|WARNING|ERROR", log), log
        process = Path("/proc", str(site.process(pod)))
        lines = (line.split(":", 1) for line in (process / "status").read_text().splitlines())
        status = {name: value.split() for name, value in lines}
        assert status["Uid"] == ["65532"] * 4
        for capabilities in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
            assert int(status[capabilities][0], 16) == 0
        assert status["NoNewPrivs"] == ["1"]
        assert status["Seccomp"] == ["2"]  # filtered
        mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
        (root,) = (mount for mount in mounts if mount[4] == "/")
        assert "ro" in root[5].split(",")
        assert int(status["VmRSS"][0]) * 1024 < MEMORY_BYTES_MAX
    assert site.leader(component) in [name_of(pod) for pod in pods]


@pytest.mark.parametrize("component", COMPONENTS)
def test_another_copy_leads_when_the_leader_is_deleted_or_killed(
    site: Site, component: str
) -> None:
    first = site.leader(component)
    site.kubectl("delete", "pod", "-n", SYSTEM_NAMESPACE, first)
    site.until(lambda: site.leader(component) not in ("", first), "the other copy leads")
    site.until(lambda: site.is_available("1"), "there are two copies again")

    second, holder = site.leader(component), site.holder(component)
    (pod,) = (pod for pod in site.pods(component) if name_of(pod) == second)
    os.kill(site.process(pod), signal.SIGKILL)
    site.until(lambda: site.holder(component) not in ("", holder), "another process leads")

    def is_restarted() -> bool:
        (pod,) = (pod for pod in site.pods(component) if name_of(pod) == second)
        return pod["status"]["containerStatuses"][0]["restartCount"] == 1 and is_ready(pod)

    site.until(is_restarted, "the kubelet has started the killed one anew")


def test_a_copy_that_is_frozen_is_started_anew(site: Site) -> None:
    frozen = site.leader("mizzen-controllers")
    (pod,) = (pod for pod in site.pods("mizzen-controllers") if name_of(pod) == frozen)
    restarts = pod["status"]["containerStatuses"][0]["restartCount"]
    os.kill(site.process(pod), signal.SIGSTOP)
    site.until(lambda: site.leader("mizzen-controllers") not in ("", frozen), "the other leads")

    def is_restarted() -> bool:
        (pod,) = (pod for pod in site.pods("mizzen-controllers") if name_of(pod) == frozen)
        (state,) = pod["status"]["containerStatuses"]
        return state["restartCount"] == restarts + 1 and state["ready"]

    site.until(is_restarted, "its liveness probe has failed long enough", FROZEN_S)


def test_pods_and_train_jobs_run_on_the_node_that_is_handed_over(site: Site) -> None:
    manifest = site.cluster.folder / "train.yaml"
    manifest.write_text(TRAIN_JOB)
    site.run_pod("alone")
    site.kubectl("apply", "-f", str(manifest))
    site.until(lambda: site.has_run("alone"), "the pod has run")
    site.until(lambda: has_condition(site.get("trainjob", "train"), "Complete"), "the job has run")
    pods: list[Obj] = site.get("pods")["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {site.accelerated.name}
    ranks = {site.kubectl("logs", name_of(pod)) for pod in pods if name_of(pod) != "alone"}
    assert ranks == {"rank 0\n", "rank 1\n"}
    site.kubectl("delete", "-f", str(manifest))


def test_a_version_that_ends_at_once_replaces_nobody(site: Site) -> None:
    before = {name: {name_of(pod) for pod in site.pods(name)} for name in COMPONENTS}
    site.install("broken")

    def has_failed_again(component: str) -> bool:
        states = [pod["status"].get("containerStatuses") for pod in site.pods(component)]
        return any(state and state[0]["restartCount"] > 1 for state in states)

    for name in COMPONENTS:
        site.until(lambda name=name: has_failed_again(name), "the new version has failed twice")
        pods = {name_of(pod): pod for pod in site.pods(name)}
        assert before[name] <= set(pods)
        assert all(is_ready(pods[pod]) for pod in before[name])
    site.run_pod("meanwhile")
    site.until(lambda: site.has_run("meanwhile"), "the old version places pods")
    site.install("1")
    site.until(lambda: site.is_available("1"), "the old version is all there is")
    assert before == {name: {name_of(pod) for pod in site.pods(name)} for name in COMPONENTS}


def test_a_new_version_takes_over_while_pods_come(site: Site) -> None:
    site.install("2")
    names: list[str] = []

    def one_more_comes_and_it_is_done() -> bool:
        names.append(f"during-{len(names)}")
        site.run_pod(names[-1])
        return site.is_available("2")

    site.until(one_more_comes_and_it_is_done, "version 2 is available")
    for name in names:
        site.until(lambda name=name: site.has_run(name), f"{name} has run")
    for component in COMPONENTS:
        for pod in site.pods(component):
            assert "orbidden" not in site.log(pod)


def test_taken_away_as_the_guide_says_it_leaves_nothing(site: Site) -> None:
    site.kubectl("delete", "pods", "--all")
    guide = (ROOT / "docs" / "real-cluster.md").read_text()
    commands = guide.partition("## Take it away")[2].split("```")[1]
    (site.cluster.folder / "mizzen.yaml").write_text(site.run("mizzen", "install", "--dry-run"))
    site.run("bash", "-euc", commands.replace("gpu-1", site.accelerated.name))

    kinds = site.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    label = "app.kubernetes.io/managed-by=mizzen"
    for kind in kinds:
        left = site.kubectl("get", kind, "-A", "-l", label, "-o", "name", "--ignore-not-found")
        assert not left.strip(), left
    assert not [kind for kind in kinds if kind.endswith("mizzen.dev")]
    nodes: list[Obj] = site.get("nodes")["items"]
    assert not [node for node in nodes if "mizzen.dev" in str(node)]
    for node in (site.system, site.accelerated):
        site.until(lambda node=node: not node.processes(), f"no container runs on {node.name}")
