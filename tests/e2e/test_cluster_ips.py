"""`kubectl expose deployment`, then curl: a real instance, real processes, no root."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mizzen.host.home import Home
from support.instance import Instance

_SERVE = (
    "import http.server, os\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        body = (os.environ['POD_NAME'] + ' ' + os.environ.get('PEER_SERVICE_HOST', '')).encode()\n"
    "        self.send_response(200)\n"
    "        self.send_header('Content-Length', str(len(body)))\n"
    "        self.end_headers()\n"
    "        self.wfile.write(body)\n"
    "    def log_message(self, *args): pass\n"
    "http.server.ThreadingHTTPServer((os.environ['POD_IP'], 8000), H).serve_forever()\n"
)


def deployment(name: str, replicas: int) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": "mizzen.dev/python",
        "command": ["python", "-c", _SERVE],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1},
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }


class Cluster:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._kubeconfig = instance.ok("kubeconfig").strip()

    def kubectl(self, *words: str, stdin: object = None) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self._kubeconfig, *words],
            input=json.dumps(stdin) if stdin else None,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def service(self, name: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", "service", name, "-o", "json"))["spec"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    instance = Instance(tmp_path / "home")
    instance.ok("up", "--detach")
    try:
        yield Cluster(instance)
    finally:
        instance.run("down")


def get(address: str, port: int) -> str:
    """Errors: OSError where nobody answers."""
    with urllib.request.urlopen(f"http://{address}:{port}/", timeout=10) as response:
        return response.read().decode()


def _answers(address: str, port: int) -> str:
    try:
        return get(address, port)
    except OSError:
        return ""


def test_an_exposed_deployment_answers_through_its_rollout(cluster: Cluster) -> None:
    cluster.kubectl("create", "service", "clusterip", "peer", "--tcp=80:80")
    cluster.kubectl("apply", "-f", "-", stdin=deployment("web", 2))
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    cluster.kubectl("expose", "deployment", "web", "--type=NodePort", "--port=18080",
                    "--target-port=http")  # fmt: skip
    spec = cluster.service("web")
    address, node_port = spec["clusterIP"], spec["ports"][0]["nodePort"]
    cluster.instance.until(lambda: _answers(address, 18080))
    peer = cluster.service("peer")["clusterIP"]
    answers = {get(address, 18080) for _ in range(4)}
    assert len(answers) == 2 and all(text.endswith(peer) for text in answers)
    assert get("127.0.0.1", node_port) in answers
    faults: list[str] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                get(address, 18080)
            except OSError as error:
                faults.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        cluster.kubectl("scale", "deployment/web", "--replicas=3")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    finally:
        done.set()
        asking.join()
    assert faults == []
    cluster.kubectl("scale", "deployment/web", "--replicas=0")
    cluster.instance.until(lambda: not _answers(address, 18080))


def test_the_service_kubernetes_is_the_api_server(cluster: Cluster) -> None:
    spec = cluster.service("kubernetes")
    host, port = spec["clusterIP"], spec["ports"][0]["port"]
    home = Home.locate(str(cluster.instance.home), {})
    context = ssl.create_default_context(cafile=str(home.pki / "ca.crt"))

    def healthy() -> bool:
        url = f"https://{host}:{port}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=10, context=context) as response:
                return response.read() == b"ok"
        except OSError:
            return False

    cluster.instance.until(healthy)
    slices = cluster.kubectl("get", "endpointslices", "kubernetes", "-o", "wide")
    listens = str(cluster.instance.process("apiserver")["address"])
    assert listens.rpartition(":")[2] in slices.split()
    os.kill(cluster.instance.process("node")["pid"], signal.SIGKILL)
    cluster.instance.until(healthy)
