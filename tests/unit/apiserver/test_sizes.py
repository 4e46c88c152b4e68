"""One limit for an object's size and depth, whichever way it grows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from mizzen.base.limits import OBJECT_BYTES_MAX, OBJECT_DEPTH_MAX
from mizzen.base.resources import Resource
from mizzen.kinds.dynamic import kinds_from_crd
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api
from support.custom_kinds import definition

THINGS = Resource("example.com", "v1", "things", "Thing", namespaced=True)
PATH = "/apis/example.com/v1/namespaces/default/things"
TYPE = {"apiVersion": "example.com/v1", "kind": "Thing"}
MERGE, JSON, STRATEGIC = (f"application/{kind}+json" for kind in
                          ("merge-patch", "json-patch", "strategic-merge-patch"))  # fmt: skip


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    made = await an_api(MemoryStore())
    made.server.catalog.add(("example.com", "things"), kinds_from_crd(definition(THINGS)))
    yield made


def padded(size: int) -> dict[str, str]:
    return {f"k{n}": "x" * 1000 for n in range(size // 1000)}


async def refused(api: Api, what: tuple[int, Any], code: int = 413) -> None:
    status, answer = what
    assert status == code, answer
    assert answer["kind"] == "Status" and len(json.dumps(answer)) < 2000


async def test_a_patch_of_a_few_bytes_cannot_make_a_huge_object(api: Api) -> None:
    assert (await api.call("POST", PATH, {**TYPE, "metadata": {"name": "t"}}))[0] == 201
    bomb = [{"op": "add", "path": "/spec", "value": {"a": "x"}}]
    for name in ("b", "a") * 20:
        bomb.append({"op": "copy", "from": "/spec", "path": f"/spec/{name}"})
    revision = api.store.revision
    await refused(api, await api.call("PATCH", f"{PATH}/t", bomb, content_type=JSON), 422)
    assert api.store.revision == revision


async def test_every_way_to_grow_ends_at_the_limit(api: Api) -> None:
    half = padded(OBJECT_BYTES_MAX * 2 // 3)
    thing = {**TYPE, "metadata": {"name": "t"}, "spec": half}
    assert (await api.call("POST", PATH, thing))[0] == 201
    more = {"status": half}
    await refused(api, await api.call("PATCH", f"{PATH}/t", more, content_type=MERGE))
    add = [{"op": "add", "path": "/status", "value": half}]
    await refused(api, await api.call("PATCH", f"{PATH}/t", add, content_type=JSON))
    plan = {"op": "patch", "apiVersion": "example.com/v1", "resource": "things",
            "namespace": "default", "name": "t", "patch": more}  # fmt: skip
    await refused(api, await api.plan(plan))
    await refused(api, await api.call("PATCH", f"{PATH}/t?dryRun=All", more, content_type=MERGE))
    _, found = await api.call("GET", f"{PATH}/t")
    both = {**TYPE, "metadata": found["metadata"], "spec": half, "status": half}
    await refused(api, await api.call("PUT", f"{PATH}/t", both))
    await refused(api, await api.call("POST", PATH, {**both, "metadata": {"name": "u"}}))
    path = f"{DEFAULT}/events/e"
    event = {"metadata": {"name": "e"}, "involvedObject": {}, "message": "x" * 2_000_000}
    assert (await api.call("POST", f"{DEFAULT}/events", event))[0] == 201
    more = {"reason": "y" * 2_000_000}
    refusal = await api.call("PATCH", path, more, content_type=STRATEGIC)
    await refused(api, refusal)
    assert (await api.call("DELETE", f"{PATH}/t"))[0] == 200


async def test_what_is_as_large_as_may_be_can_still_be_deleted(api: Api) -> None:
    thing: dict[str, Any] = {**TYPE, "metadata": {"name": "t", "finalizers": ["example.com/x"]}}
    assert (await api.call("POST", PATH, thing))[0] == 201
    _, found = await api.call("GET", f"{PATH}/t")
    room = OBJECT_BYTES_MAX - len(json.dumps(found, separators=(",", ":"))) - len(',"spec":""')
    fill = {"spec": "x" * (room - 16)}
    assert (await api.call("PATCH", f"{PATH}/t", fill, content_type=MERGE))[0] == 200
    await refused(api, await api.call("PATCH", f"{PATH}/t", {"more": "x" * 32}, content_type=MERGE))
    assert (await api.call("DELETE", f"{PATH}/t?propagationPolicy=Foreground"))[0] == 200
    nothing = {"metadata": {"finalizers": None}}
    assert (await api.call("PATCH", f"{PATH}/t", nothing, content_type=MERGE))[0] == 200
    assert (await api.call("GET", f"{PATH}/t"))[0] == 404


async def test_defaults_of_a_definition_count(api: Api) -> None:
    crd = definition(Resource("example.com", "v1", "bombs", "Bomb", namespaced=True))
    item = {"type": "object", "properties": {"p": {"type": "string", "default": "x" * 5000}}}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = {
        "type": "object", "properties": {"l": {"type": "array", "items": item}},
    }  # fmt: skip
    api.server.catalog.add(("example.com", "bombs"), kinds_from_crd(crd))
    path = PATH.replace("things", "bombs")
    bomb = {"apiVersion": "example.com/v1", "kind": "Bomb"}
    few = {**bomb, "metadata": {"name": "few"}, "l": [{}] * 10}
    status, made = await api.call("POST", path, few)
    assert status == 201 and made["l"][9]["p"] == "x" * 5000
    many = {**bomb, "metadata": {"name": "b"}, "l": [{}] * 20_000}
    await refused(api, await api.call("POST", path, many), 422)


async def test_nesting_ends_at_a_limit_with_a_sentence(api: Api) -> None:
    for depth in (230, OBJECT_DEPTH_MAX - 1, OBJECT_DEPTH_MAX, 254, 300, 1000):
        spec = b'{"a":' * depth + b"1" + b"}" * depth
        body = (
            b'{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"d%d"},"spec":%s}'
            % (depth, spec)
        )
        status, answer = await api.call("POST", PATH, body)
        assert (status == 201) == (depth < OBJECT_DEPTH_MAX), answer
        assert status == 201 or (status // 100 == 4 and "nested" in answer["message"])


async def test_a_patch_cannot_nest_deeper_than_a_body(api: Api) -> None:
    nested: Any = 1
    for _ in range(200):
        nested = {"a": nested}
    assert (await api.call("POST", PATH, {**TYPE, "metadata": {"name": "t"}, "spec": nested}))[
        0
    ] == 201
    deeper = [{"op": "replace", "path": "/spec" + "/a" * 200, "value": nested}]
    for query in ("", "?dryRun=All"):
        answer = await api.call("PATCH", f"{PATH}/t{query}", deeper, content_type=JSON)
        await refused(api, answer, 422)
        assert "nested deeper" in answer[1]["message"]


async def test_what_no_field_reads_may_be_deep(api: Api) -> None:
    head = '"apiVersion":"v1","kind":"ConfigMap"'
    path = "/api/v1/namespaces/default/configmaps"
    for depth in (100, 240, 300, 500, 1000):
        deep = '{"a":' * depth + "1" + "}" * depth
        for twice in ("", '"data":{"b":"2"},'):
            name = f'"metadata":{{"name":"d{depth}{len(twice)}"}}'
            body = f'{{{head},{name},{twice}"data":{{"a":"1"}},"x":{deep}}}'.encode()
            status, made = await api.call("POST", f"{path}?fieldValidation=Warn", body)
            if depth > 300:  # who looks for fields twice goes down with the interpreter's stack
                assert status in (201, 400)
                continue
            assert status == 201, made
            assert "x" not in made and made["data"]["a"] == "1"
            status, answer = await api.call("POST", f"{path}?fieldValidation=Strict", body)
            assert status == 400 and 'unknown field "x"' in answer["message"]
        body = f'{{{head},"metadata":{{"name":"m"}},"data":[{deep}]}}'.encode()
        status, answer = await api.call("POST", path, body)
        assert status == 400
        assert depth > 300 or "cannot unmarshal array into Go struct" in answer["message"]
    data = '{"a":' * 300 + "1" + "}" * 300  # which this kind keeps
    kept = f'{{"metadata":{{"name":"r"}},"revision":1,"data":{data}}}'.encode()
    path = "/apis/apps/v1/namespaces/default/controllerrevisions"
    await refused(api, await api.call("POST", path, kept), 400)
