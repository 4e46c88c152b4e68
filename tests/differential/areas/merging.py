"""Server-side apply of rich objects by several managers: lists merged by keys, sets, atomic parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from differential.draws import Draws, pairs
from differential.gizmos import gizmo
from differential.pods import rich_pod
from differential.steps import APPLY, JSON_PATCH, MERGE, STRATEGIC, Step

_Body = Callable[[Draws], dict[str, Any]]
# Of a kind that nobody serves: an owner that is known to be missing has its dependents collected,
# and here only Mizzen collects, as upstream's collector is another process.
_OWNER = {"apiVersion": "example.dev/v1", "kind": "Owner"}


def sequence(draws: Draws) -> list[Step]:
    prefix, plural, kind = draws.weighted(_KINDS)
    collection = f"{prefix}/namespaces/<<ns>>/{plural}"
    version = prefix.removeprefix("/apis/").removeprefix("/api/")
    steps = [_first(draws, collection, version, kind)]
    for number in range(2, draws.randint(5, 11)):
        make = draws.weighted(
            {_apply: 6, _merge: 1, _put: 1, _part: 0.7, _json: 0.4, _forget: 0.3, _delete: 0.15}
        )
        steps.append(make(draws, number, collection, version, kind))
    return [*steps, Step(len(steps) + 1, "GET", f"{collection}/obj")]


def _made(draws: Draws, version: str, kind: str) -> dict[str, Any]:
    metadata = {"name": "obj", **draws.some(
        0.25, labels=lambda: pairs(draws), annotations=lambda: pairs(draws),
        finalizers=lambda: [f"e.dev/{n}" for n in draws.few("abc", 2, 1)],
        ownerReferences=lambda: [{**_OWNER, "name": n, "uid": f"u-{n}"} for n in draws.few("pq", 2, 1)]),
    }  # fmt: skip
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **_BODIES[kind](draws)}


def _query(draws: Draws, more: str = "") -> str:
    return f"?fieldManager={draws.choice(('m1', 'm2', 'm3'))}{more}"


def _first(draws: Draws, collection: str, version: str, kind: str) -> Step:
    body = _made(draws, version, kind)
    if draws.is_so(0.5):
        return Step(1, "POST", collection + _query(draws), body)
    return Step(1, "PATCH", f"{collection}/obj{_query(draws)}", body, kind=APPLY)


def _apply(draws: Draws, number: int, collection: str, version: str, kind: str) -> Step:
    query = _query(draws, draws.choice(("", "&force=true", "&force=true", "&dryRun=All")))
    body = _thinned(draws, _made(draws, version, kind))
    return Step(number, "PATCH", f"{collection}/obj{query}", body, kind=APPLY)


def _thinned(draws: Draws, value: Any, depth: int = 0) -> Any:
    """Here and there without a field, with an empty one, or with null."""
    if isinstance(value, list):
        return [_thinned(draws, each, depth + 1) for each in value]
    if not isinstance(value, dict) or (depth == 0 and draws.is_so(0.5)):
        return value
    found: dict[str, Any] = {}
    for name, each in value.items():
        roll = draws.random()
        if depth == 0 or name in _NEEDED or roll > 0.06:
            found[name] = _thinned(draws, each, depth + 1)
        elif roll < 0.015:
            found[name] = None
        elif roll < 0.03 and isinstance(each, (dict, list)):
            found[name] = type(each)()
    return found


_NEEDED = ("name", "containers", "template", "image", "selector", "restartPolicy", "volumes")


def _merge(draws: Draws, number: int, collection: str, version: str, kind: str) -> Step:
    patch = MERGE if kind == "Gizmo" or draws.is_so(0.5) else STRATEGIC
    body = _thinned(draws, _BODIES[kind](draws))
    return Step(number, "PATCH", f"{collection}/obj{_query(draws)}", body, kind=patch)


def _put(draws: Draws, number: int, collection: str, version: str, kind: str) -> Step:
    return Step(number, "PUT", f"{collection}/obj{_query(draws)}", _made(draws, version, kind))


def _part(draws: Draws, number: int, collection: str, version: str, kind: str) -> Step:
    """The status, or the scale where there is one."""
    head = {"apiVersion": version, "kind": kind, "metadata": {"name": "obj", **draws.some(
        0.3, labels=lambda: pairs(draws))}}  # fmt: skip
    query = _query(draws, draws.choice(("", "&force=true")))
    if kind in _SCALED and draws.is_so(0.5):
        body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "obj"},
                "spec": draws.some(0.9, replicas=lambda: draws.randint(0, 3))}  # fmt: skip
        return Step(number, "PATCH", f"{collection}/obj/scale{query}", body, kind=APPLY)
    body = {**head, "status": _STATUS[kind](draws)} if kind in _STATUS else head
    patch = draws.choice((APPLY, APPLY, MERGE))
    return Step(number, "PATCH", f"{collection}/obj/status{query}", body, kind=patch)


def _json(draws: Draws, number: int, collection: str, version: str, kind: str) -> Step:
    operation = draws.choice((
        {"op": "add", "path": "/metadata/labels", "value": pairs(draws)},
        {"op": "remove", "path": "/metadata/managedFields/0"},
        {"op": "remove", "path": "/spec/replicas"},
        {"op": "test", "path": "/kind", "value": kind},
    ))  # fmt: skip
    return Step(number, "PATCH", f"{collection}/obj{_query(draws)}", [operation], kind=JSON_PATCH)


def _forget(draws: Draws, number: int, collection: str, version: str, kind: str) -> Step:
    body = {"metadata": {"managedFields": draws.choice(([], [{}]))}}
    return Step(number, "PATCH", f"{collection}/obj{_query(draws)}", body, kind=MERGE)


def _delete(draws: Draws, number: int, collection: str, version: str, kind: str) -> Step:
    return Step(number, "DELETE", f"{collection}/obj")


def _template(draws: Draws, **spec: Any) -> dict[str, Any]:
    labels = {"app": "a", **draws.some(0.2, tier=lambda: draws.choice("xy"))}
    return {"metadata": {"labels": labels}, "spec": {**rich_pod(draws), **spec}}


def _workload(draws: Draws, **more: Callable[[], Any]) -> dict[str, Any]:
    return {"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": _template(draws),
                     **draws.some(0.3, minReadySeconds=lambda: draws.randint(0, 3), **more)}}  # fmt: skip


def _deployment(draws: Draws) -> dict[str, Any]:
    return _workload(
        draws, replicas=lambda: draws.randint(0, 3), paused=lambda: draws.is_so(0.5),
        strategy=lambda: draws.choice((
            {"type": "Recreate"}, {"rollingUpdate": {"maxSurge": "30%"}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}})),
    )  # fmt: skip


def _stateful_set(draws: Draws) -> dict[str, Any]:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = _workload(
        draws, replicas=lambda: draws.randint(0, 3),
        updateStrategy=lambda: {"rollingUpdate": {"partition": draws.randint(0, 1)}},
        persistentVolumeClaimRetentionPolicy=lambda: {"whenScaled": draws.choice(("Retain", "Delete"))},
    )  # fmt: skip
    made["spec"]["serviceName"] = "s"
    made["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "c"}, "spec": claim}]
    return made


def _job_spec(draws: Draws) -> dict[str, Any]:
    codes = {"operator": "In", "values": draws.few((1, 2, 3), 3, 1)}
    ready = [{"type": "Ready", "status": "True"}]
    return {"template": _template(draws, restartPolicy="Never"), **draws.some(
        0.4, parallelism=lambda: draws.randint(0, 3), backoffLimit=lambda: draws.randint(0, 3),
        suspend=lambda: True, ttlSecondsAfterFinished=lambda: draws.randint(1000, 1001),
        podFailurePolicy=lambda: {"rules": [
            {"action": draws.choice(("Ignore", "FailJob")), "onExitCodes": codes},
            {"action": "Count", "onPodConditions": ready}]},
    )}  # fmt: skip


def _cron_job(draws: Draws) -> dict[str, Any]:
    return {"spec": {"schedule": draws.choice(("* * * * *", "1 * * * *")),
                     "jobTemplate": {"spec": _job_spec(draws)}, **draws.some(
        0.3, suspend=lambda: True, concurrencyPolicy=lambda: draws.choice(("Allow", "Forbid")))}}  # fmt: skip


def _service(draws: Draws) -> dict[str, Any]:
    ports = [
        {"port": port, "name": f"p{port}-{protocol.lower()}", "protocol": protocol, **draws.some(
            0.3, targetPort=lambda: draws.choice((80, "web")), appProtocol=lambda: "http")}
        for port in draws.few((80, 81), 2, 1) for protocol in draws.few(("TCP", "UDP"), 2, 1)
    ]  # fmt: skip
    return {"spec": {"ports": ports, **draws.some(
        0.4, selector=lambda: pairs(draws), publishNotReadyAddresses=lambda: draws.is_so(0.5),
        externalIPs=lambda: [f"1.2.3.{n}" for n in draws.few("123", 2, 1)],
        sessionAffinity=lambda: draws.choice(("ClientIP", "None")))}}  # fmt: skip


def _network_policy(draws: Draws) -> dict[str, Any]:
    peers = [{"podSelector": {"matchLabels": pairs(draws)}} for _ in range(draws.randint(1, 2))]
    return {"spec": {"podSelector": draws.choice(({}, {"matchLabels": {"a": "b"}})), **draws.some(
        0.6, policyTypes=lambda: draws.few(("Ingress", "Egress"), 2, 1),
        ingress=lambda: [{"from": peers, "ports": [{"port": draws.choice((80, "web"))}]}])}}  # fmt: skip


def _account(draws: Draws) -> dict[str, Any]:
    return draws.some(
        0.6, imagePullSecrets=lambda: [{"name": n} for n in draws.few("abc", 3, 1)],
        secrets=lambda: [{"name": n, **draws.some(0.3, namespace=lambda: "n")} for n in draws.few("abc", 3, 1)],
        automountServiceAccountToken=lambda: draws.is_so(0.5),
    )  # fmt: skip


def _autoscaler(draws: Draws) -> dict[str, Any]:
    def metric(name: str) -> dict[str, Any]:
        target = {"type": "Utilization", "averageUtilization": draws.randint(40, 42)}
        return {"type": "Resource", "resource": {"name": name, "target": target}}

    return {"spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": draws.choice("de")},
        "maxReplicas": draws.randint(2, 5), **draws.some(
            0.4, minReplicas=lambda: draws.randint(1, 2),
            metrics=lambda: [metric(n) for n in draws.few(("cpu", "memory"), 2, 1)],
            behavior=lambda: {"scaleDown": {"stabilizationWindowSeconds": draws.randint(0, 9)}})}}  # fmt: skip


def _conditions(draws: Draws) -> dict[str, Any]:
    return draws.some(
        0.7, conditions=lambda: [
            {"type": n, "status": draws.choice(("True", "False")), **draws.some(0.3, reason=lambda: "R")}
            for n in draws.few(("Available", "Progressing", "Odd"), 2, 1)],
        replicas=lambda: draws.randint(0, 2), observedGeneration=lambda: draws.randint(1, 2),
    )  # fmt: skip


_KINDS: dict[tuple[str, str, str], float] = {
    ("/apis/apps/v1", "deployments", "Deployment"): 3,
    ("/apis/apps/v1", "statefulsets", "StatefulSet"): 1,
    ("/apis/batch/v1", "jobs", "Job"): 2,
    ("/apis/batch/v1", "cronjobs", "CronJob"): 1,
    ("/api/v1", "services", "Service"): 1,
    ("/api/v1", "serviceaccounts", "ServiceAccount"): 0.5,
    ("/apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"): 0.5,
    ("/apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"): 0.7,
    ("/apis/example.dev/v1", "gizmos", "Gizmo"): 4,
}
_SCALED = ("Deployment", "StatefulSet")
_BODIES: dict[str, _Body] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "Job": lambda draws: {"spec": _job_spec(draws)},
    "CronJob": _cron_job,
    "Service": _service,
    "ServiceAccount": _account,
    "NetworkPolicy": _network_policy,
    "HorizontalPodAutoscaler": _autoscaler,
    "Gizmo": lambda draws: {"spec": gizmo(draws)},
}
_STATUS: dict[str, _Body] = {
    "Deployment": _conditions,
    "StatefulSet": _conditions,
    "Gizmo": _conditions,
}
