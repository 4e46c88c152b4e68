"""A Service of real pods, reached through the gateway of a real instance."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mizzen.host.home import Home
from mizzen.host.pki import load_api_keys
from support.instance import Instance

_SERVE = "exec python -m http.server 8000 --bind $POD_IP"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "files"},
    "spec": {
        "clusterIP": "None",
        "selector": {"app": "files"},
        "ports": [{"port": 80, "targetPort": "http"}],
    },
}


def pod(name: str, folder: Path) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": "mizzen.dev/python",
        "command": ["sh", "-c", f"cd {folder} && {_SERVE}"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1},
    }
    metadata = {"name": name, "labels": {"app": "files"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {
        "terminationGracePeriodSeconds": 1, "containers": [container]}}  # fmt: skip


class Cluster:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.kubeconfig = instance.ok("kubeconfig").strip()
        self.gateway: str = instance.process("gateway")["address"]
        self.key = load_api_keys(Home.locate(str(instance.home), {}))[0]

    def kubectl(self, *words: str, stdin: object = None) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, *words],
            input=json.dumps(stdin) if stdin else None,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def get(self, path: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(self.gateway + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """An instance that was started where all is to go through a proxy, which nothing must."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        url = "http://127.0.0.1:{1}".format(*proxy.getsockname())
        names = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
        proxies = dict.fromkeys([*names, *map(str.upper, names)], url)
        instance = Instance(tmp_path / "home", {**proxies, "no_proxy": "", "NO_PROXY": ""})
        instance.ok("up", "--detach")
        try:
            yield Cluster(instance)
        finally:
            instance.run("down")
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_a_service_resolves_through_the_gateway(cluster: Cluster, tmp_path: Path) -> None:
    path = "/services/default/files/name.txt"
    assert cluster.get(path)[0] == 404
    cluster.kubectl("apply", "-f", "-", stdin=SERVICE)
    status, text = cluster.instance.until(lambda: (got := cluster.get(path))[0] == 503 and got)
    assert "matches no pod" in text, status
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "name.txt").write_text(name)
        cluster.kubectl("create", "-f", "-", stdin=pod(name, folder))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/one", "pod/two", "--timeout=30s")
    cluster.instance.until(
        lambda: {cluster.get(path) for _ in range(2)} == {(200, "one"), (200, "two")}
    )
    cluster.kubectl("delete", "pod", "one", "--wait")
    assert {cluster.get(path) for _ in range(3)} == {(200, "two")}
    described = cluster.kubectl("describe", "service", "files")
    assert "Selector:" in described and "app=files" in described
