"""Pods, volume claims and Ingresses get what they do not say."""

from __future__ import annotations

from typing import Any

import pytest_asyncio

from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

Obj = dict[str, Any]
MERGE = "application/merge-patch+json"
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
NETWORKING = "/apis/networking.k8s.io/v1"
CLAIMS = f"{DEFAULT}/persistentvolumeclaims"


@pytest_asyncio.fixture
async def api() -> Api:
    return await an_api(MemoryStore())


async def made(api: Api, path: str, body: Obj) -> Obj:
    code, answer = await api.call("POST", path, body)
    assert code == 201, answer
    return answer


def claim(name: str, **spec: Any) -> Obj:
    resources = {"requests": {"storage": "1Gi"}}
    whole = {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec}
    return {"metadata": {"name": name}, "spec": whole}


def storage_class(name: str, default: str = "true", **rest: Any) -> Obj:
    mark = {"storageclass.kubernetes.io/is-default-class": default}
    return {"metadata": {"name": name, "annotations": mark}, "provisioner": "acme.com/x", **rest}


async def test_pods_tolerate_silent_nodes_for_a_while(api: Api) -> None:
    spec: Obj = {"containers": [{"name": "c", "image": "i"}]}
    pod = await made(api, f"{DEFAULT}/pods", {"metadata": {"name": "p"}, "spec": spec})
    assert [(t["key"], t["tolerationSeconds"]) for t in pod["spec"]["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300), ("node.kubernetes.io/unreachable", 300),
    ]  # fmt: skip
    own = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}
    spec = {**spec, "tolerations": [own]}
    pod = await made(api, f"{DEFAULT}/pods", {"metadata": {"name": "q"}, "spec": spec})
    assert [t["key"] for t in pod["spec"]["tolerations"]] == [
        "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready",
    ]  # fmt: skip


async def test_who_replaces_tolerations_loses_none_of_those(api: Api) -> None:
    spec: Obj = {"containers": [{"name": "c", "image": "i"}]}
    pod = await made(api, f"{DEFAULT}/pods", {"metadata": {"name": "p"}, "spec": spec})
    own = {"key": "mine", "operator": "Exists"}
    pod["spec"]["tolerations"] = [own]
    code, changed = await api.call("PUT", f"{DEFAULT}/pods/p", pod)
    assert code == 200, changed
    assert [t["key"] for t in changed["spec"]["tolerations"]] == [
        "mine", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable",
    ]  # fmt: skip


async def test_a_claim_gets_the_default_class(api: Api) -> None:
    assert "storageClassName" not in (await made(api, CLAIMS, claim("early")))["spec"]
    for name, default in (("a", "true"), ("b", "true"), ("c", "false")):
        await made(api, STORAGE, storage_class(name, default))
    assert (await made(api, CLAIMS, claim("late")))["spec"]["storageClassName"] == "a"
    none = await made(api, CLAIMS, claim("none", storageClassName=""))
    assert none["spec"]["storageClassName"] == ""


async def test_an_ingress_gets_the_default_class(api: Api) -> None:
    mark = {"ingressclass.kubernetes.io/is-default-class": "true"}
    body: Obj = {
        "metadata": {"name": "n", "annotations": mark},
        "spec": {"controller": "acme.com/x"},
    }
    await made(api, f"{NETWORKING}/ingressclasses", body)
    service = {"name": "s", "port": {"number": 80}}
    ingress: Obj = {"metadata": {"name": "i"}, "spec": {"defaultBackend": {"service": service}}}
    found = await made(api, f"{NETWORKING}/namespaces/default/ingresses", ingress)
    assert found["spec"]["ingressClassName"] == "n"


async def test_a_claim_grows_where_its_class_lets_it(api: Api) -> None:
    await made(api, STORAGE, storage_class("fixed"))
    await made(api, STORAGE, storage_class("elastic", "false", allowVolumeExpansion=True))
    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    for name, is_allowed in (("fixed", False), ("elastic", True)):
        await made(api, CLAIMS, claim(name, storageClassName=name))
        path = f"{CLAIMS}/{name}"
        bound = {"status": {"phase": "Bound"}}
        await api.call("PATCH", f"{path}/status", bound, content_type=MERGE)
        code, answer = await api.call("PATCH", path, larger, content_type=MERGE)
        assert code == (200 if is_allowed else 403), answer
