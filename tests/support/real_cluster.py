"""A real Kubernetes control plane of one test session: etcd, kube-apiserver, kube-scheduler.

There is no kubelet and no kube-controller-manager, unless `real_node.py` adds them: whoever needs
pods to run says so in their status, and namespaces get their default ServiceAccount here.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from support.peers import programs
from support.ports import free_port

READY_S = 240.0
STOP_S = 10.0
ADMIN = "admin"
KUBE_SCHEDULER = "system:kube-scheduler"
# Alpha and beta features that Mizzen speaks, beside those that are on by themselves.
GATES = (
    "GenericWorkload",
    "GangScheduling",
    "DRADeviceTaints",
    "DRADeviceTaintRules",
    "DRADeviceBindingConditions",
    "DRAResourceClaimDeviceStatus",
    "DRAConsumableCapacity",
    "DRAPartitionableDevices",
    "DRAExtendedResource",
)
RUNTIME_CONFIG = (
    "scheduling.k8s.io/v1alpha2=true",
    "resource.k8s.io/v1alpha3=true",
    "resource.k8s.io/v1beta1=true",
    "resource.k8s.io/v1beta2=true",
)


@dataclass
class Cluster:
    """A control plane that answers; its processes end with the block that started it."""

    folder: Path
    url: str
    authority: Path
    tokens: Mapping[str, str]  # user -> token
    keys: pki.Pki
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def kubeconfig(self, user: str = ADMIN, server: str = "", token: str = "") -> Path:
        """A file for this user, over another address where one is given (a proxy)."""
        name = user.replace(":", "-") + (f"-{server.rpartition(':')[2]}" if server else "")
        path = self.folder / f"{name}.kubeconfig"
        text = pki.kubeconfig(
            server or self.url, self.authority.read_bytes(), user, token or self.tokens[user]
        )
        path.write_text(text)
        return path

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(HTTP status, parsed answer) of the administrator's request."""
        status, answer, _ = self.ask(method, path, body)
        return status, answer

    def ask(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> tuple[int, Any, list[str]]:
        """As `call`, with the texts of the warnings."""
        data = None if body is None else json.dumps(body).encode()
        merge = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {
            "content-type": content_type or merge,
            "authorization": f"Bearer {self.tokens[ADMIN]}",
        }
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            context = ssl.create_default_context(cafile=str(self.authority))
            with urllib.request.urlopen(request, timeout=30, context=context) as response:
                text = response.read()
                return response.status, _parsed(text), _warnings(response.headers)
        except urllib.error.HTTPError as error:
            return error.code, _parsed(error.read()), _warnings(error.headers)

    def make_namespace(self, name: str) -> str:
        """A namespace with the ServiceAccount that pods need."""
        status, answer = self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert status in (201, 409), answer
        account = {"metadata": {"name": "default"}}
        status, answer = self.call("POST", f"/api/v1/namespaces/{name}/serviceaccounts", account)
        assert status in (201, 409), answer
        return name

    @contextlib.contextmanager
    def kube_scheduler(self, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
        """kube-scheduler beside, for as long as the block; it logs into the folder."""
        config = self.kubeconfig(KUBE_SCHEDULER)
        process = self.start(
            programs("kube-scheduler") / "kube-scheduler",
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=2000",
            "--kube-api-burst=4000",
            f"--feature-gates={feature_gates()}",
            *flags,
        )
        try:
            yield process
        finally:
            self.stop(process)

    def start(
        self, program: Path, *arguments: str, name: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """The program beside, which logs into the folder; it ends with the cluster or by `stop`."""
        with (self.folder / f"{name or program.name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(program), *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **(env or {})},
            )
        self.processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.processes.remove(process)


@contextlib.contextmanager
def real_cluster(
    folder: Path,
    *,
    gates: Sequence[str] = GATES,
    runtime_config: Sequence[str] = RUNTIME_CONFIG,
    address: str = "127.0.0.1",
    port: int = 0,
    is_durable: bool = False,
) -> Iterator[Cluster]:
    """A control plane that is ready to serve, and gone when the block ends, however it ends.

    `is_durable`: etcd waits for the disk, which costs time where only answers are compared.
    """
    home = Home.locate(str(folder / "home"), {})
    home.make()
    port = port or free_port()
    keys = pki.ensure(home, RealClock(), listen=address, port=port)
    tokens = {ADMIN: "admin-token", KUBE_SCHEDULER: "kube-scheduler-token"}
    cluster = Cluster(folder, f"https://{address}:{port}", keys.ca_file, tokens, keys)
    try:
        etcd = _start_etcd(cluster, is_durable)
        _start_apiserver(cluster, address, port, etcd, gates, runtime_config)
        _wait_ready(cluster)
        for name in ("default", "kube-system"):
            cluster.make_namespace(name)
        yield cluster
    finally:
        for process in reversed([*cluster.processes]):
            cluster.stop(process)


def _start_etcd(cluster: Cluster, is_durable: bool) -> str:
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    cluster.start(
        programs("etcd") / "etcd",
        f"--data-dir={cluster.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        *(() if is_durable else ("--unsafe-no-fsync",)),
        "--log-level=error",
    )
    return client


def _start_apiserver(
    cluster: Cluster,
    address: str,
    port: int,
    etcd: str,
    gates: Sequence[str],
    runtime_config: Sequence[str],
) -> None:
    keys, tokens = cluster.keys, cluster.folder / "tokens.csv"
    tokens.write_text(
        f'{cluster.tokens[ADMIN]},{ADMIN},1,"system:masters"\n'
        f"{cluster.tokens[KUBE_SCHEDULER]},{KUBE_SCHEDULER},2\n"
    )
    cluster.start(
        programs("kube-apiserver") / "kube-apiserver",
        f"--etcd-servers={etcd}",
        f"--bind-address={address}",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={keys.cert_file}",
        f"--tls-private-key-file={keys.key_file}",
        f"--kubelet-client-certificate={keys.kubelet_client.cert_file}",
        f"--kubelet-client-key={keys.kubelet_client.key_file}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--cert-dir={cluster.folder / 'certificates'}",
        "--endpoint-reconciler-type=none",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--token-auth-file={tokens}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys.cert_file}",
        f"--service-account-signing-key-file={keys.key_file}",
        "--service-cluster-ip-range=10.0.0.0/16",
        # Without a node controller nobody would take the taint off again.
        "--disable-admission-plugins=TaintNodesByCondition",
        "--enable-admission-plugins=NodeRestriction",
        *((f"--feature-gates={feature_gates(gates)}",) if gates else ()),
        *((f"--runtime-config={','.join(runtime_config)}",) if runtime_config else ()),
    )


def feature_gates(gates: Sequence[str] = GATES) -> str:
    return ",".join(f"{gate}=true" for gate in gates)


def _wait_ready(cluster: Cluster) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        for process in cluster.processes:
            assert process.poll() is None, f"{process.args} ended; {_log_tails(cluster)}"
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if cluster.call("GET", "/readyz")[0] == 200:
                return
        assert time.monotonic() < deadline, (
            f"no API server after {READY_S} s; {_log_tails(cluster)}"
        )
        time.sleep(0.1)


def _log_tails(cluster: Cluster) -> str:
    logs = cluster.folder.glob("*.log")
    return "\n".join(f"{log.name}: ...{log.read_text(errors='replace')[-2000:]}" for log in logs)


def _warnings(headers: Message) -> list[str]:
    return headers.get_all("warning") or []


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
