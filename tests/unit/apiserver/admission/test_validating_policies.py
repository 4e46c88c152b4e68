"""Policies refuse, warn of and annotate writes, by their bindings."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

Obj = dict[str, Any]
MAPS = f"{DEFAULT}/configmaps"
PATH = "/apis/admissionregistration.k8s.io/v1"
POLICIES = "validatingadmissionpolicies"
BINDINGS = "validatingadmissionpolicybindings"
CREATES: Obj = {
    "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
         "operations": ["CREATE", "UPDATE"]}
    ]
}  # fmt: skip
SMALL: Obj = {"expression": "object.data.all(k, size(object.data[k]) <= 3)", "message": "too long"}


@pytest_asyncio.fixture
async def api() -> Api:
    return await an_api(MemoryStore())


async def write(api: Api, kind: str, name: str, spec: Obj) -> None:
    plural = POLICIES if kind == "ValidatingAdmissionPolicy" else BINDINGS
    body = {"metadata": {"name": name}, "spec": spec}
    await api.call("DELETE", f"{PATH}/{plural}/{name}")
    code, made = await api.call("POST", f"{PATH}/{plural}", body)
    assert code == 201, made


async def bind(api: Api, policy: Obj, **binding: Any) -> None:
    whole = {"matchConstraints": CREATES, "failurePolicy": "Fail", **policy}
    await write(api, "ValidatingAdmissionPolicy", "small", whole)
    spec = {"policyName": "small", "validationActions": ["Deny"], **binding}
    await write(api, "ValidatingAdmissionPolicyBinding", "everywhere", spec)


def config_map(value: str, **metadata: Any) -> Obj:
    return {"metadata": {"name": "m", **metadata}, "data": {"k": value}}


async def test_a_policy_refuses_in_upstreams_words(api: Api) -> None:
    await bind(api, {"validations": [SMALL]})
    assert (await api.call("POST", MAPS, config_map("abc")))[0] == 201
    code, status = await api.call("PUT", f"{MAPS}/m", config_map("abcd"))
    said = "ValidatingAdmissionPolicy 'small' with binding 'everywhere' denied request: too long"
    assert (code, status["reason"]) == (422, "Invalid")
    assert status["message"] == f'configmaps "m" is forbidden: {said}'
    assert status["details"]["causes"] == [{"message": said}]


async def test_the_reason_is_the_validations(api: Api) -> None:
    await bind(api, {"validations": [{**SMALL, "reason": "Forbidden"}]})
    assert (await api.call("POST", MAPS, config_map("abcd")))[0] == 403


async def test_a_binding_may_warn_alone(api: Api) -> None:
    await bind(api, {"validations": [SMALL]}, validationActions=["Warn", "Audit"])
    assert (await api.call("POST", MAPS, config_map("abcd")))[0] == 201


async def test_a_policy_without_a_binding_says_nothing(api: Api) -> None:
    spec = {"matchConstraints": CREATES, "validations": [SMALL]}
    await write(api, "ValidatingAdmissionPolicy", "small", spec)
    assert (await api.call("POST", MAPS, config_map("abcd")))[0] == 201


@pytest.mark.parametrize(
    "binding",
    [
        {"matchResources": {"namespaceSelector": {"matchLabels": {"team": "none"}}}},
        {"matchResources": {"objectSelector": {"matchLabels": {"checked": "yes"}}}},
        {"matchResources": {"excludeResourceRules": CREATES["resourceRules"]}},
    ],
)
async def test_a_binding_narrows_what_is_judged(api: Api, binding: Obj) -> None:
    await bind(api, {"validations": [SMALL]}, **binding)
    assert (await api.call("POST", MAPS, config_map("abcd")))[0] == 201


async def test_parameters_come_from_an_object(api: Api) -> None:
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    rule = {"expression": "size(object.data.k) <= int(params.data.most)"}
    reference = {"name": "limits", "namespace": "kube-system", "parameterNotFoundAction": "Deny"}
    await bind(api, {"validations": [rule], "paramKind": kind}, paramRef=reference)
    code, status = await api.call("POST", MAPS, config_map("abcd"))
    assert code == 422
    assert "failed to configure binding: no params found" in status["message"]
    limits = {"metadata": {"name": "limits"}, "data": {"most": "4"}}
    kube_system = "/api/v1/namespaces/kube-system/configmaps"
    spec = {"matchConstraints": {**CREATES, "namespaceSelector": {"matchLabels": {
        "kubernetes.io/metadata.name": "default"}}}, "validations": [rule], "paramKind": kind}  # fmt: skip
    await write(api, "ValidatingAdmissionPolicy", "small", spec)
    assert (await api.call("POST", kube_system, limits))[0] == 201
    assert (await api.call("POST", MAPS, config_map("abcd")))[0] == 201
    code, _ = await api.call("PUT", f"{MAPS}/m", config_map("abcde"))
    assert code == 422


async def test_names_of_rules_choose_objects(api: Api) -> None:
    rules = [{**CREATES["resourceRules"][0], "resourceNames": ["n"]}]
    await bind(api, {"validations": [SMALL], "matchConstraints": {"resourceRules": rules}})
    assert (await api.call("POST", MAPS, config_map("abcd")))[0] == 201
    other = config_map("abcd")
    other["metadata"]["name"] = "n"
    assert (await api.call("POST", MAPS, other))[0] == 422


async def test_who_asks_may_be_asked_about(api: Api) -> None:
    mine = "authorizer.group('').resource('secrets').namespace('default').check('delete').allowed()"
    theirs = mine.replace("authorizer.", "authorizer.serviceAccount('default', 'nobody').")
    await bind(api, {"validations": [{"expression": f"{mine} && !{theirs}"}]})
    assert (await api.call("POST", MAPS, config_map("abcd")))[0] == 201
