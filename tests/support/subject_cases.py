"""What is asked by way of subresources, of whom a webhook is asked, and what it is shown."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from support.webhook_server import json_patch

Obj = dict[str, Any]
Ask = Callable[[str, str, Any], tuple[int, Any]]
NS = "asked"
CORE = f"/api/v1/namespaces/{NS}"
APPS = f"/apis/apps/v1/namespaces/{NS}"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
SETTLES_S = 20.0
_CHANCE = (
    "uid", "creationTimestamp", "managedFields", "resourceVersion", "generation",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip


class Asked:
    """What the webhook was asked; it refuses all but what is called `changed`, which it changes."""

    def __init__(self) -> None:
        self.requests: list[Obj] = []
        self._lock = threading.Lock()

    def answer(self, request: Obj) -> Obj:
        with self._lock:
            self.requests.append(request)
        if request.get("name") == "changed":
            if request.get("subResource") == "scale":
                return json_patch({"op": "replace", "path": "/spec/replicas", "value": 7})
            return {"allowed": True}
        what = f"{request['operation']} {request.get('subResource')}"
        return {
            "allowed": False, "status": {"message": f"no {what}", "code": 403},
            "warnings": [f"asked about {what}"], "auditAnnotations": {"a": "b"},
        }  # fmt: skip

    def take(self) -> list[Obj]:
        with self._lock:
            found, self.requests = self.requests, []
        return [_shown(each) for each in found]


def configuration(kind: str, client: Obj) -> Obj:
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"],
         "resources": ["pods/*", "services/*", "serviceaccounts/*", "nodes/proxy"]},
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"],
         "resources": ["deployments/*"]},
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["pods"]},
    ]  # fmt: skip
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "asks"},
        "webhooks": [{
            "name": "asks.acme.com", "clientConfig": client, "rules": rules, "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }],
    }  # fmt: skip


def objects() -> Iterator[tuple[str, Obj]]:
    container = {"name": "c", "image": "i"}
    yield "/api/v1/nodes", {"metadata": {"name": "n"}}
    for name, node in (("p", "n"), ("free", ""), ("changed", "n")):
        spec = {"containers": [container], "automountServiceAccountToken": False}
        yield f"{CORE}/pods", {
            "metadata": {"name": name}, "spec": {**spec, **({"nodeName": node} if node else {})},
        }  # fmt: skip
    ports = {"ports": [{"port": 80}], "selector": {"a": "b"}}
    yield f"{CORE}/services", {"metadata": {"name": "s"}, "spec": ports}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    for name in ("d", "changed"):
        yield f"{APPS}/deployments", {
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, "replicas": 1},
        }  # fmt: skip


def requests() -> Iterator[tuple[str, str, Any]]:
    pod = f"{CORE}/pods/p"
    yield "POST", f"{pod}/exec?command=ls&command=-l&container=c&stdout=true&stderr=1", None
    yield "POST", f"{pod}/attach?stdin=true&tty=true", None
    yield "POST", f"{pod}/portforward?ports=80&ports=81", None
    yield "GET", f"{pod}/proxy/some/page?x=y", None
    yield "POST", f"{CORE}/services/s:80/proxy/", {"a": 1}
    yield "GET", "/api/v1/nodes/n/proxy/stats", None
    yield "POST", f"{pod}/eviction", {
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"},
        "deleteOptions": {"gracePeriodSeconds": 3},
    }  # fmt: skip
    yield "POST", f"{CORE}/pods/free/binding", {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "free"},
        "target": {"kind": "Node", "name": "n"},
    }  # fmt: skip
    yield "PATCH", f"{pod}/status", {"status": {"reason": "x"}}
    yield "PATCH", f"{APPS}/deployments/d/scale", {"spec": {"replicas": 2}}
    yield "PATCH", f"{APPS}/deployments/d/status", {"status": {"replicas": 2}}
    yield "POST", f"{CORE}/serviceaccounts/default/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": ["x"], "expirationSeconds": 3600},
    }  # fmt: skip
    yield "DELETE", pod, None


def answers(ask: Ask, client: Obj, asked: Asked) -> dict[str, Any]:
    """What each request is answered, and of what the webhook was asked."""
    found: dict[str, Any] = {}
    for path, body in objects():
        status, told = ask("POST", path, body)
        assert status == 201, told
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        path = f"{HOOKS}/{kind.lower()}s"
        status, told = ask("POST", path, configuration(kind, client))
        assert status == 201, told
        _wait(ask, asked)
        for method, where, body in requests():
            status, told = ask(method, where, body)
            message = told.get("message") if isinstance(told, dict) else told
            found[f"{kind} {method} {where}"] = status, message, asked.take()
        status, told = ask("PATCH", f"{APPS}/deployments/changed/scale", {"spec": {"replicas": 3}})
        found[f"{kind} scaled"] = status, told.get("spec"), asked.take()
        assert ask("DELETE", f"{path}/asks", None)[0] == 200
        time.sleep(2)  # until nobody asks any more
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "changed"}}
    found["evicted"] = ask("POST", f"{CORE}/pods/changed/eviction", eviction)[0]
    return found


def _wait(ask: Ask, asked: Asked) -> None:
    ends = time.monotonic() + SETTLES_S
    while not asked.take() and time.monotonic() < ends:
        ask("PATCH", f"{CORE}/pods/p/status?dryRun=All", {"status": {"reason": "y"}})
        time.sleep(0.1)
    time.sleep(0.5)
    asked.take()


def _shown(request: Obj) -> Obj:
    request = json.loads(json.dumps(request))
    for name in ("uid", "userInfo"):
        request.pop(name, None)
    for name in ("object", "oldObject"):
        for each in _CHANCE:
            (request.get(name) or {}).get("metadata", {}).pop(each, None)
        if request["kind"]["kind"] == "TokenRequest":  # it is named after the first webhooks
            (request.get(name) or {}).get("metadata", {}).pop("name", None)
        if "Deployment" in request["kind"]["kind"] or request["kind"]["kind"] == "Pod":
            made = request.get(name)
            request[name] = made and {
                "kind": made["kind"], "name": made["metadata"]["name"],
                "status": made.get("status", {}).get("reason"),
            }  # fmt: skip
    return request
