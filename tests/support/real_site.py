"""Mizzen as `mizzen install` puts it on a real cluster with real nodes, and hands to look at it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mizzen.base.names import HANDED_OVER, HANDED_OVER_TO, SYSTEM_NAMESPACE
from mizzen.base.objects import Obj, has_condition
from support.real_cluster import Cluster
from support.real_node import Node

COMPONENTS = ("mizzen-scheduler", "mizzen-controllers")
REPOSITORY = "registry.example/mizzen"
DEADLINE_S = 90.0
POLL_S = 0.2


@dataclass
class Site:
    """The administrator's hands. Mizzen's own pods find room on `system`; `accelerated` is the
    node that is handed over."""

    cluster: Cluster
    system: Node
    accelerated: Node

    def run(self, *command: str, errors: int = subprocess.PIPE) -> str:
        """What it prints, as the cluster's administrator. Errors: AssertionError."""
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            timeout=DEADLINE_S,
            cwd=self.cluster.folder,
            env=self.environment,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        config = str(self.cluster.kubeconfig())
        return {"PATH": path, "KUBECONFIG": config, "HOME": str(self.cluster.folder)}

    def kubectl(self, *words: str) -> str:
        return self.run("kubectl", *words)

    def install(self, tag: str) -> str:
        """All that `mizzen install` says."""
        config = str(self.cluster.kubeconfig())
        image = f"{REPOSITORY}:{tag}"
        words = ("install", "--kubeconfig", config, "--image", image)
        return self.run("mizzen", *words, errors=subprocess.STDOUT)

    def hand_over(self) -> None:
        """The commands of docs/real-cluster.md for a node that nobody uses."""
        name, value = self.accelerated.name, f"{HANDED_OVER}={HANDED_OVER_TO}"
        self.kubectl("taint", "--overwrite", "node", name, f"{value}:NoSchedule")
        self.kubectl("label", "--overwrite", "node", name, value)

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", "-o", "json", *words))

    def pods(self, component: str) -> list[Obj]:
        """Of a component, without those that are leaving."""
        label = f"app.kubernetes.io/name={component}"
        found: list[Obj] = self.get("pods", "-n", SYSTEM_NAMESPACE, "-l", label)["items"]
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def log(self, pod: Obj) -> str:
        return self.kubectl("logs", "-n", SYSTEM_NAMESPACE, pod["metadata"]["name"])

    def process(self, pod: Obj) -> int:
        """The pid of a pod's only container, as this machine counts."""
        container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix(
            "containerd://"
        )
        return {**self.system.processes(), **self.accelerated.processes()}[container]

    def leader(self, component: str) -> str:
        """The name of the pod that leads, "" while none does."""
        return self.holder(component).split("_")[0]

    def holder(self, component: str) -> str:
        """The process that leads, another one after each start of a container; "" while none
        does."""
        leases: list[Obj] = self.get("leases", "-n", SYSTEM_NAMESPACE)["items"]
        held = {lease["metadata"]["name"]: lease["spec"].get("holderIdentity") for lease in leases}
        return str(held.get(component) or "")

    def is_available(self, tag: str) -> bool:
        """Whether both components run two copies of this version that count, and no other."""
        for name in COMPONENTS:
            deployment = self.get("deployment", "-n", SYSTEM_NAMESPACE, name)
            pods, status = self.pods(name), deployment.get("status", {})
            if (
                status.get("observedGeneration") != deployment["metadata"]["generation"]
                or status.get("availableReplicas") != 2
                or [pod["spec"]["containers"][0]["image"] for pod in pods]
                != [f"{REPOSITORY}:{tag}"] * 2
            ):
                return False
        return all(self.leader(name) for name in COMPONENTS)

    def run_pod(self, name: str) -> None:
        """A pod for Mizzen's scheduler that ends well at once."""
        container = {
            "name": "main",
            "image": f"{REPOSITORY}:1",
            "command": ["python3", "-S", "-c", "print('ran')"],
        }
        spec = {"schedulerName": "mizzen", "restartPolicy": "Never", "containers": [container]}
        path = "/api/v1/namespaces/default/pods"
        status, answer = self.cluster.call("POST", path, {"metadata": {"name": name}, "spec": spec})
        assert status == 201, answer

    def has_run(self, name: str) -> bool:
        pod = self.get("pod", name)
        return pod["status"]["phase"] == "Succeeded"

    def until(
        self, condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S
    ) -> None:
        deadline = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < deadline, (
                f"not within {deadline_s} s: {what}\n"
                + self.kubectl("get", "pods", "-A", "-o", "wide")
            )
            time.sleep(POLL_S)


def is_ready(pod: Obj) -> bool:
    return has_condition(pod, "Ready")
