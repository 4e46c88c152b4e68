"""Requests about admission whose answers are compared with upstream's: what is refused, and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Obj = dict[str, Any]
NAMESPACE = "admitted"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
BATCH = f"/apis/batch/v1/namespaces/{NAMESPACE}"
POLICY = f"/apis/policy/v1/namespaces/{NAMESPACE}"
HOOKS = "/apis/admissionregistration.k8s.io/v1"


class Case(NamedTuple):
    """One request. `settles` are those that upstream acts upon a little later."""

    method: str
    path: str
    body: Obj | None = None
    settles: bool = False


def named(name: str, **rest: Any) -> Obj:
    return {"metadata": {"name": name}, **rest}


def pod(name: str, requests: Obj | None = None, limits: Obj | None = None, **spec: Any) -> Obj:
    resources = {k: v for k, v in (("requests", requests), ("limits", limits)) if v}
    container = {"name": "c", "image": "i", **({"resources": resources} if resources else {})}
    return named(
        name, spec={"containers": [container], "automountServiceAccountToken": False, **spec}
    )


def limit(kind: str, **amounts: Obj) -> Obj:
    return named("l", spec={"limits": [{"type": kind, **amounts}]})


def quota(hard: Obj, **spec: Any) -> Obj:
    return named("q", spec={"hard": hard, **spec})


def budget(**spec: Any) -> Obj:
    return named("b", spec={"selector": {"matchLabels": {"a": "b"}}, **spec})


def cron_job(name: str = "c", **spec: Any) -> Obj:
    container = {"name": "m", "image": "i"}
    template = {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}}
    return named(name, spec={"schedule": "* * * * *", "jobTemplate": {"spec": template}, **spec})


def hooks(rule: Obj | None = None, **hook: Any) -> Obj:
    whole = {
        "name": "a.acme.com", "clientConfig": {"url": "https://here/x"}, "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["nothing"],
                   "operations": ["CREATE"], **(rule or {})}],
        **hook,
    }  # fmt: skip
    return named("w", webhooks=[whole])


def policy(**spec: Any) -> Obj:
    rule = {
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
        "operations": ["CREATE", "UPDATE"],
    }  # fmt: skip
    whole = {
        "matchConstraints": {
            "resourceRules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
        },
        **spec,
    }
    return named("p", spec=whole)


def binding(**spec: Any) -> Obj:
    return named("b", spec={"policyName": "p", "validationActions": ["Deny"], **spec})


def refused() -> Iterator[Case]:
    """Objects that cannot be."""
    ranges, quotas = f"{CORE}/limitranges", f"{CORE}/resourcequotas"
    yield Case("POST", ranges, limit("Container", min={"cpu": "2"}, max={"cpu": "1"}))
    yield Case(
        "POST", ranges, limit("Container", default={"cpu": "1"}, defaultRequest={"cpu": "2"})
    )
    yield Case("POST", ranges, limit("Pod", default={"cpu": "1"}))
    yield Case("POST", ranges, limit("PersistentVolumeClaim"))
    yield Case("POST", ranges, limit("Container", maxLimitRequestRatio={"cpu": "500m"}))
    yield Case("POST", quotas, quota({"gpus": "1"}))
    yield Case("POST", quotas, quota({"pods": "1500m"}))
    yield Case("POST", quotas, quota({"pods": "-1"}))
    yield Case("POST", quotas, quota({"services": "1"}, scopes=["Terminating"]))
    yield Case("POST", quotas, quota({"pods": "1"}, scopes=["BestEffort", "NotBestEffort"]))
    yield Case("POST", quotas, quota({"pods": "1"}, scopes=["Other"]))
    term = {"scopeName": "PriorityClass", "operator": "In"}
    selector = {"matchExpressions": [term]}
    yield Case("POST", quotas, quota({"pods": "1"}, scopeSelector=selector))
    budgets = f"{POLICY}/poddisruptionbudgets"
    for spec in (
        {"minAvailable": "101%"}, {"minAvailable": -1}, {"minAvailable": "some"},
        {"minAvailable": 1, "maxUnavailable": 1}, {"unhealthyPodEvictionPolicy": "Some"},
    ):  # fmt: skip
        yield Case("POST", budgets, budget(**spec))
    cron_jobs = f"{BATCH}/cronjobs"
    for spec in (
        {"schedule": "61 * * * *"}, {"schedule": "TZ=UTC * * * * *"}, {"schedule": ""},
        {"schedule": "* * * *"}, {"schedule": "@every never"}, {"schedule": "x * * * *"},
        {"timeZone": "Nowhere/Bad"}, {"timeZone": "local"}, {"timeZone": ""},
        {"concurrencyPolicy": "Some"}, {"successfulJobsHistoryLimit": -1},
        {"startingDeadlineSeconds": -1},
    ):  # fmt: skip
        yield Case("POST", cron_jobs, cron_job(**spec))
    yield Case("POST", cron_jobs, cron_job("c" * 53))
    validating = f"{HOOKS}/validatingwebhookconfigurations"
    for hook in (
        {"name": "short"}, {"sideEffects": "Some"}, {"timeoutSeconds": 31},
        {"admissionReviewVersions": ["v2"]}, {"admissionReviewVersions": []}, {"clientConfig": {}},
        {"clientConfig": {"url": "http://here"}}, {"failurePolicy": "Some"},
        {"rule": {"operations": ["*", "CREATE"]}}, {"rule": {"resources": ["*/*", "pods"]}},
        {"rule": {"operations": ["READ"]}}, {"rule": {"scope": "Some"}}, {"rule": {"apiGroups": []}},
        {"matchConditions": [{"name": "", "expression": "true"}]},
    ):  # fmt: skip
        yield Case("POST", validating, hooks(**hook))
    policies, bindings = (
        f"{HOOKS}/validatingadmissionpolicies",
        f"{HOOKS}/validatingadmissionpolicybindings",
    )
    for spec in (
        {}, {"validations": [{"expression": ""}]},
        {"validations": [{"expression": "true", "reason": "NotFound"}]},
        {"validations": [{"expression": "true", "message": "a\nb"}]},
        {"validations": [{"expression": "true"}], "paramKind": {"kind": "ConfigMap"}},
        {"validations": [{"expression": "true"}], "matchConstraints": {}},
        {"validations": [{"expression": "true"}], "failurePolicy": "Some"},
        {"validations": [{"expression": "true"}],
         "variables": [{"name": "no-name", "expression": "1"}]},
    ):  # fmt: skip
        yield Case("POST", policies, policy(**spec))
    for spec in (
        {"policyName": ""}, {"validationActions": []}, {"validationActions": ["Deny", "Warn"]},
        {"validationActions": ["Refuse"]}, {"paramRef": {"parameterNotFoundAction": "Deny"}},
        {"paramRef": {"name": "x"}},
        {"paramRef": {"name": "x", "selector": {}, "parameterNotFoundAction": "Deny"}},
    ):  # fmt: skip
        yield Case("POST", bindings, binding(**spec))


def admitted() -> Iterator[Case]:
    """What LimitRanges, quotas and policies make of writes, in this order."""
    bounds = {
        "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"},
        "min": {"cpu": "50m"}, "maxLimitRequestRatio": {"cpu": "6"},
    }  # fmt: skip
    yield Case("POST", f"{CORE}/limitranges", limit("Container", **bounds))
    pods = f"{CORE}/pods"
    yield Case("POST", pods, pod("large", limits={"cpu": "2"}))
    yield Case("POST", pods, pod("small", {"cpu": "10m"}, {"cpu": "20m"}))
    yield Case("POST", pods, pod("wide", {"cpu": "100m"}, {"cpu": "1"}))
    yield Case("POST", pods, pod("fine"))
    yield Case("DELETE", f"{CORE}/limitranges/l")
    yield Case("DELETE", f"{pods}/fine?gracePeriodSeconds=0")
    hard = {"pods": "2", "requests.cpu": "1", "count/configmaps": "1", "services.nodeports": "1"}
    yield Case("POST", f"{CORE}/resourcequotas", quota(hard))
    zero = dict.fromkeys(hard, "0")
    status = {"status": {"hard": hard, "used": zero}}
    yield Case("PUT", f"{CORE}/resourcequotas/q/status", {**quota(hard), **status})
    yield Case("POST", pods, pod("silent"), settles=True)
    yield Case("POST", pods, pod("much", {"cpu": "1500m"}))
    yield Case("POST", pods, pod("a", {"cpu": "750m"}))
    yield Case("POST", pods, pod("b", {"cpu": "500m"}))
    yield Case("POST", pods, pod("b", {"cpu": "100m"}))
    yield Case("POST", pods, pod("c", {"cpu": "100m"}))
    two = [{"port": 80, "name": "x"}, {"port": 81, "name": "y"}]
    yield Case("POST", f"{CORE}/services", named("s", spec={"type": "NodePort", "ports": two}))
    yield Case("GET", f"{CORE}/resourcequotas/q")
    yield Case("DELETE", f"{CORE}/resourcequotas/q")
    many = {"expression": "size(object.data) < 2", "message": "at most one"}
    mine = {"expression": "!has(object.data.bad)", "reason": "Forbidden",
            "messageExpression": "'bad is ' + object.data.bad"}  # fmt: skip
    broken = {"expression": "object.data.absent == 'x'"}
    yield Case("POST", f"{HOOKS}/validatingadmissionpolicies", policy(validations=[many, mine]))
    yield Case("POST", f"{HOOKS}/validatingadmissionpolicybindings", binding())
    maps = f"{CORE}/configmaps"
    yield Case("POST", maps, named("m", data={"a": "b", "c": "d"}), settles=True)
    yield Case("POST", maps, named("m", data={"bad": "one"}))
    yield Case("POST", maps, named("m", data={"a": "b"}))
    yield Case("PUT", maps + "/m", named("m", data={"a": "b", "c": "d"}))
    yield Case("DELETE", f"{HOOKS}/validatingadmissionpolicies/p")
    yield Case("POST", f"{HOOKS}/validatingadmissionpolicies", policy(validations=[broken]))
    yield Case("POST", maps, named("n", data={"a": "b"}), settles=True)
    yield Case("DELETE", f"{HOOKS}/validatingadmissionpolicies/p")
    yield Case("DELETE", f"{HOOKS}/validatingadmissionpolicybindings/b")
