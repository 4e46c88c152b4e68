"""Policies change writes by their bindings: by merged configurations and by JSON patches."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

Obj = dict[str, Any]
MAPS = f"{DEFAULT}/configmaps"
PATH = "/apis/admissionregistration.k8s.io/v1"
RULES: Obj = {
    "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps", "pods"],
         "operations": ["CREATE", "UPDATE"]}
    ]
}  # fmt: skip


@pytest_asyncio.fixture
async def api() -> Api:
    return await an_api(MemoryStore())


def applied(expression: str) -> Obj:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patched(expression: str) -> Obj:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def bind(api: Api, *mutations: Obj, name: str = "p", binding: Obj | None = None,
               **spec: Any) -> None:  # fmt: skip
    whole = {"matchConstraints": RULES, "reinvocationPolicy": "Never",
             "mutations": list(mutations), **spec}  # fmt: skip
    code, made = await api.call(
        "POST", f"{PATH}/mutatingadmissionpolicies", {"metadata": {"name": name}, "spec": whole}
    )
    assert code == 201, made
    said = {"policyName": name, **(binding or {})}
    code, made = await api.call(
        "POST", f"{PATH}/mutatingadmissionpolicybindings",
        {"metadata": {"name": f"b-{name}"}, "spec": said},
    )  # fmt: skip
    assert code == 201, made


async def create(api: Api, **data: str) -> tuple[int, Any]:
    return await api.call("POST", MAPS, {"metadata": {"name": "m"}, "data": data})


async def test_a_configuration_is_merged_into_what_is_written(api: Api) -> None:
    await bind(api, applied('Object{data: {"b": object.data.a + "!"}}'))
    code, made = await create(api, a="x")
    assert (code, made["data"]) == (201, {"a": "x", "b": "x!"})
    _, kept = await api.call("GET", f"{MAPS}/m")
    assert kept["data"] == made["data"]


async def test_lists_are_merged_by_their_keys(api: Api) -> None:
    await bind(api, applied(
        'Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: "mesh", '
        'image: "proxy:1", restartPolicy: "Always"}]}}'
    ), matchConditions=[{"name": "none", "expression":
                         "!object.spec.?initContainers.orValue([]).exists(c, c.name == 'mesh')"}])  # fmt: skip
    spec = {"containers": [{"name": "c", "image": "i"}]}
    _, pod = await api.call("POST", f"{DEFAULT}/pods", {"metadata": {"name": "p"}, "spec": spec})
    first = pod["spec"]["initContainers"][0]
    assert (first["name"], first["imagePullPolicy"]) == ("mesh", "IfNotPresent")


async def test_patches_follow_each_other_and_a_failed_test_stops_one(api: Api) -> None:
    await bind(
        api,
        patched('[JSONPatch{op: "add", path: "/metadata/labels", value: {"x": "1"}}]'),
        patched('[JSONPatch{op: "test", path: "/metadata/labels/x", value: "2"}, '
                'JSONPatch{op: "remove", path: "/data"}]'),
        patched('[JSONPatch{op: "add", path: "/metadata/labels/" + '
                'jsonpatch.escapeKey("a/b"), value: object.metadata.labels.x}]'),
    )  # fmt: skip
    _, made = await create(api, a="x")
    assert made["metadata"]["labels"] == {"x": "1", "a/b": "1"}
    assert made["data"] == {"a": "x"}


@pytest.mark.parametrize(
    ("mutation", "said"),
    [
        (patched('[JSONPatch{op: "remove", path: "/data/none"}]'), "JSON Patch: "),
        (applied("Object{data: {'x': object.data.none}}"), "no such key: none"),
        (applied("Object{metadata: Object.wrong{name: 'x'}}"),
         'type mismatch: unexpected type name "Object.wrong", expected "Object.metadata"'),
        (applied("Object{nothing: 1}"), ".nothing: field not declared in schema"),
    ],
)  # fmt: skip
async def test_what_cannot_be_carried_out_refuses_unless_it_is_ignored(
    api: Api, mutation: Obj, said: str
) -> None:
    await bind(api, mutation)
    code, status = await create(api, a="x")
    assert (code, status["reason"]) == (403, "Invalid")
    assert status["message"].startswith("policy 'p' with binding 'b-p' denied request: ")
    assert said in status["message"]
    change = {"spec": {"failurePolicy": "Ignore"}}
    path = f"{PATH}/mutatingadmissionpolicies/p"
    merge = "application/merge-patch+json"
    assert (await api.call("PATCH", path, change, content_type=merge))[0] == 200
    assert (await create(api, a="x"))[0] == 201


async def test_atomic_lists_are_not_mutated(api: Api) -> None:
    await bind(api, applied('Object{spec: Object.spec{containers: [Object.spec.containers{'
                            'name: "c", command: ["a"]}]}}'))  # fmt: skip
    spec = {"containers": [{"name": "c", "image": "i"}]}
    body = {"metadata": {"name": "p"}, "spec": spec}
    code, status = await api.call("POST", f"{DEFAULT}/pods", body)
    assert code == 403
    assert (
        "may not mutate atomic arrays, maps or structs: .spec.containers[0].command"
        in (status["message"])
    )


async def test_who_wants_to_is_carried_out_again_after_anothers_change(api: Api) -> None:
    count = ('Object{data: {"a": object.data.a + "1"}}')  # fmt: skip
    await bind(api, applied(count), name="first", reinvocationPolicy="IfNeeded")
    await bind(api, applied('Object{data: {"b": "new"}}'), name="second")
    _, made = await create(api, a="x")
    assert made["data"] == {"a": "x11", "b": "new"}


async def test_parameters_and_variables(api: Api) -> None:
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    body = {"metadata": {"name": "params"}, "data": {"who": "me"}}
    assert (await api.call("POST", MAPS, body))[0] == 201
    reference = {"name": "params", "namespace": "default", "parameterNotFoundAction": "Deny"}
    await bind(
        api, applied("Object{metadata: Object.metadata{labels: {'owner': variables.owner}}}"),
        paramKind=kind, variables=[{"name": "owner", "expression": "params.data.who"}],
        binding={"paramRef": reference},
    )  # fmt: skip
    _, made = await create(api, a="x")
    assert made["metadata"]["labels"] == {"owner": "me"}


@pytest.mark.parametrize(
    ("mutation", "said"),
    [
        ({}, "spec.mutations[0].patchType: Required value"),
        ({"patchType": "Other"}, 'supported values: "ApplyConfiguration", "JSONPatch"'),
        ({"patchType": "JSONPatch"}, "must be specified when patchType is JSONPatch"),
        (applied("1"), "must evaluate to Object but got int"),
        (patched("Object{}"), "must evaluate to list(JSONPatch) but got Object"),
    ],
)
async def test_policies_that_cannot_be_are_refused(api: Api, mutation: Obj, said: str) -> None:
    spec = {"matchConstraints": RULES, "reinvocationPolicy": "Never", "mutations": [mutation]}
    body = {"metadata": {"name": "p"}, "spec": spec}
    code, status = await api.call("POST", f"{PATH}/mutatingadmissionpolicies", body)
    assert code == 422 and said in status["message"], status
