"""Plans commit whole or not at all; history tells who did it."""

from __future__ import annotations

import json
from typing import Any

from mizzen.base.operations import Bind, Create, Delete, Operation, Patch, plan_body
from mizzen.base.resources import CONFIG_MAPS, PODS, RESOURCE_CLAIMS
from support.api_process import ApiServer

PLANS = "/apis/mizzen.dev/v1alpha1/plans"
SCHEDULER = "system:mizzen:scheduler"


def post(
    api: ApiServer, *operations: Operation, identity: str = "admin", name: str = ""
) -> tuple[int, Any]:
    return api.call("POST", PLANS, plan_body(operations, name=name), identity=identity)


def config(namespace: str, name: str) -> Create:
    return Create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": namespace}})


def new_pod(namespace: str, name: str) -> Create:
    spec = {"containers": [{"name": "c", "image": "mizzen.dev/python"}]}
    return Create(PODS, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def history(api: ApiServer, since: int) -> list[Any]:
    _, text = api.call("GET", f"/mizzen/v1/history?since={since}", accept="*/*")
    return [json.loads(line) for line in text.splitlines()]


def test_all_operations_happen_together(api: ApiServer, namespace: str) -> None:
    _, made = post(api, config(namespace, "old"))
    before = made["status"]["revision"]
    code, plan = post(
        api,
        new_pod(namespace, "p"),
        Patch(PODS, namespace, "p", {"metadata": {"annotations": {"a": "b"}}}),
        Patch(PODS, namespace, "p", {"status": {"phase": "Pending"}}, "status"),
        Bind(namespace, "p", "n1"),
        Delete(CONFIG_MAPS, namespace, "old"),
    )
    assert code == 201, plan
    pod = api.call("GET", f"/api/v1/namespaces/{namespace}/pods/p")[1]
    assert pod["spec"]["nodeName"] == "n1" and pod["metadata"]["annotations"] == {"a": "b"}
    assert [r["metadata"]["name"] for r in plan["status"]["results"]] == ["p"] * 4 + ["old"]
    assert plan["status"]["results"][3] == pod
    written = [r for r in history(api, before) if r["plan"] == plan["metadata"]["name"]]
    assert [(r["verb"], r["resource"], r["name"]) for r in written] == [
        ("create", "pods", "p"),
        ("delete", "configmaps", "old"),
    ]
    assert {r["identity"] for r in written} == {"admin"}
    assert written[0]["object"] == pod
    assert plan["status"]["revision"] == written[-1]["revision"]


def test_one_that_fails_refuses_the_whole(api: ApiServer, namespace: str) -> None:
    _, made = post(api, config(namespace, "a"))
    stale = str(made["status"]["revision"] - 1)
    code, status = post(
        api,
        config(namespace, "b"),
        Patch(CONFIG_MAPS, namespace, "a", {"data": {"x": "y"}}, resource_version=stale),
    )
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["details"]["causes"][0]["field"] == "spec.operations[1]"
    assert api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/b")[0] == 404
    code, status = post(api, config(namespace, "b"), new_pod(namespace, "Bad_Name"))
    assert code == 422 and status["details"]["causes"][0]["field"] == "spec.operations[1]"
    assert api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/b")[0] == 404


def test_a_plan_may_do_no_more_than_its_identity(api: ApiServer, namespace: str) -> None:
    post(api, new_pod(namespace, "p"))
    assert post(api, Bind(namespace, "p", "n1"), identity=SCHEDULER)[0] == 201
    code, status = post(api, config(namespace, "c"), identity=SCHEDULER)
    assert code == 403 and "cannot create" in status["message"]


def test_plans_are_not_kept(api: ApiServer) -> None:
    assert api.call("GET", PLANS)[0] == 405
    assert api.call("POST", PLANS, {"kind": "Plan", "spec": {"operations": []}})[0] == 400


def test_history_can_be_limited_and_filtered(api: ApiServer, namespace: str) -> None:
    _, made = post(api, config(namespace, "a"), config(namespace, "b"))
    since = made["status"]["revision"] - 2
    _, text = api.call("GET", f"/mizzen/v1/history?since={since}&limit=1", accept="*/*")
    assert [json.loads(line)["name"] for line in text.splitlines()] == ["a"]
    post(api, Delete(CONFIG_MAPS, namespace, "a"))
    _, text = api.call("GET", f"/mizzen/v1/history?since={since}&verbs=delete", accept="*/*")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["verb"], line["name"]) for line in lines] == [("delete", "a")]
    assert lines[0]["time"] > 10**18
    code, _ = api.call("GET", "/mizzen/v1/history", identity="system:mizzen:gateway")
    assert code == 403


def new_claim(namespace: str, name: str) -> Create:
    wanted = {"name": "r", "exactly": {"deviceClassName": "cpu-core.mizzen.dev"}}
    spec = {"devices": {"requests": [wanted]}}
    return Create(
        RESOURCE_CLAIMS, {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
    )


def give(namespace: str, claim: str, device: str | None) -> Patch:
    given = {"request": "r", "driver": "cpu.mizzen.dev", "pool": namespace, "device": device}
    allocation = {"devices": {"results": [given]}} if device else None
    return Patch(
        RESOURCE_CLAIMS, namespace, claim, {"status": {"allocation": allocation}}, "status"
    )


def test_a_device_has_one_claim_whoever_gives_it(api: ApiServer, namespace: str) -> None:
    post(api, *(new_claim(namespace, name) for name in "abcd"))
    assert post(api, give(namespace, "a", "core-0"), give(namespace, "c", "core-1"))[0] == 201
    code, status = post(api, config(namespace, "x"), give(namespace, "b", "core-0"))
    assert (code, status["reason"]) == (409, "Conflict")
    assert f"is allocated to claim {namespace}/a" in status["message"]
    # Neither in one plan, nor after another claim's plan that came to nothing.
    assert post(api, give(namespace, "a", None), give(namespace, "b", "core-0"),
                give(namespace, "d", "core-0"))[0] == 409  # fmt: skip
    assert post(api, give(namespace, "b", "core-0"))[0] == 409
    assert post(api, give(namespace, "a", None), give(namespace, "b", "core-0"))[0] == 201
    post(api, give(namespace, "b", None))
    assert post(api, give(namespace, "a", "core-0"))[0] == 201
    # A claim that is gone holds nothing.
    post(api, Delete(RESOURCE_CLAIMS, namespace, "a"))
    assert post(api, give(namespace, "b", "core-0"))[0] == 201
