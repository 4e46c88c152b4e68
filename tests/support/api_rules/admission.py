"""Rules of admission: what is added to a write, and who refuses it in which words."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import JSON_PATCH, Answer, Talk, config_map
from support.api_rules.writing import account

_numbers = itertools.count()
ACTIVE_S = 30.0
REGISTRATION = "/apis/admissionregistration.k8s.io/v1"


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}  # fmt: skip


def until(ask: Callable[[], Answer], holds: Callable[[Answer], bool]) -> Answer:
    end = time.monotonic() + ACTIVE_S
    while not holds(answer := ask()):
        assert time.monotonic() < end, answer.raw[:500]
        time.sleep(0.1)
    return answer


@rule("a LimitRange gives pods its defaults and refuses what is beyond it")
def limit_ranges(api: Talk) -> None:
    space = account(api, api.namespace())
    limit = {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"},
             "max": {"cpu": "4"}}  # fmt: skip
    body = {"metadata": {"name": "l"}, "spec": {"limits": [limit]}}
    api.post(f"{space}/limitranges", body).ok(201)
    made = until(
        lambda: api.post(f"{space}/pods", {**pod(""), "metadata": {"generateName": "p"}}),
        lambda answer: "limits" in answer.ok(201)["spec"]["containers"][0].get("resources", {}),
    ).body
    resources = made["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}
    large = {"name": "c", "image": "i", "resources": {"limits": {"cpu": "5"}}}
    said = api.post(f"{space}/pods", pod("q", containers=[large])).refused(403, "Forbidden")
    assert "maximum cpu usage per Container is 4, but limit is 5" in said["message"]


@rule("a pod's priority is its class's; a class that is not there is refused")
def priorities(api: Talk) -> None:
    space = account(api, api.namespace())
    name = f"rules-{next(_numbers)}"
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    api.post(path, {"metadata": {"name": name}, "value": 7}).ok(201)
    made = until(
        lambda: api.post(f"{space}/pods", pod("p", priorityClassName=name)),
        lambda answer: answer.status == 201,
    ).body["spec"]
    assert (made["priority"], made["preemptionPolicy"]) == (7, "PreemptLowerPriority")
    assert api.post(f"{space}/pods", pod("q")).ok(201)["spec"]["priority"] == 0
    said = api.post(f"{space}/pods", pod("r", priorityClassName="none"))
    assert "no PriorityClass with name none was found" in said.refused(403, "Forbidden")["message"]
    api.delete(f"{path}/{name}").ok()


@rule("a pod tolerates nodes that are not ready or not reached for five minutes")
def default_tolerations(api: Talk) -> None:
    space = account(api, api.namespace())
    made = api.post(f"{space}/pods", pod("p")).ok(201)["spec"]["tolerations"]
    assert made == [
        {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute",
         "tolerationSeconds": 300}
        for what in ("not-ready", "unreachable")
    ]  # fmt: skip


@rule("a namespace's label enforces a pod security standard, another warns of it")
def pod_security(api: Talk) -> None:
    space = account(api, api.namespace())
    key = "pod-security.kubernetes.io"
    api.patch(space, {"metadata": {"labels": {f"{key}/warn": "restricted"}}}).ok()
    answer = until(
        lambda: api.post(f"{space}/pods", pod("p"), dryRun="All"), lambda a: bool(a.warnings)
    )
    assert 'would violate PodSecurity "restricted:latest"' in answer.warnings[0]
    api.patch(space, {"metadata": {"labels": {f"{key}/enforce": "baseline"}}}).ok()
    answer = until(
        lambda: api.post(f"{space}/pods", pod("q", hostNetwork=True), dryRun="All"),
        lambda a: a.status == 403,
    )
    said = answer.refused(403, "Forbidden")["message"]
    assert 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)' in said


@rule("a ValidatingAdmissionPolicy that is bound denies, with its message and reason")
def validating_policies(api: Talk) -> None:
    space = api.namespace()
    name = f"rules-{next(_numbers)}.example.com"
    label = {"matchLabels": {"kubernetes.io/metadata.name": space.rpartition("/")[2]}}
    matched = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
               "resources": ["configmaps"]}  # fmt: skip
    check = {"expression": "has(object.data)", "message": "say something", "reason": "Invalid"}
    policy = {"metadata": {"name": name},
              "spec": {"matchConstraints": {"resourceRules": [matched]}, "validations": [check]}}  # fmt: skip
    bound = {"metadata": {"name": name},
             "spec": {"policyName": name, "validationActions": ["Deny"],
                      "matchResources": {"namespaceSelector": label}}}  # fmt: skip
    api.post(f"{REGISTRATION}/validatingadmissionpolicies", policy).ok(201)
    api.post(f"{REGISTRATION}/validatingadmissionpolicybindings", bound).ok(201)
    answer = until(
        lambda: api.post(f"{space}/configmaps", config_map("a"), dryRun="All"),
        lambda a: a.status != 201,
    )
    said = answer.refused(422, "Invalid")
    assert f"'{name}' with binding '{name}' denied request: say something" in said["message"]
    api.post(f"{space}/configmaps", config_map("a", k="1")).ok(201)
    api.delete(f"{REGISTRATION}/validatingadmissionpolicybindings/{name}").ok()
    api.delete(f"{REGISTRATION}/validatingadmissionpolicies/{name}").ok()


@rule("a webhook that cannot be reached fails the write, or not, as its failurePolicy says")
def unreachable_webhooks(api: Talk) -> None:
    space = api.namespace()
    name = f"rules-{next(_numbers)}.example.com"
    label = {"matchLabels": {"kubernetes.io/metadata.name": space.rpartition("/")[2]}}
    hook: dict[str, Any] = {
        "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://127.0.0.1:1/"}, "namespaceSelector": label,
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                   "resources": ["configmaps"]}],
    }  # fmt: skip
    path = f"{REGISTRATION}/validatingwebhookconfigurations"
    api.post(path, {"metadata": {"name": name}, "webhooks": [hook]}).ok(201)
    answer = until(
        lambda: api.post(f"{space}/configmaps", config_map("a"), dryRun="All"),
        lambda a: a.status != 201,
    )
    said = answer.refused(500, "InternalError")["message"]
    assert f'failed calling webhook "{name}"' in said
    operation = {"op": "add", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}
    api.patch(f"{path}/{name}", [operation], JSON_PATCH).ok()
    until(
        lambda: api.post(f"{space}/configmaps", config_map("a"), dryRun="All"),
        lambda a: a.status == 201,
    )
    api.delete(f"{path}/{name}").ok()
