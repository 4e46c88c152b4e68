"""What every page of metrics keeps to, of every role of a real instance, and what a silent role is.

`kubectl get --raw PATH` asks for the same.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from mizzen.apiserver.role_metrics import ANSWER_S_MAX
from mizzen.controllers.run import find_controllers
from support.exposition import read, value
from support.instance import Instance

pytestmark = pytest.mark.slow
PAGES = ("/metrics", *(f"/metrics/{r}" for r in ("controllers", "scheduler", "gateway", "node")))
# Of one of each, what an operator of Kubernetes looks for first.
KNOWN = {
    "/metrics": {"apiserver_request_total", "mizzen_store_commits_total"},
    "/metrics/controllers": {"workqueue_depth", "controller_runtime_reconcile_total"},
    "/metrics/scheduler": {"scheduler_pending_pods"},
    "/metrics/gateway": {"mizzen_gateway_connections"},
    "/metrics/node": {"kubelet_running_pods", "kubelet_running_containers"},
}


class Api:
    """Requests with the token of one of the instance's identities."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._url = instance.process("apiserver")["address"]
        self._tokens = json.loads((instance.home / "state" / "tokens.json").read_text())
        authority = instance.home / "state" / "pki" / "ca.crt"
        self._tls = ssl.create_default_context(cafile=authority)

    def get(
        self, path: str, identity: str = "admin", body: bytes | None = None
    ) -> tuple[int, str, str]:
        """(status, content type, text); a POST where there is a body."""
        token = self._tokens.get(identity, "nobodys")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._tls) as response:
                found = response.read().decode()
                return response.status, response.headers["content-type"], found
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["content-type"], error.read().decode()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    instance = Instance(tmp_path_factory.mktemp("instance"))
    instance.ok("up", "--detach")
    yield Api(instance)
    instance.run("down")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_read_by_prometheus(api: Api, path: str) -> None:
    status, content_type, text = api.get(path)
    assert status == 200
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    samples = read(text)
    names = {name for name, _ in samples}
    assert names >= KNOWN[path] | {"process_resident_memory_bytes", "process_cpu_seconds_total"}
    assert len(samples) < 1000, "labels are of bounded sets"


def test_a_page_is_of_the_process_it_names(api: Api) -> None:
    """The memory that `mizzen status` tells of it."""
    for role in ("scheduler", "controllers", "node", "gateway", "apiserver"):
        path = "/metrics" if role == "apiserver" else f"/metrics/{role}"
        shown = value(api.get(path)[2], "process_resident_memory_bytes")
        told = api.instance.process(role)["memoryBytes"]
        assert abs(shown - told) < told / 4, role


def test_every_controller_is_counted(api: Api) -> None:
    _, _, text = api.get("/metrics/controllers")
    labels = {label for name, found in read(text) if name == "workqueue_depth" for label in found}
    assert labels == {f'name="{controller.name}"' for controller in find_controllers()}
    assert value(text, "mizzen_informer_objects", resource="nodes") == 1


def test_a_node_is_asked_by_name_too(api: Api) -> None:
    name = json.loads(api.get("/api/v1/nodes")[2])["items"][0]["metadata"]["name"]
    status, _, text = api.get(f"/metrics/node/{name}")
    assert status == 200 and "kubelet_running_pods" in text
    assert api.get("/metrics/node/nobody")[0] == 503


def test_nobody_unknown_reads_them_and_what_is_no_role_is_not_found(api: Api) -> None:
    for path in PAGES:
        assert api.get(path, "nobody")[0] == 401
        assert api.get(path, "system:mizzen:gateway")[0] == 200  # as /metrics itself
    for path in ("/metrics/supervisor", "/metrics/scheduler/x", "/metrics/..%2fshm"):
        assert api.get(path)[0] == 404


def test_sockets_are_their_users_alone(api: Api) -> None:
    folder = api.instance.home / "state" / "run" / "monitors"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.name for each in folder.iterdir()} == {"controllers", "gateway", "scheduler"}


@pytest.mark.parametrize("role", ["scheduler", "node"])
def test_a_role_that_hangs_is_a_504_soon(api: Api, role: str) -> None:
    pid = api.instance.process(role)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        status, _, text = api.get(f"/metrics/{role}")
        took_s = time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGCONT)
    message = json.loads(text)["message"]
    assert status in (503, 504), message
    assert role in message and "answer" in message and "\n" not in message
    assert took_s < ANSWER_S_MAX + 3


def test_a_page_holds_no_names_of_objects(api: Api) -> None:
    """Neither pods, nor what is written in them: labels are of bounded sets."""
    spec = {"containers": [{"name": "c", "image": "mizzen.dev/python", "command": ["true"]}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "very-private"}, "spec": spec}
    assert api.get("/api/v1/namespaces/default/pods", body=json.dumps(pod).encode())[0] == 201

    def is_bound() -> bool:
        text = api.get("/metrics/scheduler")[2]
        return value(text, "mizzen_scheduler_pods_bound_total") >= 1

    api.instance.until(is_bound)
    for path in PAGES:
        assert "very-private" not in api.get(path)[2]
