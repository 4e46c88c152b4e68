"""Namespaces' labels refuse pods, warn of templates and of pods that are there already."""

from __future__ import annotations

from typing import Any

import pytest_asyncio

from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api

NAMESPACES = "/api/v1/namespaces"
PREFIX = "pod-security.kubernetes.io/"
Obj = dict[str, Any]


@pytest_asyncio.fixture
async def api() -> Api:
    return await an_api(MemoryStore())


async def make(api: Api, **labels: str) -> None:
    said = {PREFIX + key: value for key, value in labels.items()}
    body = {"metadata": {"name": "n", "labels": said}}
    assert (await api.call("POST", NAMESPACES, body))[0] == 201


def pod(name: str, **spec: Any) -> Obj:
    spec = {"containers": [{"name": "c", "image": "i"}], **spec}
    return {"metadata": {"name": name}, "spec": spec}


async def warned(api: Api, method: str, path: str, body: Obj) -> list[str]:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    made = await api.send(method, path, body, content_type=kind)
    assert made.status < 300, made.body
    return [value for name, value in made.headers if name == "warning"]


async def test_a_pod_is_refused(api: Api) -> None:
    await make(api, enforce="baseline")
    code, status = await api.call("POST", f"{NAMESPACES}/n/pods", pod("p", hostNetwork=True))
    assert (code, status["reason"]) == (403, "Forbidden")
    assert status["message"] == (
        'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces '
        "(hostNetwork=true)"
    )
    assert (await api.call("POST", f"{NAMESPACES}/n/pods", pod("p")))[0] == 201


async def test_what_makes_pods_is_warned_of_alone(api: Api) -> None:
    await make(api, enforce="baseline")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("", hostPID=True)["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    path = "/apis/apps/v1/namespaces/n/deployments"
    assert await warned(api, "POST", path, {"metadata": {"name": "d"}, "spec": spec}) == [
        '299 - "would violate PodSecurity \\"baseline:latest\\": host namespaces (hostPID=true)"'
    ]


async def test_a_new_level_tells_of_pods_that_are_there(api: Api) -> None:
    await make(api)
    assert (await api.call("POST", f"{NAMESPACES}/n/pods", pod("p", hostIPC=True)))[0] == 201
    change = {"metadata": {"labels": {f"{PREFIX}enforce": "baseline"}}}
    told = await warned(api, "PATCH", f"{NAMESPACES}/n", change)
    assert len(told) == 2 and told[1] == '299 - "p: host namespaces"'
    labels = {"metadata": {"labels": {"other": "label"}}}
    assert await warned(api, "PATCH", f"{NAMESPACES}/n/pods/p", labels) == []
    image = [{"op": "replace", "path": "/spec/containers/0/image", "value": "j"}]
    kind = "application/json-patch+json"
    code, _ = await api.call("PATCH", f"{NAMESPACES}/n/pods/p", image, content_type=kind)
    assert code == 403


async def test_wrong_labels_are_refused_when_they_are_new(api: Api) -> None:
    body = {"metadata": {"name": "n", "labels": {f"{PREFIX}enforce": "strict"}}}
    code, status = await api.call("POST", NAMESPACES, body)
    assert code == 422 and "must be one of privileged, baseline, restricted" in status["message"]
