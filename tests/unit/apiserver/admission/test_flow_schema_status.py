"""FlowSchemas say whether their priority level is there."""

from __future__ import annotations

from mizzen.apiserver import flow_defaults
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api

FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"
RULE = {
    "subjects": [{"kind": "User", "user": {"name": "jane"}}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}
LEVEL = {"metadata": {"name": "mine"}, "spec": {"type": "Limited", "limited": {
    "limitResponse": {"type": "Queue", "queuing": {}}}}}  # fmt: skip


async def dangling(api: Api, name: str) -> str:
    _, schema = await api.call("GET", f"{FLOWS}/flowschemas/{name}")
    (condition,) = schema["status"]["conditions"]
    return condition["status"]


async def test_a_level_comes_and_goes() -> None:
    api = await an_api(MemoryStore())
    await flow_defaults.make_defaults(api.server)
    assert await dangling(api, "probes") == "False"
    schema = {"metadata": {"name": "x"}, "spec": {
        "priorityLevelConfiguration": {"name": "mine"}, "rules": [RULE]}}  # fmt: skip
    code, made = await api.call("POST", f"{FLOWS}/flowschemas", schema)
    assert code == 201 and made["spec"]["matchingPrecedence"] == 1000
    assert await dangling(api, "x") == "True"
    code, level = await api.call("POST", f"{FLOWS}/prioritylevelconfigurations", LEVEL)
    assert code == 201
    assert level["spec"]["limited"]["nominalConcurrencyShares"] == 30
    assert level["spec"]["limited"]["limitResponse"]["queuing"] == {
        "queues": 64, "handSize": 8, "queueLengthLimit": 50,
    }  # fmt: skip
    assert await dangling(api, "x") == "False"
    await api.call("DELETE", f"{FLOWS}/prioritylevelconfigurations/mine")
    assert await dangling(api, "x") == "True"
