"""Pods of one template, whose spec is judged once, are made as if each were the first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mizzen.apiserver.http import Request, Response
from mizzen.base.objects import Obj
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

PODS = f"{DEFAULT}/pods"


def pod(name: str, *, labels: Obj | None = None, image: str = "app:1", **container: Any) -> Obj:
    metadata = {"name": name, **({} if labels is None else {"labels": labels})}
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": "a", "image": image, **container}]},
    }


async def made(api: Api, body: Obj) -> Obj:
    status, answer = await api.call("POST", PODS, body)
    assert status == 201, answer
    return answer


async def test_all_of_a_template_are_alike() -> None:
    api = await an_api(MemoryStore())
    first, second, third = [await made(api, pod(name)) for name in ("a", "b", "c")]
    assert first["spec"] == second["spec"] == third["spec"]
    assert first["status"] == third["status"]
    entries = [each["metadata"]["managedFields"] for each in (first, second, third)]
    assert entries[0] == entries[1] == entries[2]
    assert first["spec"]["serviceAccountName"] == "default" and first["spec"]["tolerations"]


async def test_what_else_is_wrong_with_one_is_told() -> None:
    api = await an_api(MemoryStore())
    await made(api, pod("a"))
    await made(api, pod("b"))
    status, answer = await api.call("POST", PODS, pod("c", labels={"-": "x"}))
    assert status == 422
    assert [cause["field"] for cause in answer["details"]["causes"]] == ["metadata.labels"]


async def test_admission_is_asked_for_each() -> None:
    api = await an_api(MemoryStore())
    await made(api, pod("a"))
    await made(api, pod("b"))
    limits = {"type": "Container", "defaultRequest": {"cpu": "10m"}}
    body = {"metadata": {"name": "l"}, "spec": {"limits": [limits]}}
    assert (await api.call("POST", f"{DEFAULT}/limitranges", body))[0] == 201
    later = await made(api, pod("c"))
    assert later["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "10m"}
    assert later["status"]["qosClass"] == "Burstable"
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    chosen = {"metadata": {"name": "high"}, "value": 7, "globalDefault": True}
    assert (await api.call("POST", classes, chosen))[0] == 201
    assert (await made(api, pod("d")))["spec"]["priority"] == 7


@pytest.mark.parametrize("name", ["a", "b", "c"])
async def test_wrong_specs_are_wrong_each_time(name: str) -> None:
    api = await an_api(MemoryStore())
    for _ in range(3):
        body = pod(name, volumeMounts=[{"name": "none", "mountPath": "/a"}])
        status, answer = await api.call("POST", PODS, body)
        assert status == 422
        fields = [cause["field"] for cause in answer["details"]["causes"]]
        assert fields == ["spec.containers[0].volumeMounts[0].name"]


async def test_warnings_come_each_time() -> None:
    api = await an_api(MemoryStore())
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    for name in ("a", "b", "c"):
        draft_warnings = await _warnings(api, pod(name, env=env))
        assert any("hides previous definition" in text for text in draft_warnings)


async def _warnings(api: Api, body: Obj) -> list[str]:

    headers = {"authorization": "Bearer test", "content-type": "application/json"}
    request = Request("POST", PODS, {}, headers, json.dumps(body).encode())
    api.app.authenticate(request)
    answer = await api.app.answer(request)
    assert isinstance(answer, Response) and answer.status == 201
    return [value for name, value in answer.headers if name.lower() == "warning"]
