"""A token stands for its account for as long as it, and what the token is bound to, is there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mizzen.apiserver.core.service_tokens import API_AUDIENCES, LEEWAY_S
from mizzen.host.token_signer import ensure_key
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, NS, Api

ACCOUNTS, PODS = f"{DEFAULT}/serviceaccounts", f"{DEFAULT}/pods"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    ensure_key(tmp_path / "key")
    return Api(MemoryStore(), service_account_key=tmp_path / "key")


async def prepare(api: Api) -> None:
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
    await api.call("POST", ACCOUNTS, {"metadata": {"name": "robot"}})


async def token(api: Api, **spec: Any) -> str:
    code, made = await api.call("POST", f"{ACCOUNTS}/robot/token", {"spec": spec})
    assert code == 201, made
    return made["status"]["token"]


async def review(api: Api, wanted: str) -> dict[str, Any]:
    code, made = await api.call("POST", REVIEWS, {"spec": {"token": wanted}})
    assert code == 201, made
    return made["status"]


def pod(name: str = "p") -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": "robot",
            "nodeName": "n1"}  # fmt: skip
    return {"metadata": {"name": name}, "spec": spec}


def bound_to(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "name": name}


def test_a_pods_token_tells_pod_and_node_and_ends_with_the_pod(api: Api) -> None:
    async def run() -> None:
        await prepare(api)
        await api.call("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
        _, made = await api.call("POST", PODS, pod())
        own = await token(api, boundObjectRef=bound_to("Pod", "p"))
        status = await review(api, own)
        extra = status["user"]["extra"]
        assert extra["authentication.kubernetes.io/pod-uid"] == [made["metadata"]["uid"]]
        assert extra["authentication.kubernetes.io/node-name"] == ["n1"]
        await api.call("DELETE", "/api/v1/nodes/n1")
        assert (await review(api, own))["authenticated"]
        await api.call("DELETE", f"{PODS}/p?gracePeriodSeconds=0")
        gone = "service account token has been invalidated"
        assert (await review(api, own))["error"] == f"[invalid bearer token, {gone}]"
        await api.call("POST", PODS, pod())
        assert "pod UID" in (await review(api, own))["error"]

    asyncio.run(run())


def test_a_pod_that_is_being_deleted_keeps_its_token_for_a_minute(api: Api) -> None:
    async def run() -> None:
        await prepare(api)
        await api.call("POST", PODS, pod())
        own = await token(api, boundObjectRef=bound_to("Pod", "p"))
        await api.call("DELETE", f"{PODS}/p?gracePeriodSeconds=5")
        assert (await review(api, own))["authenticated"]
        api.clock.ns += (LEEWAY_S + 10) * NS
        assert "invalidated" in (await review(api, own))["error"]

    asyncio.run(run())


def test_a_token_ends_and_a_new_account_of_the_name_is_another(api: Api) -> None:
    async def run() -> None:
        await prepare(api)
        own = await token(api, expirationSeconds=600)
        assert (await review(api, own))["authenticated"]
        await api.call("DELETE", f"{ACCOUNTS}/robot")
        await prepare(api)
        assert "service account UID" in (await review(api, own))["error"]
        fresh = await token(api, expirationSeconds=600)
        api.clock.ns += (600 + LEEWAY_S + 1) * NS
        assert "service account token has expired" in (await review(api, fresh))["error"]

    asyncio.run(run())


def test_a_pod_of_another_account_is_no_place_to_bind_to(api: Api) -> None:
    async def run() -> None:
        await prepare(api)
        await api.call("POST", ACCOUNTS, {"metadata": {"name": "other"}})
        wish = pod()
        wish["spec"]["serviceAccountName"] = "other"
        await api.call("POST", PODS, wish)
        body = {"spec": {"boundObjectRef": bound_to("Pod", "p")}}
        code, said = await api.call("POST", f"{ACCOUNTS}/robot/token", body)
        assert code == 400 and "different serviceaccount name" in said["message"]

    asyncio.run(run())


def test_a_token_of_a_pod_for_the_usual_hour_lives_for_a_year(api: Api) -> None:
    async def run() -> None:
        await prepare(api)
        await api.call("POST", PODS, pod())
        own = await token(api, expirationSeconds=3607, boundObjectRef=bound_to("Pod", "p"))
        api.clock.ns += 300 * 86_400 * NS
        assert (await review(api, own))["audiences"] == list(API_AUDIENCES)

    asyncio.run(run())


def test_without_a_key_no_token_is_made() -> None:
    async def run() -> None:
        api = Api(MemoryStore())
        await prepare(api)
        code, _ = await api.call("POST", f"{ACCOUNTS}/robot/token", {})
        assert code == 405

    asyncio.run(run())


def test_others_find_the_key_that_signs(api: Api) -> None:
    async def run() -> None:
        code, found = await api.call("GET", "/.well-known/openid-configuration")
        assert code == 200 and found["jwks_uri"] == "https://127.0.0.1:7443/openid/v1/jwks"
        code, keys = await api.call("GET", "/openid/v1/jwks")
        assert code == 200 and keys["keys"][0]["alg"] == "ES256"

    asyncio.run(run())
