"""Webhooks change, allow and refuse writes; what is committed is what they have seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.apiserver.admission_chain import admission
from mizzen.apiserver.audit_annotations import record_into
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey, Put
from support.api_handlers import DEFAULT, Api, an_api
from support.webhook_server import json_patch, webhook

Obj = dict[str, Any]
MAPS = f"{DEFAULT}/configmaps"
ALLOWED: Obj = {"allowed": True}
RULE: Obj = {
    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
    "operations": ["CREATE", "UPDATE", "DELETE"],
}  # fmt: skip


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    made = await an_api(MemoryStore())
    yield made
    made.server.webhooks.close()
    await asyncio.sleep(0)  # the transports' turn
    await asyncio.sleep(0)


async def configure(api: Api, kind: str, name: str, *hooks: Obj) -> None:
    whole = [
        {
            "name": f"{name}{index}.acme.com", "rules": [RULE], "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 5, **hook,
        }
        for index, hook in enumerate(hooks)
    ]  # fmt: skip
    path = f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}webhookconfigurations"
    await api.call("DELETE", f"{path}/{name}")
    code, made = await api.call("POST", path, {"metadata": {"name": name}, "webhooks": whole})
    assert code == 201, made


def config_map(name: str = "m", **data: str) -> Obj:
    return {"metadata": {"name": name}, "data": data}


async def test_a_validating_webhook_refuses_in_its_words(api: Api, tmp_path: Path) -> None:
    def answer(request: Obj) -> Obj:
        is_bad = request["object"]["data"].get("bad") == "yes"
        refusal = {"code": 403, "reason": "Forbidden", "message": "bad data"}
        return {"allowed": not is_bad, "status": refusal, "warnings": ["look out"]}

    async with webhook(tmp_path, answer) as hook:
        await configure(api, "Validating", "v", {"clientConfig": hook.client_config})
        assert (await api.call("POST", MAPS, config_map(bad="no")))[0] == 201
        code, status = await api.call("POST", MAPS, config_map("n", bad="yes"))
        assert (code, status["reason"]) == (403, "Forbidden")
        assert status["message"] == ('admission webhook "v0.acme.com" denied the request: bad data')
        assert (await api.call("GET", f"{MAPS}/n"))[0] == 404
        asked = hook.requests[0]
        assert asked["operation"] == "CREATE"
        assert asked["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
        assert asked["userInfo"]["username"] == "admin"
        assert asked["object"]["metadata"]["name"] == "m"
        assert asked["oldObject"] is None
        assert asked["options"]["kind"] == "CreateOptions"
        assert hook.connections == 1, "connections are kept"


async def test_a_mutating_webhook_changes_what_is_stored(api: Api, tmp_path: Path) -> None:
    def answer(request: Obj) -> Obj:
        return json_patch({"op": "add", "path": "/data/added", "value": "yes"})

    async with webhook(tmp_path, answer) as hook:
        await configure(api, "Mutating", "m", {"clientConfig": hook.client_config})
        code, made = await api.call("POST", MAPS, config_map(a="b"))
        assert code == 201
        assert made["data"] == {"a": "b", "added": "yes"}
        _, stored = await api.call("GET", f"{MAPS}/m")
        assert stored["data"] == made["data"]
        assert stored["metadata"]["uid"] == hook.requests[0]["object"]["metadata"]["uid"]


async def test_those_who_want_to_see_later_changes_are_asked_again(
    api: Api, tmp_path: Path
) -> None:
    def answer(request: Obj) -> Obj:
        data = request["object"]["data"]
        if "first" not in data:
            return json_patch({"op": "add", "path": "/data/first", "value": "1"})
        if "second" not in data:
            return json_patch({"op": "add", "path": "/data/second", "value": "2"})
        return ALLOWED

    async with webhook(tmp_path, answer) as hook:
        first = {"clientConfig": hook.client_config, "reinvocationPolicy": "IfNeeded"}
        await configure(api, "Mutating", "m", first, {"clientConfig": hook.client_config})
        code, made = await api.call("POST", MAPS, config_map(a="b"))
        assert code == 201
        assert made["data"] == {"a": "b", "first": "1", "second": "2"}
        assert len(hook.requests) == 3


async def test_validating_webhooks_see_what_mutating_ones_made(api: Api, tmp_path: Path) -> None:
    def answer(request: Obj) -> Obj:
        if "added" in request["object"]["data"]:
            return {"allowed": False, "status": {}}
        return json_patch({"op": "add", "path": "/data/added", "value": "yes"})

    async with webhook(tmp_path, answer) as hook:
        await configure(api, "Mutating", "m", {"clientConfig": hook.client_config})
        await configure(api, "Validating", "v", {"clientConfig": hook.client_config})
        code, status = await api.call("POST", MAPS, config_map(a="b"))
        assert code == 400
        assert status["message"] == (
            'admission webhook "v0.acme.com" denied the request without explanation'
        )


async def test_a_plan_asks_about_all_its_operations(api: Api, tmp_path: Path) -> None:
    def answer(request: Obj) -> Obj:
        if request["name"] == "m2":
            return {"allowed": False, "status": {"message": "two is too many"}}
        return json_patch({"op": "add", "path": "/data/seen", "value": "yes"})

    async with webhook(tmp_path, answer) as hook:
        await configure(api, "Mutating", "m", {"clientConfig": hook.client_config})
        await configure(api, "Validating", "v", {"clientConfig": hook.client_config})

        def once(request: Obj) -> Obj:
            return ALLOWED if "seen" in request["object"]["data"] else answer(request)

        hook.answer = once

        def create(name: str) -> Obj:
            obj: Obj = {"apiVersion": "v1", "kind": "ConfigMap", **config_map(name, a="b")}
            obj["metadata"]["namespace"] = "default"
            return {"op": "create", "resource": "configmaps", "object": obj}

        code, made = await api.plan(create("m0"), create("m1"))
        assert code == 201
        assert all(each["data"]["seen"] == "yes" for each in made["status"]["results"])
        code, status = await api.plan(create("n"), create("m2"))
        assert code == 400
        assert status["details"]["causes"][0]["field"] == "spec.operations[1]"
        assert (await api.call("GET", f"{MAPS}/n"))[0] == 404


async def test_what_others_write_meanwhile_is_asked_about_again(api: Api, tmp_path: Path) -> None:
    await api.call("POST", MAPS, config_map(a="1"))
    seen: list[str] = []

    async with webhook(tmp_path, lambda request: ALLOWED) as hook:
        await configure(api, "Validating", "v", {"clientConfig": hook.client_config})
        key = ObjectKey("configmaps", "default", "m")

        def answer(request: Obj) -> Obj:
            seen.append(request["oldObject"]["data"]["a"])
            if len(seen) == 1:  # somebody else writes while it thinks
                stored = api.store.get(key)
                assert stored is not None
                other = {**stored.object(), "data": {"a": "2"}}
                api.store.commit([Put(key, other, "update")], identity="other", now_ns=0)
            return ALLOWED

        hook.answer = answer
        patch = {"data": {"b": "3"}}
        merge = "application/merge-patch+json"
        code, made = await api.call("PATCH", f"{MAPS}/m", patch, content_type=merge)
        assert code == 200
        assert made["data"] == {"a": "2", "b": "3"}
        assert seen == ["1", "2"]


async def test_deletions_are_asked_about_and_may_be_refused(api: Api, tmp_path: Path) -> None:
    await api.call("POST", MAPS, config_map(a="1"))

    def answer(request: Obj) -> Obj:
        assert request["object"] is None
        assert request["oldObject"]["metadata"]["name"] == "m"
        return {"allowed": False, "status": {"message": "it stays"}}

    async with webhook(tmp_path, answer) as hook:
        await configure(api, "Validating", "v", {"clientConfig": hook.client_config})
        code, _ = await api.call("DELETE", f"{MAPS}/m")
        assert code == 400
        assert (await api.call("GET", f"{MAPS}/m"))[0] == 200


@pytest.mark.parametrize(
    ("hook", "is_asked"),
    [
        ({"objectSelector": {"matchLabels": {"watched": "yes"}}}, True),
        ({"objectSelector": {"matchLabels": {"watched": "no"}}}, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "none"}}}, False),
        ({"rules": [{**RULE, "resources": ["secrets"]}]}, False),
        ({"rules": [{**RULE, "resources": ["*/*"], "apiGroups": ["*"]}]}, True),
        ({"rules": [{**RULE, "scope": "Cluster"}]}, False),
        ({"rules": [{**RULE, "operations": ["UPDATE"]}]}, False),
        ({"matchConditions": [{"name": "a", "expression": "object.data.a == 'b'"}]}, True),
        ({"matchConditions": [{"name": "a", "expression": "object.data.a == 'c'"}]}, False),
    ],
)
async def test_rules_and_selectors_choose(
    api: Api, tmp_path: Path, hook: Obj, is_asked: bool
) -> None:
    async with webhook(tmp_path, lambda request: ALLOWED) as server:
        await configure(api, "Validating", "v", {"clientConfig": server.client_config, **hook})
        body = config_map(a="b")
        body["metadata"]["labels"] = {"watched": "yes"}
        assert (await api.call("POST", MAPS, body))[0] == 201
        assert bool(server.requests) is is_asked


UNUSABLE: list[tuple[Obj | bytes, str]] = [
    (b"no json", "received invalid webhook response: "),
    (b"{}", "received invalid webhook response: webhook response was absent"),
    (
        {"uid": "other", "allowed": True},
        "received invalid webhook response: expected response.uid=",
    ),
    (
        {"allowed": True, "patch": "W10="},
        "received invalid webhook response: validating webhook may not return response.patch",
    ),
]


@pytest.mark.parametrize(("said", "why"), UNUSABLE)
async def test_what_cannot_be_asked_fails_or_is_ignored(
    api: Api, tmp_path: Path, said: Obj | bytes, why: str
) -> None:
    async with webhook(tmp_path, lambda request: said) as server:
        await configure(api, "Validating", "v", {"clientConfig": server.client_config})
        code, status = await api.call("POST", MAPS, config_map(a="b"))
        assert code == 500
        assert status["message"].startswith(
            f'Internal error occurred: failed calling webhook "v0.acme.com": {why}'
        )
        lenient = {"clientConfig": server.client_config, "failurePolicy": "Ignore"}
        await configure(api, "Validating", "v", lenient)
        assert (await api.call("POST", MAPS, config_map(a="b")))[0] == 201


async def test_nobody_listening_is_a_failure(api: Api, tmp_path: Path) -> None:
    async with webhook(tmp_path, lambda request: ALLOWED) as server:
        config = server.client_config
    await configure(api, "Validating", "v", {"clientConfig": config})
    code, status = await api.call("POST", MAPS, config_map(a="b"))
    assert code == 500
    assert (
        'failed calling webhook "v0.acme.com": failed to call webhook: Post "https://127.0'
        in (status["message"])
    )


async def test_webhooks_with_side_effects_are_not_asked_of_dry_runs(
    api: Api, tmp_path: Path
) -> None:
    async with webhook(tmp_path, lambda request: ALLOWED) as server:
        await configure(api, "Validating", "v", {"clientConfig": server.client_config})
        key = ObjectKey("validatingwebhookconfigurations.admissionregistration.k8s.io", "", "v")
        stored = api.store.get(key)
        assert stored is not None
        old = stored.object()  # of before v1, which allows no such webhook any more
        old["webhooks"][0]["sideEffects"] = "Some"
        await api.store.commit([Put(key, old, "update")], identity="test", now_ns=0)
        api.server.admission = admission(api.server)  # written behind the server's back
        code, status = await api.call("POST", f"{MAPS}?dryRun=All", config_map(a="b"))
        assert code == 400
        assert status["message"] == 'admission webhook "v0.acme.com" does not support dry run'
        assert server.requests == []


async def test_what_is_asked_by_subresources_is_shown_as_it_is(api: Api, tmp_path: Path) -> None:
    def answer(request: Obj) -> Obj:
        if request["subResource"] == "scale":
            return json_patch({"op": "replace", "path": "/spec/replicas", "value": 7})
        return {"allowed": request.get("name") == "evicted"}

    rule = {**RULE, "apiGroups": ["*"], "resources": ["*/*"], "operations": ["*"]}
    deletions = {**RULE, "resources": ["pods"], "operations": ["DELETE"]}
    for name in ("p", "evicted"):
        spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}
        code, _ = await api.call(
            "POST", f"{DEFAULT}/pods", {"metadata": {"name": name}, "spec": spec}
        )
        assert code == 201
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": spec["containers"]}}
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, "replicas": 1}
    assert (await api.call("POST", deployments, {"metadata": {"name": "d"}, "spec": spec}))[
        0
    ] == 201
    async with webhook(tmp_path, answer) as hook:
        hooks = {"clientConfig": hook.client_config, "rules": [rule, deletions]}
        await configure(api, "Mutating", "m", hooks)
        pod = f"{DEFAULT}/pods/p"
        for method, path, kind in (
            ("POST", f"{pod}/exec?command=ls&stdout=true", "PodExecOptions"),
            ("POST", f"{pod}/portforward?ports=80", "PodPortForwardOptions"),
            ("GET", f"{pod}/proxy/a", "PodProxyOptions"),
            ("POST", f"{pod}/eviction", "Eviction"),
        ):
            code, told = await api.call(method, path, {"metadata": {"name": "p"}})
            assert code == 400 and "denied the request" in told["message"], told
            asked = hook.requests[-1]
            assert (asked["kind"]["kind"], asked["resource"]["resource"]) == (kind, "pods")
        scale = f"{deployments}/d/scale"
        body = {"spec": {"replicas": 3}}
        code, made = await api.call(
            "PATCH", scale, body, content_type="application/merge-patch+json"
        )
        assert (code, made["spec"]["replicas"]) == (200, 7)
        assert hook.requests[-1]["object"]["spec"] == {"replicas": 3}
        assert hook.requests[-1]["oldObject"]["spec"] == {"replicas": 1}
        eviction = {"metadata": {"name": "evicted"}}
        assert (await api.call("POST", f"{DEFAULT}/pods/evicted/eviction", eviction))[0] == 201
        operations = [(r["operation"], r.get("subResource")) for r in hook.requests]
        assert operations[-1] == ("CREATE", "eviction"), "the deletion is the eviction's"


async def test_the_audit_log_has_what_webhooks_say_of_a_request(api: Api, tmp_path: Path) -> None:
    def answer(request: Obj) -> Obj:
        return {**json_patch({"op": "add", "path": "/data/n", "value": "1"}),
                "auditAnnotations": {"why": "so"}}  # fmt: skip

    async with webhook(tmp_path, answer) as hook:
        away = {"url": "https://127.0.0.1:1/", "caBundle": hook.client_config["caBundle"]}
        await configure(
            api, "Mutating", "m", {"clientConfig": hook.client_config},
            {"clientConfig": away, "failurePolicy": "Ignore"},
        )  # fmt: skip
        annotations: dict[str, str] = {}
        record_into(annotations)
        assert (await api.call("POST", MAPS, config_map(a="b")))[0] == 201
    assert annotations == {
        "m0.acme.com/why": "so",
        "mutation.webhook.admission.k8s.io/round_0_index_0":
            '{"configuration":"m","webhook":"m0.acme.com","mutated":true}',
        "failed-open.mutation.webhook.admission.k8s.io/round_0_index_1": "m1.acme.com",
        "mutation.webhook.admission.k8s.io/round_0_index_1":
            '{"configuration":"m","webhook":"m1.acme.com","mutated":false}',
    }  # fmt: skip
