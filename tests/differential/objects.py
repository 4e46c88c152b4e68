"""The kinds that sequences write, each with good bodies by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from differential.draws import VALUES, Draws, pairs


@dataclass(frozen=True)
class Written:
    """A kind: where it lives, how its objects look, which subresources are written."""

    prefix: str
    plural: str
    kind: str
    body: Callable[[Draws], dict[str, Any]]
    is_namespaced: bool = True
    parts: tuple[str, ...] = ()
    is_custom: bool = False

    @property
    def api_version(self) -> str:
        return self.prefix.removeprefix("/apis/").removeprefix("/api/")

    @property
    def collection(self) -> str:
        where = "/namespaces/<<ns>>" if self.is_namespaced else ""
        return f"{self.prefix}{where}/{self.plural}"

    def name(self, draws: Draws) -> str:
        """One of a few, so that requests meet each other's objects."""
        return ("" if self.is_namespaced else "<<ns>>-") + draws.choice(("one", "two"))

    def made(self, draws: Draws, name: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, **draws.some(
            0.35, labels=lambda: pairs(draws), annotations=lambda: pairs(draws))}  # fmt: skip
        if draws.is_so(0.15):
            metadata["finalizers"] = ["example.com/stay"]
        return {
            "apiVersion": self.api_version, "kind": self.kind, "metadata": metadata,
            **self.body(draws),
        }  # fmt: skip


def container(draws: Draws, name: str) -> dict[str, Any]:
    return {"name": name, "image": draws.choice(("x", "y:latest", "r.io/z:1")), **draws.some(
        0.2,
        command=lambda: ["sh"],
        args=lambda: draws.few(("a", "b"), 2, 1),
        env=lambda: [{"name": n, "value": draws.choice(VALUES)} for n in draws.few("AB", 2, 1)],
        ports=lambda: [{"containerPort": draws.choice((80, 8080)), "name": "web"}],
        resources=lambda: draws.choice((
            {"limits": {"cpu": "1", "memory": "1Gi"}}, {"requests": {"cpu": "100m"}},
            {"limits": {"cpu": "1000m"}, "requests": {"cpu": 1}})),
        livenessProbe=lambda: {"httpGet": {"port": draws.choice((80, "web")), "path": "/"}},
        readinessProbe=lambda: {"exec": {"command": ["true"]}, "periodSeconds": 3},
        securityContext=lambda: {"runAsUser": 1000, "allowPrivilegeEscalation": False},
        imagePullPolicy=lambda: "Always",
        volumeMounts=lambda: [{"name": "v", "mountPath": "/v"}],
    )}  # fmt: skip


def pod_spec(draws: Draws) -> dict[str, Any]:
    containers = [container(draws, name) for name in draws.few(("a", "b"), 2, 1)]
    spec: dict[str, Any] = {"containers": containers, **draws.some(
        0.12,
        nodeSelector=lambda: {"a": "b"},
        tolerations=lambda: [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
        terminationGracePeriodSeconds=lambda: draws.choice((0, 5)),
        securityContext=lambda: {"runAsNonRoot": True},
        affinity=lambda: {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "a", "operator": "In", "values": ["b"]}]}]}}},
        topologySpreadConstraints=lambda: [{"maxSkew": 1, "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"a": "b"}}}],
        hostNetwork=lambda: True,
        priority=lambda: 0,
        serviceAccountName=lambda: "default",
        initContainers=lambda: [container(draws, "init")],
        hostAliases=lambda: [{"ip": "1.2.3.4", "hostnames": ["h"]}],
        dnsConfig=lambda: {"nameservers": ["1.2.3.4"]},
    ), "automountServiceAccountToken": False}  # fmt: skip
    if any("volumeMounts" in each for each in (*containers, *spec.get("initContainers", ()))):
        spec["volumes"] = [{"name": "v", **draws.choice((
            {"emptyDir": {}}, {"configMap": {"name": "m"}}, {"secret": {"secretName": "s"}},
            {"hostPath": {"path": "/h"}},
            {"projected": {"sources": [{"configMap": {"name": "m"}}]}},
            {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        ))}]  # fmt: skip
    return spec


def _template(draws: Draws, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "a"}}, "spec": {**pod_spec(draws), **spec}}


def _workload(draws: Draws) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"app": "a"}}, "template": _template(draws),
            **draws.some(0.3, minReadySeconds=lambda: draws.randint(0, 3))}  # fmt: skip


def _deployment(draws: Draws) -> dict[str, Any]:
    return {"spec": {**_workload(draws), **draws.some(
        0.3, replicas=lambda: draws.randint(0, 3), paused=lambda: True,
        strategy=lambda: draws.choice((
            {"type": "Recreate"}, {"rollingUpdate": {"maxSurge": "30%", "maxUnavailable": 0}})),
        revisionHistoryLimit=lambda: 3, progressDeadlineSeconds=lambda: 60)}}  # fmt: skip


def _stateful_set(draws: Draws) -> dict[str, Any]:
    return {"spec": {**_workload(draws), "serviceName": "s", **draws.some(
        0.3, replicas=lambda: draws.randint(0, 3), podManagementPolicy=lambda: "Parallel",
        volumeClaimTemplates=lambda: [{"metadata": {"name": "c"}, "spec": _claim()}],
        updateStrategy=lambda: {"rollingUpdate": {"partition": 1}})}}  # fmt: skip


def _claim() -> dict[str, Any]:
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def _job_spec(draws: Draws) -> dict[str, Any]:
    return {"template": _template(draws, restartPolicy=draws.choice(("Never", "OnFailure"))),
            **draws.some(
        0.25, parallelism=lambda: draws.randint(0, 3), completions=lambda: draws.randint(1, 3),
        backoffLimit=lambda: draws.randint(0, 3), suspend=lambda: draws.is_so(0.5),
        ttlSecondsAfterFinished=lambda: 100000, activeDeadlineSeconds=lambda: 100,
        podFailurePolicy=lambda: {"rules": [{"action": "Ignore", "onExitCodes": {
            "operator": "In", "values": [1, 2]}}]})}  # fmt: skip


def _service(draws: Draws) -> dict[str, Any]:
    ports = [
        {"port": number, "name": f"p{number}", **draws.some(
            0.3, protocol=lambda: draws.choice(("TCP", "UDP")), targetPort=lambda: draws.choice((80, "web")))}
        for number in draws.few((80, 81, 82), 2, 1)
    ]  # fmt: skip
    return {"spec": {"ports": ports, **draws.some(
        0.3, selector=lambda: {"a": "b"}, type=lambda: draws.choice(("NodePort", "LoadBalancer")),
        sessionAffinity=lambda: "ClientIP", publishNotReadyAddresses=lambda: True,
        internalTrafficPolicy=lambda: "Local")}}  # fmt: skip


def _data(draws: Draws) -> dict[str, Any]:
    return {name: draws.choice(VALUES) for name in draws.few(("a", "b", "c"), 3)}


def _widget(draws: Draws) -> dict[str, Any]:
    spec = {"size": draws.choice((0, 1, 7, 60)), **draws.some(
        0.3, most=lambda: draws.choice((1, 50, 99)), mode=lambda: draws.choice(("on", "off")),
        word=lambda: draws.choice(("ab", "a", "A")), when=lambda: "2020-01-01T00:00:00Z",
        ratio=lambda: draws.choice((0.5, 1, 0)), port=lambda: draws.choice((80, "web")),
        nothing=lambda: None, tags=lambda: draws.few("abc", 3), open=lambda: {"x": {"y": 1}},
        parts=lambda: [{"name": n, **draws.some(0.4, size=lambda: draws.choice((1, 20)))}
                       for n in draws.few("abc", 3)],
        choices=lambda: dict.fromkeys(draws.few("abcd", 4), 1),
        either=lambda: dict.fromkeys(draws.few("ab", 2), "1"),
        pod=lambda: {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}},
    )}  # fmt: skip
    return {"spec": spec}


def _ingress(draws: Draws) -> dict[str, Any]:
    backend = {"service": {"name": "s", "port": draws.choice(({"number": 80}, {"name": "web"}))}}
    rule = {"host": draws.choice(("a.example.com", "*.example.com")), "http": {"paths": [
        {"path": "/", "pathType": draws.choice(("Prefix", "Exact")), "backend": backend}]}}  # fmt: skip
    return {"spec": draws.choice(({"defaultBackend": backend}, {"rules": [rule]}))}


def _autoscaler(draws: Draws) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    metric = {"type": "Resource", "resource": {
        "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}  # fmt: skip
    return {"spec": {"scaleTargetRef": target, "maxReplicas": draws.randint(1, 5), **draws.some(
        0.4, minReplicas=lambda: 1, metrics=lambda: [metric])}}  # fmt: skip


_RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
_NODE_STATUS = {"capacity": {"cpu": "4", "memory": "8Gi"}}

CONFIG_MAP = Written("/api/v1", "configmaps", "ConfigMap", lambda d: {"data": _data(d)})
SECRET = Written(
    "/api/v1", "secrets", "Secret",
    lambda d: d.some(0.5, stringData=lambda: _data(d), data=lambda: {"a": "YQ=="}, immutable=lambda: True),
)  # fmt: skip
POD = Written("/api/v1", "pods", "Pod", lambda d: {"spec": pod_spec(d)}, parts=("status",))
SERVICE = Written("/api/v1", "services", "Service", _service, parts=("status",))
NODE = Written(
    "/api/v1", "nodes", "Node",
    lambda d: d.some(0.5, spec=lambda: {"taints": [{"key": "k", "effect": "NoSchedule"}]}, status=lambda: _NODE_STATUS),
    is_namespaced=False, parts=("status",),
)  # fmt: skip
DEPLOYMENT = Written(
    "/apis/apps/v1", "deployments", "Deployment", _deployment, parts=("status", "scale")
)
JOB = Written("/apis/batch/v1", "jobs", "Job", lambda d: {"spec": _job_spec(d)}, parts=("status",))
WIDGET = Written(
    "/apis/example.dev/v1", "widgets", "Widget", _widget, parts=("status", "scale"), is_custom=True
)
OLD_WIDGET = Written(
    "/apis/example.dev/v1beta1",
    "widgets",
    "Widget",
    _widget,
    parts=("status", "scale"),
    is_custom=True,
)
MAIN = (CONFIG_MAP, SECRET, POD, SERVICE, NODE, DEPLOYMENT, JOB, WIDGET)
OTHERS = (
    OLD_WIDGET,
    Written("/apis/apps/v1", "replicasets", "ReplicaSet", lambda d: {"spec": _workload(d)}, parts=("status", "scale")),
    Written("/apis/apps/v1", "statefulsets", "StatefulSet", _stateful_set, parts=("status", "scale")),
    Written("/apis/apps/v1", "daemonsets", "DaemonSet", lambda d: {"spec": _workload(d)}, parts=("status",)),
    Written("/apis/batch/v1", "cronjobs", "CronJob", lambda d: {"spec": {
        "schedule": "* * * * *", "jobTemplate": {"spec": _job_spec(d)}}}, parts=("status",)),
    Written("/api/v1", "serviceaccounts", "ServiceAccount", lambda d: d.some(0.5, secrets=lambda: [{"name": "s"}])),
    Written("/api/v1", "persistentvolumeclaims", "PersistentVolumeClaim", lambda d: {"spec": _claim()}, parts=("status",)),
    Written("/api/v1", "limitranges", "LimitRange", lambda d: {"spec": {"limits": [
        {"type": "Pod", "max": {"cpu": "64"}}]}}),
    Written("/api/v1", "resourcequotas", "ResourceQuota", lambda d: {"spec": {"hard": {"configmaps": "100"}}}, parts=("status",)),
    Written("/api/v1", "endpoints", "Endpoints", lambda d: {"subsets": [
        {"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 80}]}]}),
    Written("/api/v1", "replicationcontrollers", "ReplicationController", lambda d: {"spec": {
        "selector": {"app": "a"}, "template": _template(d)}}, parts=("status", "scale")),
    Written("/api/v1", "podtemplates", "PodTemplate", lambda d: {"template": _template(d)}),
    Written("/apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", lambda d: {"spec": {
        "podSelector": {}, "ingress": [{"ports": [{"port": 80}], "from": [{"podSelector": {}}]}]}}),
    Written("/apis/networking.k8s.io/v1", "ingresses", "Ingress", _ingress, parts=("status",)),
    Written("/apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", lambda d: {"spec": {
        "minAvailable": d.choice((1, "50%")), "selector": {"matchLabels": {"a": "b"}}}}, parts=("status",)),
    Written("/apis/rbac.authorization.k8s.io/v1", "roles", "Role", lambda d: {"rules": [_RULE]}),
    Written("/apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", lambda d: {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}]}),
    Written("/apis/coordination.k8s.io/v1", "leases", "Lease", lambda d: {"spec": {
        "holderIdentity": "h", "leaseDurationSeconds": 15}}),
    Written("/apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice", lambda d: {
        "addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4"]}], "ports": [{"port": 80}]}),
    Written("/apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", _autoscaler, parts=("status",)),
    Written("/api/v1", "events", "Event", lambda d: {
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "<<ns>>"}, "reason": "R",
        "message": "m", "type": "Normal", "source": {"component": "c"}}),
    Written("/apis/scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", lambda d: {"value": 5}, is_namespaced=False),
    Written("/apis/storage.k8s.io/v1", "storageclasses", "StorageClass", lambda d: {"provisioner": "p"}, is_namespaced=False),
    Written("/api/v1", "persistentvolumes", "PersistentVolume", lambda d: {"spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}},
        is_namespaced=False, parts=("status",)),
)  # fmt: skip


def any_kind(draws: Draws) -> Written:
    return draws.choice(MAIN) if draws.is_so(0.6) else draws.choice(OTHERS)
