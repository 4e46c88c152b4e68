"""Pods, templates and namespaces under each Pod Security Standard, as requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from support.both_servers import Case

Obj = dict[str, Any]
PREFIX = "pod-security.kubernetes.io/"
# What a pod is given beside its container, and what its container is given.
SPECS: tuple[Obj, ...] = (
    {},
    {"hostNetwork": True, "hostPID": True},
    {"volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "n",
     "nfs": {"server": "s", "path": "/"}}, {"name": "w", "hostPath": {"path": "/"}}]},
    {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "g", "gitRepo": {"repository": "r"}}]},
    {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"},
     {"name": "kernel.msgmax", "value": "1"}]}},
    {"securityContext": {"seLinuxOptions": {"type": "spc_t", "user": "u", "role": "r"}}},
    {"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}},
    {"securityContext": {"runAsNonRoot": True, "runAsUser": 0}},
    {"securityContext": {"runAsNonRoot": False}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
    {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
    {"hostUsers": False, "securityContext": {"runAsUser": 0}},
    {"os": {"name": "windows"}},
    {"os": {"name": "windows"}, "hostNetwork": True, "securityContext": {"windowsOptions":
     {"hostProcess": True}}},
)  # fmt: skip
CONTAINERS: tuple[Obj, ...] = (
    {"securityContext": {"privileged": True}},
    {"securityContext": {"capabilities": {"add": ["SYS_TIME", "NET_ADMIN", "CHOWN"]}}},
    {"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}},
    {"securityContext": {"allowPrivilegeEscalation": False}},
    {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
    {"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 9}]},
    {"livenessProbe": {"httpGet": {"host": "1.2.3.4", "port": 80}},
     "lifecycle": {"preStop": {"httpGet": {"host": "a.example", "port": 80}}}},
)  # fmt: skip
GOOD: Obj = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
}
GOOD_CONTAINER: Obj = {
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
}


def pod(spec: Obj, container: Obj, *, annotations: Obj | None = None, name: str = "p") -> Obj:
    container = {"name": "c", "image": "i", **container}
    whole = {"containers": [container], "automountServiceAccountToken": False, **spec}
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": whole}


def template(made: Obj, labels: Obj) -> Obj:
    return {"metadata": {**made["metadata"], "labels": labels}, "spec": made["spec"]}


def namespace(name: str, **labels: str) -> Obj:
    said = {PREFIX + key.replace("_", "-"): value for key, value in labels.items()}
    return {"metadata": {"name": name, "labels": said}}


def pods_of(name: str, *, init: bool = True) -> Iterator[Case]:
    """Pods of all kinds, none of which is kept."""
    path = f"/api/v1/namespaces/{name}/pods?dryRun=All"
    for spec in SPECS:
        yield Case("POST", path, pod(spec, {}))
    for container in CONTAINERS:
        yield Case("POST", path, pod({}, container))
        if init and "livenessProbe" not in container:
            other = [{"name": "first", "image": "i", **container}]
            yield Case("POST", path, pod({"initContainers": other}, container))
    yield Case("POST", path, pod(GOOD, GOOD_CONTAINER))
    for key, value in (("container.seccomp.security.alpha.kubernetes.io/c", "unconfined"),):
        yield Case("POST", path, pod({}, {}, annotations={key: value}))


def enforced() -> Iterator[Case]:
    """Namespaces of each level and of versions between which checks changed."""
    for level in ("baseline", "restricted"):
        for version in ("latest", "v1.0", "v1.18", "v1.24", "v1.28", "v1.30", "v1.34", "v1.99"):
            name = f"{level}-{version.replace('.', '-')}"
            made = namespace(name, enforce=level, enforce_version=version)
            yield Case("POST", "/api/v1/namespaces", made)
            account = {"metadata": {"name": "default"}}
            yield Case("POST", f"/api/v1/namespaces/{name}/serviceaccounts", account)
            yield from pods_of(name, init=version == "latest")
            yield Case("DELETE", f"/api/v1/namespaces/{name}")


def warned() -> Iterator[Case]:
    """Namespaces that warn, workloads, labels that cannot be, and existing pods."""
    path = "/api/v1/namespaces"
    for wrong in (
        {"enforce": "strict"}, {"enforce_version": "1.24"}, {"audit": "x", "warn_version": "v2.0"},
        {"warn": ""},
    ):  # fmt: skip
        yield Case("POST", path, namespace("wrong", **wrong))
    yield Case("POST", path, namespace("warned", warn="restricted", warn_version="v1.30"))
    account = {"metadata": {"name": "default"}}
    yield Case("POST", f"{path}/warned/serviceaccounts", account)
    pods = f"{path}/warned/pods"
    yield Case("POST", pods, pod({}, CONTAINERS[0], name="a"))
    yield Case("POST", pods, pod({"hostNetwork": True}, {}, name="b"))
    yield Case("POST", pods, pod({"hostNetwork": True}, {}, name="c"))
    yield Case("POST", pods, pod(GOOD, GOOD_CONTAINER, name="d"))
    other = [{"op": "replace", "path": "/spec/containers/0/image", "value": "other"}]
    patch = "application/json-patch+json"
    yield Case("PATCH", f"{pods}/b", other, content_type=patch)  # pyright: ignore[reportArgumentType]
    yield Case("PATCH", f"{pods}/b", {"metadata": {"labels": {"x": "y"}}})
    labels = {"app": "x"}
    made = template(pod({"hostNetwork": True}, {}), labels)
    spec = {"selector": {"matchLabels": labels}, "template": made}
    once = {**made, "spec": {**made["spec"], "restartPolicy": "Never"}}
    named = {"metadata": {"name": "w"}}
    dry = "?dryRun=All"
    for plural in ("deployments", "replicasets", "daemonsets", "statefulsets"):
        yield Case(
            "POST", f"/apis/apps/v1/namespaces/warned/{plural}{dry}", {**named, "spec": spec}
        )
    batch = "/apis/batch/v1/namespaces/warned"
    yield Case("POST", f"{batch}/jobs{dry}", {**named, "spec": {"template": once}})
    cron = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": once}}}
    yield Case("POST", f"{batch}/cronjobs{dry}", {**named, "spec": cron})
    core = f"{path}/warned"
    yield Case("POST", f"{core}/podtemplates{dry}", {**named, "template": made})
    controller = {"selector": labels, "template": made}
    yield Case("POST", f"{core}/replicationcontrollers{dry}", {**named, "spec": controller})
    for change in (
        {"enforce": "baseline"}, {"enforce": "restricted"}, {"enforce": "baseline"},
        {"enforce_version": "v1.0"}, {"enforce": "privileged"}, {"enforce": "nothing"},
    ):  # fmt: skip
        said = namespace("warned", **change)
        yield Case("PATCH", f"{path}/warned", {"metadata": {"labels": said["metadata"]["labels"]}})  # fmt: skip
    yield Case("DELETE", f"{path}/warned")
