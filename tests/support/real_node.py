"""Real nodes of a real cluster: kubelet on containerd, and kube-controller-manager beside.

Needs root, a folder `MIZZEN_NODE_PEERS` with PROGRAMS (releases of Kubernetes, etcd, containerd and
the CNI plugins, or built from their Go modules), and on PATH what ON_PATH names. Pods find the API
server at a service address that is put onto a bridge of this machine, so there is no kube-proxy,
and no DNS.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import runpy
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.ports import free_port
from support.real_cluster import Cluster, feature_gates

ROOT = Path(__file__).parents[2]
SERVICE_ADDRESS = "10.0.0.1"  # of "kubernetes.default", the first of the cluster's range
PROGRAMS = (
    "bin/etcd",
    "bin/kube-apiserver",
    "bin/kube-scheduler",
    "bin/kube-controller-manager",
    "bin/kubelet",
    "bin/containerd",
    "bin/containerd-shim-runc-v2",
    "bin/ctr",
    "cni/bridge",
    "cni/host-local",
    "cni/loopback",
)
ON_PATH = ("runc", "ip", "kubectl", "gcc")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
PAUSE_IMAGE = "registry.k8s.io/pause:3.10.2"  # that of the conformance program, too
READY_S = 60.0


class NoNode(Exception):
    """No real node can be had here; the message says what is missing."""


def node_programs() -> Path:
    """The folder of `MIZZEN_NODE_PEERS`. Errors: NoNode."""
    chosen = os.environ.get("MIZZEN_NODE_PEERS", "")
    if not chosen:
        raise NoNode(
            "MIZZEN_NODE_PEERS names no folder of Kubernetes' and containerd's programs: "
            f"one with {', '.join(PROGRAMS)} is needed"
        )
    folder = Path(chosen).resolve()
    missing = [name for name in PROGRAMS if not (folder / name).exists()]
    missing += [name for name in ON_PATH if not shutil.which(name)]
    if missing:
        raise NoNode(f"MIZZEN_NODE_PEERS={folder}: there is no {', '.join(missing)}")
    if os.geteuid():
        raise NoNode("a kubelet needs root, which this user is not")
    return folder


@dataclass
class Node:
    """A kubelet with a containerd of its own."""

    name: str
    programs: Path
    socket: Path
    root: Path
    command: list[str] = field(default_factory=list[str])  # of its kubelet
    environment: dict[str, str] = field(default_factory=dict[str, str])
    kubelet: subprocess.Popen[bytes] | None = None

    def start(self, cluster: Cluster) -> None:
        program, *words = self.command
        self.kubelet = cluster.start(
            Path(program), *words, name=f"{self.name}-kubelet", env=self.environment
        )

    def stop(self, cluster: Cluster) -> None:
        """The kubelet ends; its pods run on."""
        if self.kubelet is not None:
            cluster.stop(self.kubelet)
        self.kubelet = None

    def ctr(self, *arguments: str) -> str:
        """What ctr prints. Errors: AssertionError with its words."""
        command = [str(self.programs / "bin" / "ctr"), "-a", str(self.socket), "-n", "k8s.io"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"ctr {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def import_image(self, tar: Path) -> None:
        self.ctr("images", "import", str(tar))

    def processes(self) -> dict[str, int]:
        """By container id: the pid of its first process."""
        lines = [line.split() for line in self.ctr("tasks", "ls").splitlines()[1:]]
        return {line[0]: int(line[1]) for line in lines if line[2] == "RUNNING"}


Join = Callable[[Node, str], tuple[Path, Path]]  # node, address -> kubeconfig, configuration


@contextlib.contextmanager
def service_address() -> Generator[str]:
    """SERVICE_ADDRESS on this machine, for as long as the block."""
    with _bridge("mizzen-api", f"{SERVICE_ADDRESS}/32"):
        yield SERVICE_ADDRESS


@contextlib.contextmanager
def controller_manager(cluster: Cluster) -> Generator[None]:
    """kube-controller-manager, for as long as the block."""
    process = cluster.start(
        node_programs() / "bin" / "kube-controller-manager",
        f"--kubeconfig={cluster.kubeconfig()}",
        "--leader-elect=false",
        "--use-service-account-credentials=false",
        f"--service-account-private-key-file={cluster.keys.key_file}",
        f"--root-ca-file={cluster.authority}",
        "--bind-address=127.0.0.1",
        "--secure-port=0",
        f"--feature-gates={feature_gates()}",
    )
    try:
        yield
    finally:
        cluster.stop(process)


@contextlib.contextmanager
def real_node(
    cluster: Cluster, name: str, number: int, join: Join | None = None, mirror: str = ""
) -> Generator[Node]:
    """A node that is Ready; its pods have the addresses 10.244.NUMBER.0/24.

    `mirror` is the URL of a registry that stands for all others (`image_registry.py`). `join` writes the kubelet's files where they are not the admin's (`mizzen node-config`).
    """
    programs = node_programs()
    gateway, bridge = f"10.244.{number}.1", f"mizzen-{number}"
    with (
        _bridge(bridge, f"{gateway}/24"),
        _control_groups(name),
        tempfile.TemporaryDirectory(prefix="mizzen-node-", dir="/run") as state,
    ):
        node = Node(name, programs, Path(state, "containerd.sock"), cluster.folder / name)
        node.root.mkdir()
        path = f"{programs / 'bin'}:{os.environ['PATH']}"
        config = _containerd_config(node, Path(state), bridge, number, mirror)
        containerd = cluster.start(
            programs / "bin" / "containerd", "-c", str(config), name=f"{name}-containerd",
            env={"PATH": path},
        )  # fmt: skip
        try:
            _until(lambda: subprocess.run(
                [programs / "bin" / "ctr", "-a", node.socket, "version"], capture_output=True
            ).returncode == 0, f"containerd of {name} answers")  # fmt: skip
            node.import_image(write_image(node.root, PAUSE_IMAGE, "pause", "for (;;) pause();"))
            if join is None:
                kubeconfig, config = cluster.kubeconfig(), _kubelet_config(cluster, node, gateway)
            else:
                kubeconfig, config = join(node, gateway)
                given = json.loads(config.read_bytes())
                config = node.root / "kubelet.json"
                config.write_text(json.dumps({**given, **_of_this_machine(node)}))
            node.command = [
                str(programs / "bin" / "kubelet"),
                f"--kubeconfig={kubeconfig}",
                f"--config={config}",
                f"--root-dir={node.root / 'kubelet'}",
                f"--cert-dir={node.root / 'pki'}",
                f"--hostname-override={name}",
                f"--node-ip={gateway}",
            ]
            node.environment = {"PATH": path}
            node.start(cluster)
            try:
                _until(lambda: _is_ready(cluster, name), f"node {name} is Ready")
                yield node
            finally:
                node.stop(cluster)
                _end_containers(node)
        finally:
            cluster.stop(containerd)
            _unmount(node.root, Path(state))


def _containerd_config(node: Node, state: Path, bridge: str, number: int, mirror: str) -> Path:
    networks = node.root / "cni"
    networks.mkdir()
    ranges = [[{"subnet": f"10.244.{number}.0/24"}]]
    plugin: dict[str, Any] = {
        "type": "bridge",
        "bridge": bridge,
        "isDefaultGateway": True,
        "hairpinMode": True,  # a pod finds itself behind its Service
        "ipam": {"type": "host-local", "ranges": ranges, "dataDir": str(node.root / "addresses")},
    }
    plugins = [plugin]
    if (node.programs / "cni" / "portmap").exists():
        plugins.append({"type": "portmap", "capabilities": {"portMappings": True}})
    conflist = {"cniVersion": "1.0.0", "name": bridge, "plugins": plugins}
    (networks / "10-bridge.conflist").write_text(json.dumps(conflist))
    hosts = node.root / "registries" / "_default"
    hosts.mkdir(parents=True)
    if mirror:
        capable = 'capabilities = ["pull", "resolve"]'
        (hosts / "hosts.toml").write_text(f'[host."{mirror}"]\n  {capable}\n')
    path = node.root / "containerd.toml"
    path.write_text(f"""version = 3
root = "{node.root / "containerd"}"
state = "{state}"
[grpc]
  address = "{node.socket}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{node.programs / "cni"}"]
    conf_dir = "{networks}"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "{hosts.parent}"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{PAUSE_IMAGE}"
""")
    return path


def _kubelet_config(cluster: Cluster, node: Node, address: str) -> Path:
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "address": address,
        "port": free_port(),
        "healthzPort": 0,
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(cluster.keys.kubelet_client.ca_file)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        **_of_this_machine(node),
    }
    path = node.root / "kubelet.json"
    path.write_text(json.dumps(config))
    return path


def _of_this_machine(node: Node) -> dict[str, Any]:
    return {
        "healthzPort": 0,
        "podLogsDir": str(node.root / "logs"),
        # Two kubelets of one machine: neither may take the other's groups for left over. Without
        # groups of pods (`cgroupsPerQOS: false`) the kubelet of 1.36 panics once one is resized.
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{_group(node.name)}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
    }


def write_image(folder: Path, name: str, at: str, main: str) -> Path:
    """An image with one program and nothing else: the C statements of its `main`."""
    program, tar = folder / f"{Path(at).name}.program", folder / f"{Path(at).name}.tar"
    source = f"#include <unistd.h>\nint main(void) {{ {main} }}\n"
    command = ["gcc", "-static", "-Os", "-x", "c", "-", "-o", str(program)]
    subprocess.run(command, input=source, text=True, check=True)
    build = runpy.run_path(str(ROOT / "image" / "build.py"))
    layout, layer = build["Layout"](), build["Layer"](files={at: (program, 0o755)})
    config = {"architecture": build["ARCHITECTURES"][platform.machine()], "os": "linux"}
    settings = {"Entrypoint": [f"/{at}"], "User": "65535:65535"}
    manifest = build["assemble"](config, [], [layer], layout, 0, settings)
    layout.write(tar, name, manifest, 0)
    return tar


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {READY_S} s: {what}"
        time.sleep(0.1)


def _end_containers(node: Node) -> None:
    """Ends what tests left running, with the network namespaces that CNI made for it."""
    processes = node.processes()
    networks = {os.stat(f"/proc/{pid}/ns/net").st_ino for pid in processes.values()}
    for container in processes:
        with contextlib.suppress(AssertionError):  # it has ended by itself
            node.ctr("tasks", "kill", "-s", "9", container)
    for container in node.ctr("containers", "ls", "-q").split():
        with contextlib.suppress(AssertionError):
            node.ctr("tasks", "delete", "-f", container)
            node.ctr("containers", "delete", container)
    for path in Path("/run/netns").glob("cni-*"):
        if path.stat().st_ino in networks:
            subprocess.run(["ip", "netns", "delete", path.name], check=True)
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and Path(os.readlink(link)).is_relative_to(node.root):
            link.unlink()
    for group in CONTROL_GROUPS.glob("**/k8s.io"):
        with contextlib.suppress(OSError):  # the other node's, too, and kept while it has some
            group.rmdir()


@contextlib.contextmanager
def _control_groups(name: str) -> Generator[None]:
    """The group of a kubelet's pods in each hierarchy, for as long as the block."""
    is_one = (CONTROL_GROUPS / "cgroup.controllers").exists()
    roots = [CONTROL_GROUPS] if is_one else [p for p in CONTROL_GROUPS.iterdir() if p.is_dir()]
    made = [root / _group(name) for root in roots]
    for group in made:
        group.mkdir(exist_ok=True)
        for setting in () if is_one else ("cpuset.cpus", "cpuset.mems"):
            if (group / setting).exists():  # a new group of that hierarchy has none
                (group / setting).write_text((group.parent / setting).read_text())
    try:
        yield
    finally:
        for group in made:
            below = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
            for each in below:
                with contextlib.suppress(OSError):  # something in it still ends
                    each.rmdir()


def _group(name: str) -> str:
    return f"mizzen-{name}"


def _unmount(*folders: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted(mounts, reverse=True):
        if any(Path(mount).is_relative_to(folder) for folder in folders):
            subprocess.run(["umount", "-l", mount], check=False)


@contextlib.contextmanager
def _bridge(name: str, address: str) -> Generator[None]:
    for words in (["add", name, "type", "bridge"], ["set", name, "up"]):
        subprocess.run(["ip", "link", *words], check=True)
    try:
        subprocess.run(["ip", "addr", "add", address, "dev", name], check=True)
        yield
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True)


def _is_ready(cluster: Cluster, name: str) -> bool:
    status, node = cluster.call("GET", f"/api/v1/nodes/{name}")
    conditions = node["status"].get("conditions", ()) if status == 200 else ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
