"""A kubelet, as it is, is a node of an instance: it joins by what `mizzen node-config` writes."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mizzen.base.objects import Obj, has_condition
from mizzen.base.reading import part
from mizzen.host import pki
from mizzen.host.home import Home
from support.instance import Instance
from support.node_images import BUSYBOX, write_images
from support.ports import free_port
from support.real_cluster import Cluster
from support.real_node import Node, real_node, service_address

NAME = "joined"
WITHIN_S = 150.0  # the machine may be busy with more
SERVICES = "10.97.0.0/16"
CONFIGURED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: green}
---
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {word: xyzzy}
---
apiVersion: v1
kind: Pod
metadata: {name: configured, labels: {purpose: test}}
spec:
  restartPolicy: Never
  initContainers:
  - {name: first, image: IMAGE, imagePullPolicy: Never, command: [sh, -c, "echo init > /shared/x"],
     volumeMounts: [{name: shared, mountPath: /shared}]}
  containers:
  - name: main
    image: IMAGE
    imagePullPolicy: Never
    command: [sh, -c, "echo $COLOUR $WHERE; cat /shared/x /settings/colour /password/word /about/labels; echo; wc -c < /token/t"]
    env:
    - {name: COLOUR, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}
    - {name: WHERE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    volumeMounts:
    - {name: shared, mountPath: /shared}
    - {name: settings, mountPath: /settings}
    - {name: password, mountPath: /password}
    - {name: about, mountPath: /about}
    - {name: token, mountPath: /token}
  volumes:
  - {name: shared, emptyDir: {}}
  - {name: settings, configMap: {name: settings}}
  - {name: password, secret: {secretName: password}}
  - {name: about, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - {name: token, projected: {sources: [{serviceAccountToken: {path: t, audience: me}}]}}
"""


@dataclass
class Joined:
    """An instance with its own agent, and a kubelet beside."""

    mizzen: Instance
    cluster: Cluster
    node: Node
    folder: Path

    def get(self, *words: str) -> Obj:
        return json.loads(self.mizzen.kubectl("get", *words, "-o", "json"))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + WITHIN_S
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {what}"
            time.sleep(0.1)
        return found

    def run(self, name: str, script: str, **spec: Any) -> None:
        """A pod of one shell, which nothing ties to a node."""
        container = {"name": "main", "image": BUSYBOX, "imagePullPolicy": "Never",
                     "command": ["sh", "-c", script], **spec.pop("container", {})}  # fmt: skip
        spec = {"containers": [container], "terminationGracePeriodSeconds": 5, **spec}
        labels = {"app": name}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}}
        self.mizzen.kubectl("apply", "-f", "-", given=json.dumps({**pod, "spec": spec}))

    def runs(self, name: str) -> None:
        self.until(lambda: has_condition(self.get("pod", name), "Ready"), f"{name} is ready")

    def container(self, name: str) -> Obj:
        """The status of the pod's one container; of one that its kubelet has not taken up, nothing."""
        statuses = self.get("pod", name)["status"].get("containerStatuses") or [{}]
        return statuses[0]

    def ends(self, name: str) -> str:
        """What a pod that ends has said."""
        self.until(lambda: self.get("pod", name)["status"]["phase"] in ("Succeeded", "Failed"),
                   f"{name} has ended")  # fmt: skip
        return self.mizzen.kubectl("logs", name)


@pytest.fixture(scope="module")
def joined(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    folder = tmp_path_factory.mktemp("joined")
    images = write_images(programs, folder, folder / "images.tar", (BUSYBOX,))
    mizzen = Instance(folder / "home")
    with service_address() as address:
        mizzen.ok("up", "--detach", "--listen", address, "--service-cluster-ip-range", SERVICES)
        try:
            home = Home.locate(str(mizzen.home), {})
            keys = pki.load(home)
            url = mizzen.process("apiserver")["address"]
            cluster = Cluster(folder, url, keys.ca_file, keys.tokens, keys)

            def join(node: Node, at: str) -> tuple[Path, Path]:
                mizzen.ok(
                    "node-config", node.name, "--address", at, "--output", str(folder / "node"),
                    "--container-runtime-endpoint", f"unix://{node.socket}",
                )  # fmt: skip
                config = json.loads((folder / "node" / "kubelet.yaml").read_bytes())
                config["port"] = free_port()
                (folder / "node" / "kubelet.yaml").write_text(json.dumps(config))
                return folder / "node" / "kubeconfig", folder / "node" / "kubelet.yaml"

            with real_node(cluster, NAME, 9, join) as node:
                node.import_image(images)
                made = Joined(mizzen, cluster, node, folder / "node")
                yield made
                mizzen.kubectl("delete", "pods", "--all", "--now", "--wait=false")
                made.until(lambda: not made.get("pods")["items"], "all pods are gone")
        finally:
            mizzen.run("down")


def test_the_node_is_itself_and_no_other(joined: Joined) -> None:
    node = joined.get("node", NAME)
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
    leases = lambda: joined.get("leases", "-n", "kube-node-lease")["items"]  # noqa: E731
    joined.until(
        lambda: NAME in [each["spec"]["holderIdentity"] for each in leases()], "it has its lease"
    )
    command = ["kubectl", "--kubeconfig", str(joined.folder / "kubeconfig")]
    who = subprocess.run(
        [*command, "auth", "whoami", "-o", "json"], capture_output=True, check=True
    )
    user = json.loads(who.stdout)["status"]["userInfo"]
    assert user["username"] == f"system:node:{NAME}" and "system:nodes" in user["groups"]
    for words in (["get", "secrets", "-A"], ["delete", "node", "--all"], ["get", "pods", "-A"]):
        assert b"orbidden" in subprocess.run([*command, *words], capture_output=True).stderr


def test_a_pod_has_its_configuration(joined: Joined) -> None:
    joined.mizzen.kubectl("apply", "-f", "-", given=CONFIGURED.replace("IMAGE", BUSYBOX))
    said = joined.ends("configured")
    lines = said.split()
    assert lines[:2] == ["green", NAME] and "init" in lines
    assert "xyzzy" in said and 'purpose="test"' in said
    assert int(lines[-1]) > 500  # a signed token


def test_images_choose_their_nodes(joined: Joined) -> None:
    joined.run("container", "true", restartPolicy="Never")
    own = {"image": "mizzen.dev/python", "imagePullPolicy": "IfNotPresent",
           "command": ["python3", "-c", "print('here')"]}  # fmt: skip
    joined.run("process", "", restartPolicy="Never", container=own)
    assert joined.ends("process") == "here\n"
    joined.ends("container")
    assert joined.get("pod", "container")["spec"]["nodeName"] == NAME
    assert joined.get("pod", "process")["spec"]["nodeName"] != NAME


def test_logs_are_followed_and_kept_of_the_life_before(joined: Joined) -> None:
    joined.run("counts", "for i in 1 2 3; do echo $i; sleep 0.3; done", restartPolicy="Never")
    joined.until(lambda: joined.get("pod", "counts")["status"]["phase"] != "Pending", "it runs")
    assert joined.mizzen.kubectl("logs", "-f", "counts") == "1\n2\n3\n"
    assert joined.mizzen.kubectl("logs", "--tail=1", "counts") == "3\n"
    joined.run("again", 'test -e /keep/x && sleep 600; touch /keep/x; echo first; exit 1',
               volumes=[{"name": "k", "emptyDir": {}}],
               container={"volumeMounts": [{"name": "k", "mountPath": "/keep"}]})  # fmt: skip
    joined.until(lambda: joined.container("again").get("restartCount") == 1, "it was started again")
    assert joined.mizzen.kubectl("logs", "--previous", "again") == "first\n"


def test_commands_files_and_terminals(joined: Joined, tmp_path: Path) -> None:
    joined.run("shell", "while read line; do echo got $line; done; sleep 600",
               container={"stdin": True})  # fmt: skip
    joined.runs("shell")
    kubectl = joined.mizzen.kubectl
    assert kubectl("exec", "shell", "--", "echo", "hi") == "hi\n"
    assert kubectl("exec", "-i", "shell", "--", "cat", given="given") == "given"
    assert "yes" in kubectl("exec", "shell", "--", "sh", "-c", "test -t 0 || echo yes")
    config = ["kubectl", "--kubeconfig", str(joined.mizzen.home / "config" / "kubeconfig")]
    done = subprocess.run([*config, "exec", "shell", "--", "sh", "-c", "exit 3"])
    assert done.returncode == 3
    there = subprocess.run(
        ["script", "-qec", " ".join([*config, "exec", "-it", "shell", "--", "tty"]), "/dev/null"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "/dev/pts/" in there.stdout, there
    (tmp_path / "file").write_text("content")
    kubectl("cp", str(tmp_path / "file"), "shell:/tmp/file")
    kubectl("cp", "shell:/tmp/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "content"
    attached = subprocess.Popen(["timeout", "60", *config, "attach", "-i", "shell"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert attached.stdin is not None and attached.stdout is not None
    attached.stdin.write(b"word\n")
    attached.stdin.flush()
    assert b"got word" in attached.stdout.readline()
    attached.terminate()
    attached.communicate()


def test_ports_are_forwarded(joined: Joined) -> None:
    joined.run("web", "echo hello > /tmp/index.html; httpd -f -p 8080 -h /tmp")
    joined.runs("web")
    config = ["kubectl", "--kubeconfig", str(joined.mizzen.home / "config" / "kubeconfig")]
    port = free_port()
    forward = subprocess.Popen([*config, "port-forward", "web", f"{port}:8080"],
                               stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert forward.stdout is not None
        assert b"Forwarding" in forward.stdout.readline()

        def answer() -> str:
            try:
                url = f"http://127.0.0.1:{port}/index.html"
                return urllib.request.urlopen(url, timeout=5).read().decode()
            except OSError:
                return ""  # the web server may not listen yet

        assert joined.until(answer, "it answers") == "hello\n"
    finally:
        forward.terminate()
        forward.communicate()


def test_probes_decide_about_readiness_and_restarts(joined: Joined) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1}
    sick = {"exec": {"command": ["test", "!", "-e", "/tmp/sick"]}, "periodSeconds": 1,
            "failureThreshold": 1}  # fmt: skip
    joined.run("probed", "sleep 600", container={"readinessProbe": probe, "livenessProbe": sick},
               terminationGracePeriodSeconds=1)  # fmt: skip
    status = lambda: joined.get("pod", "probed")["status"]  # noqa: E731
    joined.until(lambda: status()["phase"] == "Running", "it runs")
    assert not has_condition(joined.get("pod", "probed"), "Ready")
    joined.mizzen.kubectl("exec", "probed", "--", "touch", "/tmp/ok")
    joined.runs("probed")
    joined.mizzen.kubectl("exec", "probed", "--", "touch", "/tmp/sick")
    joined.until(lambda: joined.container("probed").get("restartCount"), "it was restarted")


def test_a_pod_ends_in_its_own_time(joined: Joined) -> None:
    joined.run(
        "polite", "trap 'sleep 1; echo bye; exit 0' TERM; echo hi; while :; do sleep 0.1; done"
    )
    joined.runs("polite")
    config = ["kubectl", "--kubeconfig", str(joined.mizzen.home / "config" / "kubeconfig")]
    follow = ["timeout", str(WITHIN_S), *config, "logs", "-f", "polite"]
    follower = subprocess.Popen(follow, stdout=subprocess.PIPE)
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"hi\n"
    joined.mizzen.kubectl("delete", "pod", "polite")
    said, _ = follower.communicate(timeout=WITHIN_S)
    assert said == b"bye\n"
    assert not joined.get("pods", "--field-selector=metadata.name=polite")["items"]


def test_debuggers_come_and_sizes_change_while_a_pod_runs(joined: Joined) -> None:
    sizes = {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}
    joined.run("sick", "sleep 600", container={"resources": sizes})
    joined.runs("sick")
    joined.mizzen.kubectl("debug", "sick", f"--image={BUSYBOX}", "--image-pull-policy=Never",
                          "--container=debugger", "--", "echo", "seen")  # fmt: skip
    statuses = lambda: joined.get("pod", "sick")["status"].get("ephemeralContainerStatuses")  # noqa: E731
    joined.until(lambda: "terminated" in str(statuses()), "it has run")
    assert joined.mizzen.kubectl("logs", "sick", "-c", "debugger") == "seen\n"
    larger = {"name": "main", "resources": {"limits": {"cpu": "300m"}}}
    joined.mizzen.kubectl("patch", "pod", "sick", "--subresource=resize", "--patch",
                          json.dumps({"spec": {"containers": [larger]}}))  # fmt: skip
    limits = lambda: part(joined.container("sick"), "resources", "limits")  # noqa: E731
    joined.until(lambda: limits().get("cpu") == "300m", "the kubelet has resized it")
    assert joined.container("sick")["restartCount"] == 0


def test_top_shows_both_kinds_of_nodes(joined: Joined) -> None:
    joined.runs("web")
    shown = joined.until(lambda: _top(joined), "there are figures of both")
    assert re.search(rf"^{NAME}\s+\d+m", shown, re.MULTILINE)


def _top(joined: Joined) -> str:
    try:
        pods = joined.mizzen.kubectl("top", "pods", "--no-headers")
        return joined.mizzen.kubectl("top", "nodes", "--no-headers") if "web" in pods else ""
    except AssertionError:  # no figures yet
        return ""


def test_pods_run_on_without_their_kubelet(joined: Joined) -> None:
    joined.run("steady", "while :; do date +%s; sleep 0.2; done")
    joined.runs("steady")
    before = joined.container("steady")
    joined.node.stop(joined.cluster)
    lines = joined.mizzen.run("version")
    assert lines.returncode == 0
    joined.node.start(joined.cluster)
    joined.until(lambda: "exec" in _echo(joined), "the kubelet answers again")
    after = joined.container("steady")
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)


def _echo(joined: Joined) -> str:
    try:
        return joined.mizzen.kubectl("exec", "steady", "--", "echo", "exec")
    except AssertionError:
        return ""


def test_the_kubelet_lets_in_who_may(joined: Joined) -> None:
    status = joined.get("node", NAME)["status"]
    address = next(a["address"] for a in status["addresses"] if a["type"] == "InternalIP")
    url = f"https://{address}:{status['daemonEndpoints']['kubeletEndpoint']['Port']}/pods"
    context = ssl.create_default_context(cafile=str(joined.folder / "ca.crt"))
    admin = joined.cluster.tokens["admin"]
    nobody = joined.mizzen.kubectl("create", "token", "default").strip()
    for token, code in (("", 401), (nobody, 403), (admin, 200)):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(url, headers=headers)
        try:
            found = urllib.request.urlopen(request, timeout=30, context=context).status
        except urllib.error.HTTPError as error:
            found = error.code
        assert found == code, token[:5]


@pytest.fixture
def kube_proxy(joined: Joined, programs: Path) -> Iterator[None]:
    program = programs / "bin" / "kube-proxy"
    if not program.exists():
        pytest.skip(f"there is no {program} (k8s.io/kubernetes/cmd/kube-proxy)")
    config: dict[str, Any] = yaml.safe_load((joined.folder / "kube-proxy.yaml").read_text())
    config |= {"conntrack": {"maxPerCore": 0}, "healthzBindAddress": f"127.0.0.1:{free_port()}",
               "metricsBindAddress": f"127.0.0.1:{free_port()}"}  # fmt: skip
    path = joined.folder / "kube-proxy-here.yaml"
    path.write_text(json.dumps(config))
    process = joined.cluster.start(program, f"--config={path}")
    yield
    joined.cluster.stop(process)
    subprocess.run([program, f"--config={path}", "--cleanup"], capture_output=True, check=False)


def test_services_lead_to_pods_and_to_the_api_server(joined: Joined, kube_proxy: None) -> None:
    joined.runs("web")
    joined.mizzen.kubectl("expose", "pod", "web", "--port=80", "--target-port=8080")
    address = joined.get("service", "web")["spec"]["clusterIP"]
    joined.run("asks", f"until wget -qO- http://{address}/index.html; do sleep 0.2; done",
               restartPolicy="Never")  # fmt: skip
    assert joined.ends("asks").endswith("hello\n")
    host, port = joined.get("service", "kubernetes")["spec"]["clusterIP"], 443
    joined.run("finds", f"until nc -w 2 $KUBERNETES_SERVICE_HOST {port} < /dev/null; do "
               "sleep 0.2; done; echo $KUBERNETES_SERVICE_HOST", restartPolicy="Never")  # fmt: skip
    assert joined.ends("finds") == f"{host}\n"
    with socket.create_connection((host, port), timeout=10):
        pass
