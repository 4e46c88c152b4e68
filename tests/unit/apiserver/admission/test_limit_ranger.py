"""LimitRanges of a namespace complete its pods and refuse what is out of bounds."""

from __future__ import annotations

from typing import Any

import pytest_asyncio

from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

Obj = dict[str, Any]


@pytest_asyncio.fixture
async def api() -> Api:
    made = await an_api(MemoryStore())
    limit = {
        "type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"},
        "max": {"cpu": "1"},
    }  # fmt: skip
    body = {"metadata": {"name": "limits"}, "spec": {"limits": [limit]}}
    assert (await made.call("POST", f"{DEFAULT}/limitranges", body))[0] == 201
    return made


def pod(**resources: Obj) -> Obj:
    container = {"name": "c", "image": "i", "resources": resources}
    return {"metadata": {"name": "p"}, "spec": {"containers": [container]}}


async def test_a_pod_gets_the_defaults_of_its_namespace(api: Api) -> None:
    code, made = await api.call("POST", f"{DEFAULT}/pods", pod())
    assert code == 201
    resources = made["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}}
    _, other = await api.call("POST", "/api/v1/namespaces/kube-system/pods", pod())
    assert other["spec"]["containers"][0].get("resources", {}) == {}


async def test_a_pod_out_of_bounds_is_refused(api: Api) -> None:
    code, status = await api.call("POST", f"{DEFAULT}/pods", pod(limits={"cpu": "2"}))
    assert code == 403
    assert status["message"] == (
        'pods "p" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
    )
