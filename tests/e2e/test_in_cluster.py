"""A program in a pod finds the API as in any cluster, and is its account: what a role gives, it may."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.instance import Instance
from support.mounting import may_mount

_PROGRAM = """
import os
from kubernetes import client, config
from kubernetes.config.incluster_config import InClusterConfigLoader
if {shown}:
    config.load_incluster_config()
else:
    folder = os.environ["MIZZEN_SERVICE_ACCOUNT"]
    loader = InClusterConfigLoader(
        token_filename=folder + "/token", cert_filename=folder + "/ca.crt"
    )
    loader.load_and_set()
print(os.environ["WORD"])
print(client.AuthenticationV1Api().create_self_subject_review({{}}).status.user_info.username)
maps = client.CoreV1Api().list_namespaced_config_map("default")
print([each.metadata.name for each in maps.items])
try:
    client.CoreV1Api().list_namespaced_secret("default")
except client.ApiException as error:
    print(error.status)
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path / "home")
    made.ok("up", "--detach")
    try:
        yield made
    finally:
        made.run("down")


def test_clients_find_their_account_in_a_pod(instance: Instance) -> None:
    instance.kubectl("create", "serviceaccount", "robot")
    instance.kubectl("create", "role", "reads", "--verb=list", "--resource=configmaps")
    instance.kubectl("create", "rolebinding", "reads", "--role=reads",
                     "--serviceaccount=default:robot")  # fmt: skip
    command = ["python", "-c", _PROGRAM.format(shown=may_mount())]
    for name in ("near", "far"):
        instance.kubectl("create", "secret", "generic", name, "--from-literal=word=hush")
    env = [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "near", "key": "word"}}}]
    container = {"name": "c", "image": "mizzen.dev/python", "command": command, "env": env}
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asks"},
        "spec": {"restartPolicy": "Never", "serviceAccountName": "robot",
                 "containers": [container]},
    }  # fmt: skip
    instance.kubectl("apply", "-f", "-", given=json.dumps(pod))
    instance.until(lambda: instance.kubectl(
        "get", "pod", "asks", "-o", "jsonpath={.status.phase}") in ("Succeeded", "Failed"))  # fmt: skip
    said = instance.kubectl("logs", "asks").splitlines()
    assert said == ["hush", "system:serviceaccount:default:robot", "['kube-root-ca.crt']", "403"]
    reader = instance.home / "state" / "pki" / "node.kubeconfig"
    for name, answer in (("near", "secret/near\n"), ("far", "no relationship found between node")):
        words = ["kubectl", "--kubeconfig", str(reader), "get", "secret", name, "-o", "name"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert answer in done.stdout + done.stderr
