"""A namespace stays within its quotas: in plans, by removals and after changes of the limits."""

from __future__ import annotations

from typing import Any

import orjson
import pytest_asyncio

from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey
from support.api_handlers import DEFAULT, NS, Api, an_api

Obj = dict[str, Any]
KEY = ObjectKey("resourcequotas", "default", "q")


@pytest_asyncio.fixture
async def api() -> Api:
    made = await an_api(MemoryStore())
    await limit(made, {"pods": "2", "requests.cpu": "1", "count/configmaps": "2"})
    return made


async def limit(api: Api, hard: Obj) -> None:
    body = {"metadata": {"name": "q"}, "spec": {"hard": hard}}
    path = f"{DEFAULT}/resourcequotas"
    if (await api.call("POST", path, body))[0] != 201:
        assert (await api.call("PUT", f"{path}/q", body))[0] == 200


def used(api: Api) -> Obj:
    stored = api.store.get(KEY)
    assert stored is not None
    return orjson.loads(stored.data)["status"]["used"]


def pod(name: str, cpu: str = "250m") -> Obj:
    resources = {"requests": {"cpu": cpu}}
    container = {"name": "c", "image": "i", "resources": resources}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container]},
    }  # fmt: skip


async def test_what_is_made_is_charged_and_what_exceeds_is_refused(api: Api) -> None:
    assert (await api.call("POST", f"{DEFAULT}/pods", pod("a", "750m")))[0] == 201
    assert used(api) == {"pods": "1", "requests.cpu": "750m", "count/configmaps": "0"}
    code, status = await api.call("POST", f"{DEFAULT}/pods", pod("b", "500m"))
    assert code == 403
    assert status["message"] == (
        'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m, '
        "used: requests.cpu=750m, limited: requests.cpu=1"
    )
    assert used(api)["pods"] == "1"


async def test_a_container_must_say_what_is_limited(api: Api) -> None:
    silent = pod("a")
    silent["spec"]["containers"][0].pop("resources")
    _, status = await api.call("POST", f"{DEFAULT}/pods", silent)
    assert status["message"] == (
        'pods "a" is forbidden: failed quota: q: must specify requests.cpu for: c'
    )


async def test_a_dry_run_is_judged_and_charges_nothing(api: Api) -> None:
    assert (await api.call("POST", f"{DEFAULT}/pods?dryRun=All", pod("a")))[0] == 201
    assert used(api) == {"pods": "0", "requests.cpu": "0", "count/configmaps": "0"}
    assert (await api.call("POST", f"{DEFAULT}/pods?dryRun=All", pod("a", "2")))[0] == 403


async def test_pods_that_end_or_go_give_back(api: Api) -> None:
    for name in ("a", "b"):
        await api.call("POST", f"{DEFAULT}/pods", pod(name))
    assert used(api)["pods"] == "2"
    ended = {"status": {"phase": "Succeeded"}}
    merge = "application/merge-patch+json"
    code, _ = await api.call("PATCH", f"{DEFAULT}/pods/a/status", ended, content_type=merge)
    assert code == 200
    assert used(api) == {"pods": "1", "requests.cpu": "250m", "count/configmaps": "0"}
    for name in ("a", "b"):
        await api.call("DELETE", f"{DEFAULT}/pods/{name}?gracePeriodSeconds=0")
    assert used(api) == {"pods": "0", "requests.cpu": "0", "count/configmaps": "0"}


async def test_a_plan_beyond_the_quota_is_refused_whole(api: Api) -> None:
    made = [
        {"op": "create", "resource": "configmaps",
         "object": {"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": f"m{index}", "namespace": "default"}}}
        for index in range(3)
    ]  # fmt: skip
    code, status = await api.plan(*made)
    assert code == 403
    assert status["details"]["causes"][0]["field"] == "spec.operations[2]"
    assert status["message"] == (
        'configmaps "m2" is forbidden: exceeded quota: q, requested: count/configmaps=1, '
        "used: count/configmaps=2, limited: count/configmaps=2"
    )
    assert (await api.plan(*made[:2]))[0] == 201
    assert used(api)["count/configmaps"] == "2"


async def test_a_change_of_the_limits_counts_anew(api: Api) -> None:
    await api.call("POST", f"{DEFAULT}/pods", pod("a"))
    await limit(api, {"pods": "1", "secrets": "1"})
    code, status = await api.call("POST", f"{DEFAULT}/pods", pod("b"))
    assert code == 403
    assert "used: pods=1, limited: pods=1" in status["message"]
    secret = {"metadata": {"name": "s"}}
    assert (await api.call("POST", f"{DEFAULT}/secrets", secret))[0] == 201
    assert used(api) == {"pods": "1", "secrets": "1"}


async def test_a_pod_stuck_in_its_deletion_is_given_back_once(api: Api) -> None:
    stuck = pod("a")
    stuck["metadata"]["finalizers"] = ["acme.com/hold"]
    stuck["spec"]["nodeName"] = "gone"
    await api.call("POST", f"{DEFAULT}/pods", stuck)
    await api.call("POST", f"{DEFAULT}/pods", pod("b"))
    await api.call("DELETE", f"{DEFAULT}/pods/a")
    assert used(api)["pods"] == "2"
    api.clock.ns += 3600 * NS
    free = {"metadata": {"finalizers": None}}
    merge = "application/merge-patch+json"
    await api.call("PATCH", f"{DEFAULT}/pods/a", free, content_type=merge)
    await api.call("DELETE", f"{DEFAULT}/pods/a?gracePeriodSeconds=0")
    assert used(api) == {"pods": "1", "requests.cpu": "250m", "count/configmaps": "0"}


async def test_a_new_quota_tells_at_once_what_is_used(api: Api) -> None:
    await api.call("POST", f"{DEFAULT}/pods", pod("a"))
    body = {"metadata": {"name": "r"}, "spec": {"hard": {"pods": "5", "count/resourcequotas": "2"}}}
    code, made = await api.call("POST", f"{DEFAULT}/resourcequotas", body)
    assert code == 201
    assert made["status"]["used"] == {"count/resourcequotas": "2", "pods": "1"}
    third = {"metadata": {"name": "s"}, "spec": {}}
    assert (await api.call("POST", f"{DEFAULT}/resourcequotas", third))[0] == 403


async def test_what_is_written_as_used_is_counted(api: Api) -> None:
    await api.call("POST", f"{DEFAULT}/pods", pod("a"))
    wrong = {"status": {"hard": {"pods": "9"}, "used": {"pods": "7"}}}
    path, merge = f"{DEFAULT}/resourcequotas/q/status", "application/merge-patch+json"
    code, made = await api.call("PATCH", path, wrong, content_type=merge)
    assert code == 200
    assert made["status"]["hard"]["pods"] == "9"
    assert made["status"]["used"]["pods"] == "1"
