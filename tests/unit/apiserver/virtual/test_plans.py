"""A plan that is refused leaves nothing behind, whichever of its operations fails and why."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.limits import OBJECT_BYTES_MAX
from mizzen.base.resources import Resource
from mizzen.kinds.dynamic import kinds_from_crd
from mizzen.store.engine import Engine
from mizzen.store.local import LocalStore
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, PLANS, Api, an_api
from support.custom_kinds import definition

THINGS = Resource("example.com", "v1", "things", "Thing", namespaced=True)
DEFAULT_NAMESPACE = {"apiVersion": "v1", "metadata": {"name": "default"}}
NAMES = ("a", "b", "c", "kept")
MAPS = {"apiVersion": "v1", "resource": "configmaps", "namespace": "default"}
_DEEP = b'{"a":' * 300 + b"1" + b"}" * 300


def create(name: str, value: str = "1") -> dict[str, Any]:
    obj = {
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"v": value},
    }
    return {"op": "create", "resource": "configmaps", "object": obj}


def patch(name: str, value: str) -> dict[str, Any]:
    return {"op": "patch", **MAPS, "name": name, "patch": {"data": {"v": value}}}


def delete(name: str) -> dict[str, Any]:
    return {"op": "delete", **MAPS, "name": name}


def deep(name: str = "deep") -> dict[str, Any]:
    spec: dict[str, Any] = {}
    for _ in range(252):
        spec = {"a": spec}
    obj = {"apiVersion": "example.com/v1", "metadata": {"name": name, "namespace": "default"},
           "spec": spec}  # fmt: skip
    return {"op": "create", "resource": "things", "object": obj}


def growing() -> dict[str, Any]:
    """A patch that makes of what is there more than may be stored."""
    return {"op": "patch", "apiVersion": "example.com/v1", "resource": "things",
            "namespace": "default", "name": "thing", "patch": {"spec": "x" * OBJECT_BYTES_MAX}}  # fmt: skip


async def prepared(store: Engine) -> Api:
    api = await an_api(store)
    crd = definition(THINGS)
    api.server.catalog.add(("example.com", "things"), kinds_from_crd(crd))
    thing = {"apiVersion": "example.com/v1", "metadata": {"name": "thing", "namespace": "default"}}
    made = {"op": "create", "resource": "things", "object": thing}
    assert (await api.plan(create("kept", "before"), made))[0] == 201
    return api


def state(store: Engine) -> Any:
    """All that can be seen of a store, by every way of looking."""
    listed = [
        (s.key, s.revision, s.data) for name in store.resources() for s in store.list(name).items
    ]
    pending = [store.peek(key) for key, _, _ in listed]
    missing = [store.peek(listed[0][0]._replace(resource="configmaps", name=n)) for n in NAMES]
    return (
        sorted(listed),
        store.revision,
        [(r.revision, r.key, r.data) for r in store.history(store.oldest, 10_000)],
        [s and (s.revision, s.data) for s in pending],
        [s and s.data for s in missing if s is None or s.key.namespace],
    )


_good = st.one_of(
    st.builds(create, st.sampled_from(NAMES)),
    st.builds(patch, st.sampled_from(NAMES), st.text("xy", max_size=3)),
    st.builds(delete, st.sampled_from(NAMES)),
)
_bad = st.sampled_from(
    [create("kept"), patch("missing", "1"), delete("missing"), deep(), growing(),
     {"op": "frobnicate"}, create("Not A Name"),
     {**patch("kept", "1"), "resourceVersion": "1"}]
)  # fmt: skip


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(_good, max_size=4), _bad, st.lists(_good, max_size=2))
def test_a_refused_plan_leaves_nothing_in_memory_or_on_disk(
    first: list[Any], bad: Any, rest: list[Any]
) -> None:
    async def run(folder: Path) -> None:
        store = LocalStore(folder)
        try:
            api = await prepared(store)
            before = state(store)
            status, answer = await api.plan(*first, bad, *rest)
            assert 400 <= status < 500, answer
            assert state(store) == before
            # What comes next finds the store as it was, and is all that is written.
            assert (await api.plan(patch("kept", "after")))[0] == 201
            assert store.revision == before[1] + 1
        finally:
            await store.close()
        again = LocalStore(folder)
        try:
            disk = state(again)
            changed = {key.name for key, revision, _ in disk[0] if revision > before[1]}
            assert changed == {"kept"}
            assert disk[2][:-1] == before[2]
        finally:
            await again.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def test_a_plan_names_the_operation_that_the_store_cannot_take(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    api = await prepared(store)
    for query in ("", "?dryRun=All"):
        status, answer = await api.plan(create("a"), growing(), create("b"), query=query)
        assert (status, answer["reason"]) == (413, "RequestEntityTooLarge")
        assert answer["details"]["causes"][0]["field"] == "spec.operations[1]"
    assert (await api.call("GET", f"{DEFAULT}/configmaps/a"))[0] == 404
    assert (await api.plan(create("a")))[0] == 201
    await store.close()


async def test_a_name_that_a_plan_frees_is_free_in_the_next_one(tmp_path: Path) -> None:
    """In one transaction the two would be one write: an object that changed its uid."""
    store = LocalStore(tmp_path)
    api = await prepared(store)
    before = state(store)
    status, answer = await api.plan(delete("kept"), create("kept", "after"))
    assert (status, answer["reason"]) == (409, "AlreadyExists"), answer
    assert "in a plan of its own" in answer["message"]
    assert answer["details"]["causes"][0]["field"] == "spec.operations[1]"
    assert state(store) == before
    # One that only the plan itself made was never there for anybody.
    assert (await api.plan(create("a", "1"), delete("a"), create("a", "2")))[0] == 201
    watched = store.watch("configmaps", since=store.revision)
    assert (await api.plan(delete("kept")))[0] == 201
    assert (await api.plan(create("kept", "after")))[0] == 201
    seen = [event.type for event in watched.take_nowait()]
    assert seen == ["DELETED", "ADDED"]
    await store.close()


async def test_what_cannot_be_written_back_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    """The answer repeats the plan: nesting that only the answer has must not fail after."""
    store = LocalStore(tmp_path)
    api = await prepared(store)
    revision = store.revision
    body = b'{"kind":"Plan","spec":{"operations":[%s],"x":%s}}' % (
        b'{"op":"create","resource":"configmaps","object":{"apiVersion":"v1","metadata":'
        b'{"name":"a","namespace":"default"}}}',
        _DEEP,
    )
    status, answer = await api.call("POST", PLANS, body)
    assert (status, store.revision) == (400, revision), answer
    await store.close()


async def test_many_changes_of_a_large_object_are_bounded_by_its_bytes() -> None:
    store = MemoryStore()
    api = await an_api(store)
    large = "x" * 1_000_000
    assert (await api.plan(create("kept", large)))[0] == 201
    before = state(store)
    nothing = {"op": "patch", **MAPS, "name": "kept", "patch": {}}
    status, answer = await api.plan(patch("kept", f"{large}!"), *[nothing] * 80)
    assert (status, answer["reason"]) == (413, "RequestEntityTooLarge")
    assert answer["details"]["causes"][0]["field"] == "spec.operations[67]"
    assert state(store) == before
    made = create("new", large)  # within one plan as well
    again = {"op": "patch", **MAPS, "name": "new", "patch": {"data": {"w": "1"}}}
    assert (await api.plan(made, *[again] * 80))[0] == 413
    assert state(store) == before


async def test_an_operation_with_a_field_that_it_has_not_does_nothing() -> None:
    store = MemoryStore()
    api = await an_api(store)
    assert (await api.plan(create("kept")))[0] == 201
    before = state(store)
    wrong: list[dict[str, Any]] = [
        {**delete("kept"), "resourceversion": "1"},
        {**create("a"), "namespace": "elsewhere"},
        {**patch("kept", "2"), "patches": {}},
    ]
    for operation in wrong:
        status, answer = await api.plan(operation)
        assert status == 400 and "unknown field" in answer["message"]
    assert state(store) == before


async def test_the_name_of_a_plan_is_a_name() -> None:
    api = await an_api(MemoryStore())
    for name in ("x" * 254, "Not A Name"):
        body = {"kind": "Plan", "metadata": {"name": name}, "spec": {"operations": [create("a")]}}
        assert (await api.call("POST", PLANS, body))[0] == 400
