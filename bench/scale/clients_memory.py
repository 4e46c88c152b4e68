"""What the processes of an instance weigh beside many stored pods, and how soon they are ready.

    python bench/scale/clients_memory.py [--pods 100000] [--nodes 5000]

An instance is made, stopped, and its store filled by this process: namespaces, nodes that no agent
runs on, Jobs of 100 pods each for half of the pods, and pods of about 3 KB with managed fields as
kubectl, a scheduler and a kubelet leave them, all bound; as many are finished as `pod-gc` bears.
Then `mizzen up` is timed, and when nothing is left over from starting, each process is weighed.

Memory is what the kernel calls RssAnon: what a process has for itself; pages of the store's file,
which the kernel takes back when it needs them, are not in it. `peak` is the most that a process has
had at a time since it began, file pages included (VmHWM).
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent)]

from measuring import Figure, main  # noqa: E402

from mizzen.apiserver.core.refusals import qualified  # noqa: E402
from mizzen.base.clock import rfc3339  # noqa: E402
from mizzen.base.objects import Obj, owner_reference  # noqa: E402
from mizzen.base.resources import JOBS, NAMESPACES, NODES, PODS, SERVICES, Resource  # noqa: E402
from mizzen.compose.state import running_instance  # noqa: E402
from mizzen.host.home import Home  # noqa: E402
from mizzen.store.local import LocalStore  # noqa: E402
from mizzen.store.store import ObjectKey, Put  # noqa: E402

READY_S = 3.0
ANONYMOUS_MIB = 0.9 * 1024
PODS_PER_JOB = 100
FINISHED_MAX = 900  # pod-gc removes what is finished beyond 1,000
NAMESPACE_COUNT = 20
WRITES_PER_COMMIT = 200
SETTLED_S_MAX = 300.0
SETTLED_CPU = 0.05  # cores: below it nothing is left over from starting
_LOOK_S = 2.0
BORN_NS = 1_760_000_000_000_000_000


def measure(arguments: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        home = Home.locate(folder, {})
        _mizzen(folder, "up", "--detach")
        _mizzen(folder, "down")
        began = time.perf_counter()
        asyncio.run(_fill(home, arguments.pods, arguments.nodes))
        _say(f"stored in {time.perf_counter() - began:.1f} s")
        ready = _Ready(home)
        ready.start()
        began = time.perf_counter()
        try:
            _mizzen(folder, "up", "--detach")
            up_s = time.perf_counter() - began
            settled_s = _settle(home)
            ready.is_over.set()
            return list(_figures(home, arguments.pods, up_s, settled_s, ready.after_s))
        finally:
            ready.is_over.set()
            _mizzen(folder, "down")


def _figures(
    home: Home, pods: int, up_s: float, settled_s: float, ready_s: dict[str, float]
) -> Iterator[Figure]:
    large = pods >= 100_000
    yield Figure("up", up_s, "s", READY_S)
    total = 0.0
    for name, pid in _processes(home):
        if name in ready_s:
            yield Figure(f"{name} ready after", ready_s[name], "s")
        anonymous = _status_mib(pid, "RssAnon")
        total += anonymous
        yield Figure(f"{name} anonymous", anonymous, "MiB")
        yield Figure(f"{name} peak", _status_mib(pid, "VmHWM"), "MiB")
    yield Figure("all processes, anonymous", total, "MiB", ANONYMOUS_MIB)
    yield Figure("nothing left over from starting after", settled_s, "s")
    if not large:
        _say("the promises are those of 100,000 pods and 5,000 nodes")


# -- what is stored ------------------------------------------------------------------------------


async def _fill(home: Home, pods: int, nodes: int) -> None:
    """Writes straight into the store, with what admission would have added."""
    store = LocalStore(home.store, mark=home.store_mark)
    try:
        writes: list[Put] = []
        for resource, obj in _objects(pods, nodes):
            writes.append(_put(resource, obj))
            if len(writes) == WRITES_PER_COMMIT:
                await store.commit(writes, identity="admin", now_ns=time.time_ns())
                writes = []
        if writes:
            await store.commit(writes, identity="admin", now_ns=time.time_ns())
    finally:
        await store.close()


def _put(resource: Resource, obj: Obj) -> Put:
    metadata: Obj = obj["metadata"]
    key = ObjectKey(qualified(resource), metadata.get("namespace") or "", metadata["name"])
    typed = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
    return Put(key, typed, "create")


def _objects(pods: int, nodes: int) -> Iterator[tuple[Resource, Obj]]:
    names = [f"team-{index:02d}" for index in range(NAMESPACE_COUNT)]
    for name in names:
        labels = {"kubernetes.io/metadata.name": name}
        metadata = _metadata(name, "", labels=labels)
        spec = {"finalizers": ["kubernetes"]}
        yield NAMESPACES, {"metadata": metadata, "spec": spec, "status": {"phase": "Active"}}
        service = {"clusterIP": "None", "selector": {"app": f"{name}-web"}, "ports": [{"port": 80}]}
        yield SERVICES, {"metadata": _metadata("web", name), "spec": service}
    for index in range(nodes):
        yield NODES, _node(f"node-{index:05d}")
    owner: Obj = {}
    for index in range(pods):
        of_job = (index // PODS_PER_JOB) % 2 == 0
        namespace = names[(index // PODS_PER_JOB) % NAMESPACE_COUNT]
        if of_job and index % PODS_PER_JOB == 0:
            many = min(PODS_PER_JOB, pods - index)
            owner = _job(f"job-{index // PODS_PER_JOB:05d}", namespace, many)
            yield JOBS, owner
        is_finished = not of_job and index % PODS_PER_JOB == 0 and index < FINISHED_MAX * 200
        node = f"node-{index % nodes:05d}"
        yield PODS, _pod(index, namespace, node, owner if of_job else None, is_finished)


def _metadata(name: str, namespace: str, **more: object) -> Obj:
    metadata: Obj = {"name": name, "uid": _uid(f"{namespace}/{name}")}
    if namespace:
        metadata["namespace"] = namespace
    return metadata | {"creationTimestamp": rfc3339(BORN_NS), "generation": 1, **more}


def _uid(text: str) -> str:
    import uuid

    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def _node(name: str) -> Obj:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": f"zone-{int(name[-5:]) % 8}",
        "node.kubernetes.io/instance-type": "h200.8x",
    }
    room = {"cpu": "64", "memory": "512Gi", "pods": "110", "ephemeral-storage": "1Ti"}
    conditions = [
        _condition(kind, "True" if kind == "Ready" else "False", f"Kubelet{kind}")
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    ]
    status = {
        "capacity": room,
        "allocatable": room,
        "conditions": conditions,
        "addresses": [{"type": "Hostname", "address": name}],
        "nodeInfo": {"kernelVersion": "6.8.0", "kubeletVersion": "v1.36.3", "osImage": "Linux"},
    }
    return {"metadata": _metadata(name, "", labels=labels), "spec": {}, "status": status}


def _job(name: str, namespace: str, pods: int) -> Obj:
    uid = _uid(f"{namespace}/{name}")
    labels = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name}
    template = {
        "metadata": {"labels": {"app": name, **labels}},
        "spec": _pod_spec("", "busybox:1", "Never"),
    }
    spec = {
        "parallelism": pods,
        "completions": pods,
        "completionMode": "NonIndexed",
        "backoffLimit": 6,
        "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
        "template": template,
    }
    status = {"active": pods, "ready": pods, "terminating": 0, "startTime": rfc3339(BORN_NS)}
    status["uncountedTerminatedPods"] = {}
    typed = {"apiVersion": JOBS.api_version, "kind": JOBS.kind}
    return {**typed, "metadata": _metadata(name, namespace), "spec": spec, "status": status}


def _pod(index: int, namespace: str, node: str, job: Obj | None, is_finished: bool) -> Obj:
    app = job["metadata"]["name"] if job else f"app-{index // PODS_PER_JOB:05d}"
    name = f"{app}-{_uid(str(index))[:5]}{index % PODS_PER_JOB:02d}"
    labels = {"app": app, "team": namespace, "pod-template-hash": _uid(app)[:10]}
    more: Obj = {"labels": labels, "annotations": {"example.com/revision": "17"}}
    if job:
        own: Obj = job["spec"]["template"]["metadata"]["labels"]
        more["labels"] = {**labels, **own}
        more["ownerReferences"] = [owner_reference(job)]
        more["finalizers"] = ["batch.kubernetes.io/job-tracking"]
    more["managedFields"] = _MANAGED
    image = f"registry.example.com/{namespace}/{app}:v1.17.2"
    spec = _pod_spec(node, image, "Never" if job else "Always")
    status = _pod_status(index, image, is_finished)
    return {"metadata": _metadata(name, namespace, **more), "spec": spec, "status": status}


def _pod_spec(node: str, image: str, restart: str) -> Obj:
    container = {
        "name": "main",
        "image": image,
        "command": ["python", "-m", "serve"],
        "args": ["--port=8080", "--workers=2"],
        "env": [{"name": "REGION", "value": "eu-north-1"}, {"name": "LEVEL", "value": "info"}],
        "ports": [{"containerPort": 8080, "protocol": "TCP", "name": "http"}],
        "resources": {
            "limits": {"cpu": "500m", "memory": "512Mi"},
            "requests": {"cpu": "250m", "memory": "256Mi"},
        },
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    missing = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute",
         "tolerationSeconds": 300}
        for key in ("not-ready", "unreachable")
    ]  # fmt: skip
    spec: Obj = {
        "containers": [container],
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "enableServiceLinks": True,
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": missing,
    }
    return spec | ({"nodeName": node} if node else {})


def _condition(kind: str, status: str, reason: str = "") -> Obj:
    found = {"type": kind, "status": status, "lastTransitionTime": rfc3339(BORN_NS)}
    return found | ({"reason": reason} if reason else {})


def _pod_status(index: int, image: str, is_finished: bool) -> Obj:
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    done = {"exitCode": 0, "reason": "Completed", "startedAt": rfc3339(BORN_NS)}
    state = {"terminated": done} if is_finished else {"running": {"startedAt": rfc3339(BORN_NS)}}
    container = {
        "name": "main",
        "image": image,
        "imageID": f"{image}@sha256:{_uid(image).replace('-', '') * 2}",
        "containerID": f"containerd://{_uid(f'c{index}').replace('-', '') * 2}",
        "ready": not is_finished,
        "started": not is_finished,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }
    address = f"10.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}"
    unready = {"Ready", "ContainersReady"} if is_finished else set[str]()
    return {
        "phase": "Succeeded" if is_finished else "Running",
        "conditions": [_condition(k, "False" if k in unready else "True") for k in kinds],
        "hostIP": "10.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": rfc3339(BORN_NS),
        "qosClass": "Burstable",
        "observedGeneration": 1,
        "containerStatuses": [container],
    }


def _managed(manager: str, fields: Obj, subresource: str = "") -> Obj:
    entry: Obj = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": rfc3339(BORN_NS),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return entry | ({"subresource": subresource} if subresource else {})


_MANAGED = [
    _managed("kube-controller-manager", {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:team": {}}, "f:ownerReferences": {}},
        "f:spec": {
            "f:containers": {'k:{"name":"main"}': {
                ".": {}, "f:args": {}, "f:command": {}, "f:env": {}, "f:image": {}, "f:name": {},
                "f:ports": {}, "f:resources": {".": {}, "f:limits": {}, "f:requests": {}},
            }},
            "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:schedulerName": {},
            "f:terminationGracePeriodSeconds": {},
        },
    }),
    _managed("kubelet", {
        "f:status": {"f:conditions": {'k:{"type":"Ready"}': {
            ".": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {},
        }}, "f:containerStatuses": {}, "f:phase": {}, "f:podIP": {}, "f:startTime": {}},
    }, "status"),
]  # fmt: skip


# -- what is looked at -----------------------------------------------------------------------------


class _Ready(threading.Thread):
    """Notes after how many seconds each role said that it is ready, informers synced."""

    def __init__(self, home: Home) -> None:
        super().__init__(daemon=True)
        self.after_s: dict[str, float] = {}
        self.is_over = threading.Event()
        self._home = home

    def run(self) -> None:
        began = time.perf_counter()
        while not self.is_over.wait(0.05):
            state = running_instance(self._home)
            for role in state.roles if state else ():
                if role.ready:
                    self.after_s.setdefault(role.role, time.perf_counter() - began)


def _settle(home: Home) -> float:
    """Returns once the processes rest; the seconds that took."""
    began = time.perf_counter()
    before = _cpu_s(home)
    while time.perf_counter() - began < SETTLED_S_MAX:
        time.sleep(_LOOK_S)
        now = _cpu_s(home)
        if now - before < SETTLED_CPU * _LOOK_S:
            break
        before = now
    return time.perf_counter() - began


def _processes(home: Home) -> list[tuple[str, int]]:
    state = running_instance(home)
    assert state is not None, "the instance runs"
    found = [("supervisor", state.pid), *((role.role, role.pid) for role in state.roles)]
    shims = [
        ("shim", int(path.parent.name))
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if f"{home.root}".encode() in _read(path) and b"shim" in _read(path)
    ]
    return found + shims


def _cpu_s(home: Home) -> float:
    ticks = 0
    for _, pid in _processes(home):
        fields = _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


def _status_mib(pid: int, name: str) -> float:
    for line in _read(Path(f"/proc/{pid}/status")).decode().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _mizzen(home: str, *words: str) -> str:
    command = [sys.executable, "-m", "mizzen.cli", "--home", home, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"mizzen {' '.join(words)}: {done.stderr}")
    return done.stdout


def _say(text: str) -> None:
    print(text, file=sys.stderr)


_OPTIONS = (("pods", 100_000, "stored pods"), ("nodes", 5000, "nodes that they are bound to"))

if __name__ == "__main__":
    raise SystemExit(main(__doc__ or "", measure, _OPTIONS))
