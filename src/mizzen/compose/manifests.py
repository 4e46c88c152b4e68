"""The API objects by which Mizzen runs on a real cluster beside its own components.

The rights are those of the one table of permissions, and to read what other systems tell of gangs
and queues. Neither component reads a Secret; intents and leases are kept to Mizzen's namespace.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.apiserver.core import permissions
from mizzen.apiserver.core.permissions import Permissions
from mizzen.base.names import GPU_RESOURCE, MANAGED_BY, SYSTEM_NAMESPACE
from mizzen.base.objects import Obj, labels_of
from mizzen.base.resources import (
    CLUSTER_TRAINING_RUNTIMES,
    MODEL_ENDPOINTS,
    TRAIN_JOBS,
    TRAINING_RUNTIMES,
)
from mizzen.controllers.core.bootstrap import defaults
from mizzen.kinds.crd import definitions
from mizzen.scheduler.queue_policies import optional_kinds

KINDS = (TRAIN_JOBS, CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES, MODEL_ENDPOINTS)
IMAGE = "mizzen:latest"
METRICS_PORT = 8443
# CPU as kubeadm asks for kube-scheduler: a small node has room for a fifth copy, on an update.
_REQUESTS = {"cpu": "100m", "memory": "512Mi"}
# Of a copy that has just started, before it counts: one that ends at once replaces nobody.
_PROVEN_S = 10
COMPONENTS = {
    f"mizzen-{name}": permissions.COMPONENTS[name] for name in ("scheduler", "controllers")
}


def manifests(image: str = IMAGE) -> list[Obj]:
    """Everything, in an order in which it can be created."""
    namespace = _object("v1", "Namespace", SYSTEM_NAMESPACE, namespaced=False)
    objects = [namespace, *(_ours(obj) for obj in definitions(KINDS))]
    for name, table in COMPONENTS.items():
        objects += _identity(name, table)
    objects.append(_metrics_reader())
    return [*objects, *(_deployment(name, image) for name in COMPONENTS), *_defaults()]


def _identity(name: str, table: Permissions) -> list[Obj]:
    subject = {"kind": "ServiceAccount", "name": name, "namespace": SYSTEM_NAMESPACE}
    group = "rbac.authorization.k8s.io"
    api = f"{group}/v1"
    rules = [*table.everywhere, *table.shared]
    if name == "mizzen-scheduler":  # which of them are installed, their definitions say
        found = dict.fromkeys(f"{kind.plural}.{kind.group}" for kind in optional_kinds())
        rules += [f"read {qualified}" for qualified in found]
    return [
        _object("v1", "ServiceAccount", name),
        _object(api, "ClusterRole", name, namespaced=False, rules=_rules(rules)),
        _object(
            api,
            "ClusterRoleBinding",
            name,
            namespaced=False,
            roleRef={"apiGroup": group, "kind": "ClusterRole", "name": name},
            subjects=[subject],
        ),
        _object(api, "Role", name, rules=_rules(table.shared_namespace)),
        _object(
            api,
            "RoleBinding",
            name,
            roleRef={"apiGroup": group, "kind": "Role", "name": name},
            subjects=[subject],
        ),
    ]


def _rules(rules: Iterable[str]) -> list[Obj]:
    return [
        {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": list(rule.verbs)}
        for rule in permissions.parse(rules)
    ]


def _deployment(name: str, image: str) -> Obj:
    """Two copies, of which one leads. They run where no device is handed over."""
    role = name.removeprefix("mizzen-")
    labels = {"app.kubernetes.io/name": name}
    container: Obj = {
        "name": role,
        "image": image,
        "imagePullPolicy": "IfNotPresent",  # by default one of tag `latest` is never taken as it is
        "command": [
            *("python3", "-m", "mizzen.compose", role, "--in-cluster"),
            f"--metrics-bind-address=:{METRICS_PORT}",
        ],
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT}],
        "readinessProbe": _probe("/readyz", failures=3),
        # As long as one piece of work may take: a plan for very many devices, say.
        "livenessProbe": _probe("/livez", failures=12),
        "resources": {"requests": _REQUESTS},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    pod: Obj = {
        "serviceAccountName": name,
        "priorityClassName": "system-cluster-critical",
        "containers": [container],
    }
    spec: Obj = {
        "replicas": 2,
        "minReadySeconds": _PROVEN_S,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", name, spec=spec)


def _probe(path: str, failures: int) -> Obj:
    get = {"path": path, "port": "metrics", "scheme": "HTTPS"}
    return {
        "httpGet": get, "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": failures
    }  # fmt: skip


def _metrics_reader() -> Obj:
    """To be bound to whoever scrapes, as kube-builder's role of that kind."""
    rules = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    api = "rbac.authorization.k8s.io/v1"
    return _object(api, "ClusterRole", "mizzen-metrics-reader", namespaced=False, rules=rules)


def _defaults() -> list[Obj]:
    """The objects that Mizzen makes on its own API server, without those that clusters have.

    No class claims `nvidia.com/gpu`: on a shared cluster that name is the device plugin's.
    """
    objects: list[Obj] = []
    for create in defaults():
        resource, obj = create.resource, create.object
        if obj["metadata"]["name"].startswith("system-"):
            continue
        spec: Obj = obj.get("spec") or {}
        if spec.get("extendedResourceName") == GPU_RESOURCE:
            kept = {k: v for k, v in spec.items() if k != "extendedResourceName"}
            obj = {**obj, "spec": kept}
        typed = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        objects.append(_ours(typed))
    return objects


def _object(
    api_version: str, kind: str, name: str, *, namespaced: bool = True, **parts: object
) -> Obj:
    metadata: Obj = {"name": name}
    if namespaced:
        metadata["namespace"] = SYSTEM_NAMESPACE
    return _ours({"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts})


def _ours(obj: Obj) -> Obj:
    metadata: Obj = obj["metadata"]
    labels = {**labels_of(obj), MANAGED_BY: "mizzen"}
    return {**obj, "metadata": {**metadata, "labels": labels}}
