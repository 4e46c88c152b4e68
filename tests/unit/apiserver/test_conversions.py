"""Objects of a custom kind are stored in one version and shown in any, by the definition's webhook."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from mizzen.apiserver.custom import CustomKinds
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey
from support.api_handlers import Api, an_api
from support.webhook_server import Webhook, conversion, webhook

Obj = dict[str, Any]
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "example.com"
MERGE = "application/merge-patch+json"


def path(version: str, name: str = "") -> str:
    return f"/apis/{GROUP}/{version}/namespaces/default/things{name and '/'}{name}"


def schema(*fields: str, default: str = "") -> Obj:
    properties: Obj = {name: {"type": "string"} for name in fields}
    if default:
        properties[default]["default"] = "given"
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def definition(client: Obj) -> Obj:
    """v1 has `host` and `port` where v2, which is stored, has `address`."""
    versions = [
        {"name": "v1", "served": True, "storage": False,
         "schema": {"openAPIV3Schema": schema("host", "port", "old")},
         "selectableFields": [{"jsonPath": ".spec.host"}],
         "subresources": {"status": {}}},
        {"name": "v2", "served": True, "storage": True,
         "schema": {"openAPIV3Schema": schema("address", "kept", default="kept")}},
    ]  # fmt: skip
    return {
        "metadata": {"name": f"things.{GROUP}"},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": versions,
            "conversion": {
                "strategy": "Webhook",
                "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]},
            },
        },
    }  # fmt: skip


def converted(obj: Obj, api_version: str) -> Obj:
    spec = dict(obj.get("spec") or {})
    if api_version.endswith("v2"):
        spec["address"] = f"{spec.pop('host', '')}:{spec.pop('port', '')}"
    else:
        spec["host"], _, spec["port"] = spec.pop("address", ":").partition(":")
    return {**obj, "apiVersion": api_version, "spec": spec}


def answer(request: Obj) -> bytes:
    made = [converted(obj, request["desiredAPIVersion"]) for obj in request["objects"]]
    return conversion(request, made)


@contextlib.asynccontextmanager
async def serving(
    folder: Path, said: Callable[[Obj], Obj | bytes] = answer
) -> AsyncGenerator[tuple[Api, Webhook]]:
    api = await an_api(MemoryStore())
    custom = CustomKinds(api.server)
    async with webhook(folder, said) as hook:
        status, made = await api.call("POST", CRD, definition(hook.client_config))
        assert status == 201, made
        await custom.load()
        try:
            yield api, hook
        finally:
            api.server.webhooks.close()


def thing(name: str, version: str, **spec: str) -> Obj:
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "Thing",
        "metadata": {"name": name},
        "spec": spec,
    }


async def make(api: Api, name: str, version: str = "v1", **spec: str) -> Obj:
    body = thing(name, version, **(spec or {"host": "h", "port": "1"}))
    status, made = await api.call("POST", path(version), body)
    assert status == 201, made
    return made


def stored(api: Api, name: str) -> Obj:
    found = api.store.get(ObjectKey(f"things.{GROUP}", "default", name))
    assert found is not None
    return found.object()


async def test_written_in_one_version_stored_in_another_shown_in_both(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, hook):
        made = await make(api, "a", host="h", port="80", old="lost")
        assert made["apiVersion"] == f"{GROUP}/v1"
        assert made["spec"] == {"host": "h", "port": "80"}, "v2 has no place for `old`"
        kept = stored(api, "a")
        assert (kept["apiVersion"], kept["spec"]) == (f"{GROUP}/v2", {"address": "h:80"})
        _, shown = await api.call("GET", path("v2", "a"))
        assert shown["spec"] == {"address": "h:80", "kept": "given"}
        asked = len(hook.requests)
        for _ in range(3):
            _, shown = await api.call("GET", path("v1", "a"))
            assert shown["spec"] == {"host": "h", "port": "80"}
        assert len(hook.requests) == asked, "it has been asked about that object already"


async def test_updates_and_patches_in_either_version(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, _):
        made = await make(api, "a")
        made["spec"]["port"] = "2"
        status, made = await api.call("PUT", path("v1", "a"), made)
        assert (status, made["spec"], made["metadata"]["generation"]) == (
            200, {"host": "h", "port": "2"}, 2,
        )  # fmt: skip
        patch = {"spec": {"address": "i:3"}}
        status, made = await api.call("PATCH", path("v2", "a"), patch, content_type=MERGE)
        assert (status, made["spec"]["address"]) == (200, "i:3")
        patch = {"spec": {"host": "j"}}
        status, made = await api.call("PATCH", path("v1", "a"), patch, content_type=MERGE)
        assert (status, made["spec"]) == (200, {"host": "j", "port": "3"})
        assert stored(api, "a")["spec"] == {"address": "j:3"}, "v1 has no place for `kept`"
        status, made = await api.call("DELETE", path("v1", "a"))
        assert (status, made["status"]) == (200, "Success")


async def test_a_list_is_one_question_and_selectors_look_at_what_is_shown(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, hook):
        for n in range(5):
            await make(api, f"t{n}", "v2", address=f"h{n}:{n}")
        hook.requests.clear()
        _, found = await api.call("GET", path("v1"))
        assert [o["spec"]["host"] for o in found["items"]] == [f"h{n}" for n in range(5)]
        assert [len(r["objects"]) for r in hook.requests] == [5]
        _, found = await api.call(
            "GET", path("v1") + "?fieldSelector=spec.host%3Dh3".replace("%3D", "=")
        )
        assert [o["metadata"]["name"] for o in found["items"]] == ["t3"]
        _, found = await api.call("GET", path("v1") + "?limit=2")
        assert [o["spec"]["port"] for o in found["items"]] == ["0", "1"]
        status, _ = await api.call("DELETE", path("v1") + "?fieldSelector=spec.host=h3")
        _, found = await api.call("GET", path("v2"))
        assert (status, len(found["items"])) == (200, 4)


async def test_watches_in_the_version_that_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, _):
        await make(api, "a")
        lines = await api.watch(path("v1"))
        other = await api.watch(path("v2"))
        found: list[Obj] = []

        async def read(chunks: Any, count: int) -> list[Obj]:
            seen: list[Obj] = []
            async for chunk in chunks:
                seen += [json.loads(line) for line in chunk.splitlines()]
                if len(seen) >= count:
                    break
            return seen

        async with asyncio.timeout(10):
            reading = asyncio.ensure_future(read(lines, 2))
            also = asyncio.ensure_future(read(other, 2))
            await asyncio.sleep(0)
            await make(api, "b", "v2", address="x:9")
            found, same = await reading, await also
        assert [(e["type"], e["object"]["spec"]["host"]) for e in found] == [
            ("ADDED", "h"), ("ADDED", "x"),
        ]  # fmt: skip
        assert [e["object"]["spec"]["address"] for e in same] == ["h:1", "x:9"]


async def test_metadata_stay_but_for_labels_and_annotations(tmp_path: Path) -> None:
    def meddling(request: Obj) -> bytes:
        made = [converted(obj, request["desiredAPIVersion"]) for obj in request["objects"]]
        for obj in made:
            kept = {n: obj["metadata"].get(n) for n in ("name", "namespace", "uid")}
            obj["metadata"] = {
                **kept, "labels": {"by": "webhook"}, "finalizers": ["a.b/c"], "generation": 7,
            }  # fmt: skip
        return conversion(request, made)

    async with serving(tmp_path, meddling) as (api, _):
        made = await make(api, "a")
        metadata = made["metadata"]
        assert metadata["labels"] == {"by": "webhook"}
        assert "finalizers" not in metadata and metadata["generation"] == 1


async def test_what_a_webhook_may_not_answer(tmp_path: Path) -> None:
    said: list[Callable[[Obj], Obj | bytes]] = [answer]

    def change(**fields: Any) -> Callable[[Obj], bytes]:
        def made(request: Obj) -> bytes:
            objects = [converted(o, request["desiredAPIVersion"]) for o in request["objects"]]
            return conversion(request, [{**o, **fields} for o in objects])

        return made

    def renamed(request: Obj) -> bytes:
        objects = [converted(o, request["desiredAPIVersion"]) for o in request["objects"]]
        for each in objects:
            each["metadata"]["name"] = "other"
        return conversion(request, objects)

    def refused(request: Obj) -> bytes:
        review = json.loads(conversion(request, []))
        review["response"]["result"] = {"status": "Failed", "message": "not today"}
        return json.dumps(review).encode()

    what = f"conversion webhook for {GROUP}/v1, Kind=Thing"
    async with serving(tmp_path, lambda request: said[0](request)) as (api, _):
        for wrong, words in (
            (change(apiVersion=f"{GROUP}/v1"), "returned invalid object at index 0: invalid "
             f"groupVersion (expected {GROUP}/v2, received {GROUP}/v1)"),
            (change(kind="Other"), "returned invalid object at index 0: invalid kind (expected "
             "Thing, received Other)"),
            (change(metadata=None), "returned invalid object: must have the same name: a != "),
            (renamed, "returned invalid object: must have the same name: a != other"),
            (lambda r: conversion(r, []), "returned 0 objects, expected 1"),
            (refused, "failed: not today"),
            (lambda r: conversion({"uid": "other"}, r["objects"]), "failed: expected response.uid="),
        ):  # fmt: skip
            said[0] = wrong
            body = thing("a", "v1", host="h")
            status, told = await api.call("POST", path("v1"), body)
            assert (status, told.get("reason")) == (500, None), told
            assert told["message"].startswith(f"{what} {words}"), told["message"]
        said[0] = answer
        await make(api, "a")


async def test_a_webhook_that_is_away_stops_only_what_needs_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, hook):
        await make(api, "a", "v2", address="h:1")
        port = hook.port
    status, _ = await api.call("GET", path("v2", "a"))
    assert status == 200
    status, told = await api.call("GET", path("v1", "a"))
    url = f"https://127.0.0.1:{port}/review?timeout=30s"
    start = f'conversion webhook for {GROUP}/v2, Kind=Thing failed: Post "{url}"'
    assert status == 500 and told["message"].startswith(start), told
    # Whoever deletes on the server's own behalf needs no conversion.
    custom = CustomKinds(api.server)
    await custom.load()
    status, _ = await api.call("DELETE", f"{CRD}/things.{GROUP}")
    await custom.load()
    assert api.store.get(ObjectKey(f"things.{GROUP}", "default", "a")) is None


async def test_stored_versions_are_those_that_were_storage_versions(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, _):
        name = f"{CRD}/things.{GROUP}"
        _, crd = await api.call("GET", name)
        assert crd["status"]["storedVersions"] == ["v2"]
        await make(api, "a", "v2", address="h:1")
        for version in crd["spec"]["versions"]:
            version["storage"] = version["name"] == "v1"
        status, crd = await api.call("PUT", name, crd)
        assert (status, crd["status"]["storedVersions"]) == (200, ["v2", "v1"])
        custom = CustomKinds(api.server)
        await custom.load()
        await make(api, "b", "v2", address="i:2")
        assert stored(api, "a")["apiVersion"] == f"{GROUP}/v2", "what is there stays"
        assert stored(api, "b")["spec"] == {"host": "i", "port": "2"}
        _, crd = await api.call("GET", name)
        del crd["spec"]["versions"][1]
        status, told = await api.call("PUT", name, crd)
        assert status == 422 and "status.storedVersions[0]" in told["message"], told


async def test_a_policy_sees_a_write_in_the_version_of_its_rules(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, _):
        where = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
        rule = {
            "apiGroups": [GROUP], "apiVersions": ["v2"], "resources": ["things"],
            "operations": ["CREATE", "UPDATE"],
        }  # fmt: skip
        spec = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [
                {"expression": "object.spec.address.endsWith(':1')", "message": "not there"}
            ],
        }
        body = {"metadata": {"name": "p"}, "spec": spec}
        assert (await api.call("POST", where, body))[0] == 201
        binding = {"policyName": "p", "validationActions": ["Deny"]}
        path_ = where.replace("policies", "policybindings")
        body = {"metadata": {"name": "b"}, "spec": binding}
        assert (await api.call("POST", path_, body))[0] == 201
        await make(api, "a", host="h", port="1")
        body = thing("b", "v1", host="h", port="2")
        status, told = await api.call("POST", path("v1"), body)
        assert status == 422 and "not there" in told["message"], told
