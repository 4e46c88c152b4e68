"""kubectl: the verbs that people use, on a running instance."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.instance import DEADLINE_S, Instance
from support.ports import free_port

FOLDER = Path(__file__).parent
CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, labels: {{set: x}}}}
data: {{key: "{value}"}}
"""


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, instance: Instance, namespace: str) -> None:
        self.namespace = namespace
        self._words = ["kubectl", "--kubeconfig", str(instance.home / "config" / "kubeconfig")]
        self._words += ["-n", namespace]

    def run(
        self, *words: str, given: str | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._words, *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env={**os.environ, **(env or {})},
        )

    def __call__(
        self, *words: str, given: str | None = None, env: dict[str, str] | None = None
    ) -> str:
        done = self.run(*words, given=given, env=env)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def completes(self, *words: str) -> str:
        """What a shell is told to offer; its request knows no flag before it."""
        env = {**os.environ, "KUBECONFIG": self._words[2]}
        command = ["kubectl", "__complete", "-n", self.namespace, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout

    def fails(self, *words: str, given: str | None = None) -> str:
        done = self.run(*words, given=given)
        assert done.returncode != 0, (words, done.stdout)
        return done.stderr

    def get(self, *words: str) -> Any:
        return json.loads(self("get", *words, "-o", "json"))

    @contextmanager
    def beside(self, *words: str) -> Generator[subprocess.Popen[str]]:
        """A command that runs until it is told to end."""
        process = subprocess.Popen(
            [*self._words, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=DEADLINE_S)

    def running(self, name: str, *command: str) -> None:
        """A pod that runs this command."""
        self(
            "run", name, "--image=mizzen.dev/python", "--restart=Never", "--command", "--", *command
        )
        self("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")


@pytest.fixture
def kubectl(widgets: Instance, namespace: str) -> Kubectl:
    return Kubectl(widgets, namespace)


def row(scenario: str) -> pytest.MarkDecorator:
    return pytest.mark.client("kubectl", scenario)


@row("apply, diff, replace, server-side apply with conflicts, prune, the way back from client-side")
def test_apply(kubectl: Kubectl) -> None:
    one, two = (CONFIG_MAP.format(name="a", value=value) for value in ("1", "2"))
    assert "created" in kubectl("apply", "-f-", given=one)
    assert "unchanged" in kubectl("apply", "-f-", given=one)
    done = kubectl.run("diff", "-f-", given=two)
    assert done.returncode == 1 and '+  key: "2"' in done.stdout, done
    assert kubectl.run("diff", "-f-", given=one).returncode == 0
    assert kubectl.run("diff", "--server-side", "-f-", given=two).returncode == 1
    assert "configured" in kubectl("apply", "-f-", given=two)
    assert "replaced" in kubectl("replace", "-f-", given=one)
    assert "replaced" in kubectl("replace", "--force", "-f-", given=two)
    applied = ("apply", "--server-side", "--field-manager=other", "-f-")
    assert "conflict" in kubectl.fails(*applied, given=one)
    assert "serverside-applied" in kubectl(*applied, "--force-conflicts", given=one)
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f-", given=one)
    both = "---".join(CONFIG_MAP.format(name=name, value="1") for name in "bc")
    prune = ("apply", "--prune", "-l", "set=x", "--prune-allowlist=core/v1/ConfigMap", "-f-")
    kubectl(*prune, given=both)
    assert "configmap/c pruned" in kubectl(*prune, given=CONFIG_MAP.format(name="b", value="1"))
    last = json.loads(kubectl("apply", "view-last-applied", "cm/b", "-o", "json"))
    assert last["data"] == {"key": "1"}


@row("kustomize: apply -k, diff -k, delete -k")
def test_kustomize(kubectl: Kubectl) -> None:
    overlay = str(FOLDER / "kustomize" / "overlay")
    assert "deployment.apps/prod-web created" in kubectl("apply", "-k", overlay)
    assert kubectl.run("diff", "-k", overlay).returncode == 0
    kubectl("rollout", "status", "deployment/prod-web", "--timeout=60s")
    found = kubectl.get("deploy", "prod-web")
    assert found["status"]["readyReplicas"] == 2
    source = found["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]
    assert source["name"].startswith("prod-settings-")
    assert "deleted" in kubectl("delete", "-k", overlay)


@row("get: wide, yaml, name, jsonpath, custom-columns, sorted, by fields, --watch, --raw, chunks")
def test_get(kubectl: Kubectl) -> None:
    for number in range(4):
        kubectl("create", "configmap", f"m{number}", f"--from-literal=n={number}")
    kubectl.running("p", "sleep", "100")
    wide = kubectl("get", "pods", "-o", "wide").splitlines()
    assert wide[0].split()[:8] == [
        "NAME",
        "READY",
        "STATUS",
        "RESTARTS",
        "AGE",
        "IP",
        "NODE",
        "NOMINATED",
    ]
    assert "kind: Pod" in kubectl("get", "pod/p", "-o", "yaml")
    assert kubectl("get", "pod", "p", "-o", "name") == "pod/p\n"
    image = kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}")
    assert image == "mizzen.dev/python"
    table = kubectl("get", "pods", "-o", "custom-columns=N:.metadata.name,P:.status.phase")
    assert table.split() == ["N", "P", "p", "Running"]
    sorted_by = ("--sort-by=.data.n", "--no-headers", "--chunk-size=2", "-o", "name")
    names = kubectl("get", "cm", *sorted_by).split()
    assert names[-4:] == [f"configmap/m{n}" for n in range(4)]
    assert "m1" in kubectl("get", "cm", "--field-selector=metadata.name=m1", "--show-labels")
    assert "p   " in kubectl("get", "all,cm,sa")
    raw = json.loads(kubectl("get", "--raw", f"/api/v1/namespaces/{kubectl.namespace}/configmaps"))
    assert raw["kind"] == "ConfigMapList" and raw["items"]
    with kubectl.beside("get", "cm", "--watch-only", "-o", "name") as watching:
        deadline = time.monotonic() + DEADLINE_S
        line = ""
        os.set_blocking(watching.stdout.fileno(), False)  # pyright: ignore
        number = 0
        while not line and time.monotonic() < deadline:
            kubectl("create", "configmap", f"late{number}")
            number += 1
            line = watching.stdout.readline()  # pyright: ignore
        assert line.startswith("configmap/late"), line


@row("patch of three types, edit, label, annotate, set image, env and resources, scale, autoscale")
def test_changes(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "d", "--image=mizzen.dev/python", "--replicas=0")
    kubectl("patch", "deploy", "d", "-p", '{"spec":{"minReadySeconds":1}}')
    kubectl("patch", "deploy", "d", "--type=merge", "-p", '{"spec":{"minReadySeconds":0}}')
    operation = '[{"op":"add","path":"/metadata/labels/x","value":"y"}]'
    kubectl("patch", "deploy", "d", "--type=json", "-p", operation)
    kubectl("patch", "deploy", "d", "--subresource=status", "--type=merge",
            "-p", '{"status":{"observedGeneration":7}}')  # fmt: skip
    editor = {"EDITOR": "sed -i s/progressDeadlineSeconds:.*/progressDeadlineSeconds:\\ 33/"}
    assert "edited" in kubectl("edit", "deploy", "d", env=editor)
    kubectl("label", "deploy", "d", "tier=front")
    kubectl("annotate", "deploy", "d", "note=n")
    kubectl("annotate", "deploy", "d", "note-")
    kubectl("set", "image", "deploy/d", "python=mizzen.dev/python:2")
    kubectl("set", "env", "deploy/d", "A=b", "C-")
    kubectl("set", "resources", "deploy/d", "--limits=cpu=100m,memory=64Mi")
    kubectl("set", "serviceaccount", "deploy/d", "default")
    assert "scaled" in kubectl("scale", "deploy/d", "--replicas=2", "--current-replicas=0")
    kubectl("autoscale", "deploy", "d", "--min=2", "--max=4", "--cpu-percent=70")
    shown = kubectl("get", "hpa", "d")
    assert "Deployment/d" in shown and "/70%" in shown
    found = kubectl.get("deploy", "d")
    assert found["metadata"]["labels"] == {"app": "d", "tier": "front", "x": "y"}
    spec = found["spec"]
    assert (spec["replicas"], spec["progressDeadlineSeconds"]) == (2, 33)
    container = spec["template"]["spec"]["containers"][0]
    assert container["image"] == "mizzen.dev/python:2"
    assert container["env"] == [{"name": "A", "value": "b"}]
    assert container["resources"] == {"limits": {"cpu": "100m", "memory": "64Mi"}}


@row("rollout status, history, undo, pause, resume, restart; wait")
def test_rollout(kubectl: Kubectl) -> None:
    kubectl("apply", "-k", str(FOLDER / "kustomize" / "base"))
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    kubectl("set", "env", "deploy/web", "LEVEL=debug")
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    assert kubectl("rollout", "history", "deploy/web").split()[-4:] == [
        "1",
        "<none>",
        "2",
        "<none>",
    ]
    assert "LEVEL" in kubectl("rollout", "history", "deploy/web", "--revision=2")
    kubectl("rollout", "undo", "deploy/web")
    kubectl("rollout", "pause", "deploy/web")
    kubectl("rollout", "resume", "deploy/web")
    kubectl("rollout", "restart", "deploy/web")
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=60s")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", "deploy/web", "--timeout=60s")
    assert "env" not in kubectl.get("deploy", "web")["spec"]["template"]["spec"]["containers"][0]


@row("run, exec, attach, cp, logs, port-forward, top, debug of a copy, expose")
def test_pods(kubectl: Kubectl, tmp_path: Path) -> None:
    serve = (
        "import http.server as h, os; print('up'); "
        "h.test(h.SimpleHTTPRequestHandler, port=8000, bind=os.environ['POD_IP'])"
    )
    kubectl.running("p", "python", "-u", "-c", serve)
    assert kubectl("exec", "p", "--", "echo", "hi") == "hi\n"
    assert kubectl("exec", "-i", "p", "--", "cat", given="both\nways\n") == "both\nways\n"
    assert kubectl.run("exec", "p", "--", "sh", "-c", "exit 7").returncode == 7
    (tmp_path / "f").write_text("in a file")
    where = kubectl("exec", "p", "--", "pwd").strip()
    kubectl("cp", str(tmp_path / "f"), f"p:{where}/f")
    assert kubectl("exec", "p", "--", "cat", "f") == "in a file"
    kubectl("cp", f"p:{where}/f", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "in a file"
    assert "up" in kubectl("logs", "p", "--tail=2", "--timestamps")
    port = free_port()
    with kubectl.beside("port-forward", "pod/p", f"{port}:8000"):
        assert _answer(port).startswith(b"HTTP/1.0 200")
    kubectl("expose", "pod", "p", "--port=80", "--target-port=8000")
    port = free_port()
    with kubectl.beside("port-forward", "svc/p", f"{port}:80"):
        assert _answer(port).startswith(b"HTTP/1.0 200")
    run = ("run", "once", "--image=mizzen.dev/python", "--restart=Never", "-i", "--rm")
    assert "made it" in kubectl(
        *run, "--command", "--", "sh", "-c", "cat; sleep 1", given="made it\n"
    )
    deadline = time.monotonic() + DEADLINE_S
    while (top := kubectl.run("top", "pod", "p", "--no-headers")).returncode != 0:
        assert time.monotonic() < deadline, top  # the first sample takes a moment
        time.sleep(0.3)
    assert top.stdout.split()[0] == "p" and top.stdout.split()[1].endswith("m"), top
    assert len(kubectl("top", "node", "--no-headers").split()) == 5
    kubectl("debug", "p", "--copy-to=q", "--container=p", "--", "sleep", "100")
    assert kubectl.get("pod", "q")["spec"]["containers"][0]["command"] == ["sleep", "100"]
    assert "Scheduled" in kubectl("events", "--for", "pod/p")


def _answer(port: int) -> bytes:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if said := connection.recv(100):
                    return said
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"nobody answers at {port}")


@row("create of every kind it has a command for")
def test_create(kubectl: Kubectl) -> None:
    for words in (
        "configmap a --from-literal=k=v",
        "secret generic a --from-literal=k=v",
        "secret docker-registry b --docker-username=u --docker-password=p --docker-server=s",
        "serviceaccount a",
        "deployment a --image=i --replicas=0 --port=80",
        "job a --image=i -- true",
        "cronjob a --image=i --schedule=@hourly -- true",
        "role a --verb=get,list --resource=pods,deployments.apps --resource-name=x",
        "rolebinding a --role=a --user=u --group=g --serviceaccount=x:y",
        "quota a --hard=pods=9",
        "poddisruptionbudget a --selector=a=b --min-available=1",
        "ingress a --rule=h/p=s:80,tls=t",
        "service clusterip a --tcp=80:8080",
        "service nodeport b --tcp=80",
        "service loadbalancer c --tcp=80",
        "service externalname d --external-name=example.com",
    ):
        assert "created" in kubectl("create", *words.split()), words
    for words in (
        "clusterrole NAME --verb=get --resource=nodes --aggregation-rule=",
        "clusterrole NAME --verb=get --non-resource-url=/x",
        "clusterrolebinding NAME --clusterrole=view --user=u",
        "priorityclass NAME --value=7",
    ):
        given = [w.replace("NAME", kubectl.namespace) for w in words.split() if w[-1] != "="]
        kubectl("create", *given, "--dry-run=server")
    token = kubectl("create", "token", "a", "--duration=20m", "--audience=x")
    assert token.count(".") == 2
    assert "deleted" in kubectl(
        "delete", "all,cm,secret,role,rolebinding,ingress,pdb,quota", "--all"
    )


@row(
    "describe and explain of many kinds, api-resources, api-versions, cluster-info, version, completion"
)
def test_tells(kubectl: Kubectl) -> None:
    kubectl("apply", "-k", str(FOLDER / "kustomize" / "base"))
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    kubectl("expose", "deploy", "web", "--port=80", "--target-port=http")
    kubectl("autoscale", "deploy", "web", "--max=2")
    kubectl("create", "quota", "q", "--hard=pods=9")
    kubectl("create", "secret", "generic", "s")
    kubectl("create", "ingress", "i", "--rule=h/p=web:80")
    kubectl("create", "job", "j", "--image=mizzen.dev/python", "--", "true")
    kubectl("create", "cronjob", "c", "--image=i", "--schedule=@hourly")
    kinds = "pods deploy rs svc cm secret sa hpa quota ing job cj node ns clusterrole crd endpointslices"
    for kind in kinds.split():
        assert "Name:" in kubectl("describe", kind), kind
    assert "Successfully assigned" in kubectl("describe", "pods", "-l", "app=web")
    for path in (
        "pod.spec.containers.livenessProbe.httpGet", "deployments.spec.strategy", "hpa.spec.metrics",
        "widgets.spec.size", "crd.spec.versions", "networkpolicies.spec.egress", "events",
        "validatingadmissionpolicies.spec.validations", "resourceclaims.spec.devices.requests",
        "trainjobs.spec", "modelendpoints.spec.scaling",
    ):  # fmt: skip
        assert "DESCRIPTION" in kubectl("explain", path), path
    assert "How big it is." in kubectl("explain", "widgets.spec.size")
    whole = kubectl("explain", "pod", "--recursive")
    assert "terminationGracePeriodSeconds\t<integer>" in whole
    old = kubectl("explain", "hpa", "--api-version=autoscaling/v1", "--recursive")
    assert "targetCPUUtilizationPercentage" in old
    names = kubectl("api-resources", "--verbs=list", "-o", "name").split()
    assert {"pods", "deployments.apps", "widgets.clients.example.com"} <= set(names)
    assert {"apps/v1", "v1", "autoscaling/v1", "autoscaling/v2"} <= set(
        kubectl("api-versions").split()
    )
    assert "control plane" in kubectl("cluster-info")
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["major"] == "1"
    assert kubectl.completes("get", "configmaps", "sett").startswith("settings-")
    assert kubectl.completes("logs", "web").startswith("web-")
    assert "widgets.clients.example.com" in kubectl.completes("get", "wid")


@row("auth can-i, whoami, reconcile; impersonation; a token's rights; certificate approve and deny")
def test_rights(kubectl: Kubectl, widgets: Instance, tmp_path: Path) -> None:
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    assert "no" in kubectl.run("auth", "can-i", "create", "pods", "--as=nobody").stdout
    assert "selfsubjectreviews" in kubectl("auth", "can-i", "--list", "--as=nobody")
    assert "Username" in kubectl("auth", "whoami")
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader", "namespace": kubectl.namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    }
    assert "reconciled" in kubectl("auth", "reconcile", "-f-", given=json.dumps(role))
    kubectl(
        "create",
        "rolebinding",
        "b",
        "--role=reader",
        f"--serviceaccount={kubectl.namespace}:default",
    )
    token = kubectl("create", "token", "default").strip()
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    (tmp_path / "config").write_text(json.dumps(config))
    as_account = ("--kubeconfig", str(tmp_path / "config"))
    kubectl("get", "pods", *as_account)
    refused = kubectl.fails("get", "secrets", *as_account)
    account = f"system:serviceaccount:{kubectl.namespace}:default"
    assert f'User "{account}" cannot list resource "secrets"' in refused
    key, request = tmp_path / "key", tmp_path / "request"
    subject = ["-subj", "/CN=ann"]
    words = ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key)]
    subprocess.run([*words, "-out", str(request), *subject], check=True, capture_output=True)
    for name, verb, outcome in (("yes", "approve", "Approved"), ("no", "deny", "Denied")):
        wish = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": f"{kubectl.namespace}-{name}"},
            "spec": {
                "request": base64.b64encode(request.read_bytes()).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            },
        }
        kubectl("create", "-f-", given=json.dumps(wish))
        kubectl("certificate", verb, f"{kubectl.namespace}-{name}")
        assert outcome in kubectl("get", "csr", f"{kubectl.namespace}-{name}")


@row("cordon, drain with a disruption budget, uncordon, taint")
def test_nodes(kubectl: Kubectl) -> None:
    node = kubectl("get", "nodes", "-o", "name").strip().removeprefix("node/")
    kubectl("apply", "-k", str(FOLDER / "kustomize" / "base"))
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    kubectl("create", "pdb", "b", "--selector=app=web", "--min-available=1")
    kubectl("wait", "--for=jsonpath={.status.currentHealthy}=1", "pdb/b", "--timeout=60s")
    drain = (
        "drain",
        node,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--pod-selector=app=web",
    )
    try:
        done = kubectl.run(*drain, "--timeout=3s", "--force")
        assert "would violate the pod's disruption budget" in done.stderr + done.stdout, done
        assert "SchedulingDisabled" in kubectl("get", "node", node)
        kubectl("delete", "pdb", "b")
        assert "drained" in kubectl(*drain, "--timeout=60s", "--force")
        kubectl("taint", "node", node, "only=me:NoSchedule")
        assert "only=me:NoSchedule" in kubectl("describe", "node", node)
        kubectl("taint", "node", node, "only-")
    finally:
        kubectl("uncordon", node)
        kubectl.run("taint", "node", node, "only-")
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")


@row("delete: background, foreground, orphan, by label, --now, --force, --dry-run=server")
def test_delete(kubectl: Kubectl) -> None:
    def deployment(name: str) -> str:
        kubectl("create", "deployment", name, "--image=mizzen.dev/python", "--", "sleep", "100")
        kubectl("wait", "--for=create", f"deploy/{name}", "--timeout=20s")
        for _ in range(200):
            if sets := kubectl("get", "rs", "-l", f"app={name}", "-o", "name").strip():
                return sets
            time.sleep(0.05)
        raise AssertionError("no ReplicaSet")

    orphan = deployment("orphan")
    kubectl("delete", "deploy", "orphan", "--cascade=orphan")
    assert "ownerReferences" not in kubectl.get(orphan)["metadata"]
    for name, cascade in (("fore", "foreground"), ("back", "background")):
        owned = deployment(name)
        kubectl("delete", "deploy", name, f"--cascade={cascade}", "--dry-run=server")
        kubectl("delete", "deploy", name, f"--cascade={cascade}")
        if cascade == "foreground":
            assert "NotFound" in kubectl.fails("get", owned)
        kubectl("wait", "--for=delete", owned, "--timeout=60s")
    kubectl("delete", "rs", "-l", "app=orphan", "--now")
    kubectl.running("p", "sleep", "100")
    kubectl("delete", "pod", "p", "--force", "--grace-period=0")


@row("config: contexts, users, clusters in a file of its own")
def test_config(instance: Instance, tmp_path: Path) -> None:
    def config(*words: str) -> str:
        command = ["kubectl", "--kubeconfig", str(tmp_path / "made"), "config", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    config("set-cluster", "c", "--server=https://127.0.0.1:1")
    config("set-credentials", "u", "--token=t")
    config("set-context", "x", "--cluster=c", "--user=u", "--namespace=n")
    config("use-context", "x")
    assert config("current-context") == "x\n"
    assert config("view", "--minify", "-o", "jsonpath={..namespace}") == "n"
    assert config("get-contexts", "-o", "name") == "x\n"
