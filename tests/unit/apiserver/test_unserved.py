"""A field that asks for what is not served is refused, or its author is warned."""

from __future__ import annotations

import asyncio
from typing import Any

from mizzen.apiserver import operations
from mizzen.apiserver.core.user import User
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey, Put
from support.api_handlers import DEFAULT, Api, an_api

PODS = f"{DEFAULT}/pods"
MERGE = "application/merge-patch+json"


# Of the few fields that no node could serve in another way.
REFUSED = [
    {"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v2", "fieldPath": "metadata.name"}}}
]
AT = "env[0].valueFrom.fieldRef.apiVersion"


def refused(name: str = "c") -> dict[str, Any]:
    return {"name": name, "image": "mizzen.dev/python", "env": REFUSED}


def pod(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "mizzen.dev/python"}]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers, **spec}}


def warnings(api: Api, body: dict[str, Any]) -> list[str]:
    served = api.server.catalog.by_key("pods")
    assert served is not None
    draft = api.server.draft(User("admin"))
    operations.create(draft, served, "default", body)
    return draft.warnings


def test_what_is_refused_says_why_and_what_to_do() -> None:
    async def run() -> None:
        api = await an_api(MemoryStore())
        status, answer = await api.call("POST", PODS, pod(containers=[refused()]))
        assert status == 422
        (cause,) = answer["details"]["causes"]
        assert cause["field"] == f"spec.containers[0].{AT}"
        assert cause["message"] == 'Forbidden: "v2" is not served: paths are written as in v1'
        neutral = pod(runtimeClassName="", hostUsers=True, securityContext={}, os={"name": "linux"})
        assert (await api.call("POST", PODS, neutral))[0] == 201

    asyncio.run(run())


def test_templates_are_refused_as_their_pods_would_be() -> None:
    async def run() -> None:
        api = await an_api(MemoryStore())
        spec = {**pod(containers=[refused()])["spec"], "restartPolicy": "Never"}
        job = {"metadata": {"name": "j"}, "spec": {"template": {"spec": spec}}}
        status, answer = await api.call("POST", "/apis/batch/v1/namespaces/default/jobs", job)
        assert status == 422
        assert answer["details"]["causes"][0]["field"] == f"spec.template.spec.containers[0].{AT}"

    asyncio.run(run())


def test_what_mizzens_nodes_refuse_is_stored_and_warned_of() -> None:
    async def run() -> None:
        api = await an_api(MemoryStore())
        (warning,) = warnings(api, pod(hostUsers=False))
        assert warning == (
            "spec.hostUsers: false is refused by Mizzen's own nodes: pods are processes of the "
            "machine, run by the user that started Mizzen"
        )
        status, stored = await api.call("POST", PODS, pod(hostUsers=False))
        assert (status, stored["spec"]["hostUsers"]) == (201, False)
        wrong = pod(securityContext={"runAsUser": "root"})
        status, answer = await api.call("POST", PODS, wrong)
        assert (status, answer["reason"]) == (422, "Invalid") or status == 400
        ephemeral = [{"name": "e", "image": "x"}]
        status, answer = await api.call("POST", PODS, pod(ephemeralContainers=ephemeral))
        assert status == 422
        assert [(c["field"], c["message"]) for c in answer["details"]["causes"]] == [
            ("spec.ephemeralContainers", "Forbidden: cannot be set on create")
        ]

    asyncio.run(run())


def test_what_changes_nothing_is_warned_of() -> None:
    async def run() -> None:
        api = await an_api(MemoryStore())
        (warning,) = warnings(api, pod(hostNetwork=True))
        assert warning.startswith("spec.hostNetwork: true changes nothing: ")
        assert warnings(api, pod(hostNetwork=False)) == []

    asyncio.run(run())


def test_what_was_stored_before_does_not_keep_an_object_from_being_changed() -> None:
    async def run() -> None:
        store = MemoryStore()
        api = await an_api(store)
        assert (await api.call("POST", PODS, pod()))[0] == 201
        key = ObjectKey("pods", "default", "p")
        stored = store.peek(key)
        assert stored is not None
        old = stored.object()
        (container,) = old["spec"]["containers"]
        old["spec"] = {**old["spec"], "containers": [{**container, "env": REFUSED}]}
        await store.commit([Put(key, old, "update", stored.revision)], identity="x", now_ns=1)
        _, found = await api.call("GET", f"{PODS}/p")
        found["metadata"]["labels"] = {"a": "b"}
        assert (await api.call("PUT", f"{PODS}/p", found))[0] == 200
        change = {"spec": {"initContainers": [refused("i")]}}
        status, answer = await api.call("PATCH", f"{PODS}/p", change, content_type=MERGE)
        assert status == 422
        assert [c["field"] for c in answer["details"]["causes"]] == [f"spec.initContainers[0].{AT}"]

    asyncio.run(run())
