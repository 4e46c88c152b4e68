"""Kinds that users define: their lives, their defaults, what is kept and what is not."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from support.api_process import ApiServer

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"
_numbers = itertools.count()
SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "default": "x"},
        "b": {"type": "string", "nullable": True, "default": "y"},
        "c": {"type": "string"},
        "list": {
            "type": "array",
            "x-kubernetes-preserve-unknown-fields": True,
            "items": {
                "type": "object",
                "properties": {"known": {"type": "string"}, "in": {"type": "object"}},
            },
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "whole": {"type": "object", "x-kubernetes-embedded-resource": True,
                  "x-kubernetes-preserve-unknown-fields": True},
    },
}  # fmt: skip


class Kind:
    """A definition of its own for each test, and the path of its objects."""

    def __init__(self, api: ApiServer, spec: dict[str, Any] = SPEC) -> None:
        self.api = api
        self.group = f"g{next(_numbers)}.example.com"
        self.name = f"things.{self.group}"
        self.path = f"/apis/{self.group}/v1/namespaces/default/things"
        self.definition: dict[str, Any] = {
            "metadata": {"name": self.name},
            "spec": {
                "group": self.group,
                "scope": "Namespaced",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [version("v1", spec)],
            },
        }

    def create(self) -> Kind:
        status, answer = self.api.call("POST", CRDS, self.definition)
        assert status == 201, answer
        eventually(lambda: self.api.call("GET", self.path)[0] == 200)
        return self

    def make(self, name: str, spec: Any, query: str = "") -> tuple[int, Any]:
        return self.api.call("POST", self.path + query, self.thing(name, spec))

    def thing(self, name: str, spec: Any, **metadata: Any) -> dict[str, Any]:
        return {
            "apiVersion": f"{self.group}/v1",
            "kind": "Thing",
            "metadata": {"name": name, **metadata},
            "spec": spec,
        }

    def replace(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes the spec of the definition."""
        definition = self.api.call("GET", f"{CRDS}/{self.name}")[1]
        change(definition["spec"])
        status, answer = self.api.call("PUT", f"{CRDS}/{self.name}", definition)
        assert status == 200, answer


def version(name: str, spec: dict[str, Any], *, storage: bool = True) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": spec}}
    return {"name": name, "served": True, "storage": storage,
            "schema": {"openAPIV3Schema": schema}}  # fmt: skip


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline


def test_nulls_defaults_and_pruning(api: ApiServer) -> None:
    kind = Kind(api).create()
    spec = {
        "a": None, "b": None, "c": None, "list": [{"known": "k", "extra": "e", "in": {"x": 1}}],
        "free": {"n": None, "deep": {"z": 1}}, "junk": 1,
        "whole": {"apiVersion": "v1", "kind": "X", "extra": 1,
                  "metadata": {"name": "n", "labels": {"a": "b"}, "junk": 1}},
    }  # fmt: skip
    status, made = kind.make("t", spec)
    assert status == 201, made
    assert made["spec"] == {
        "a": "x", "b": None, "list": [{"known": "k", "extra": "e", "in": {}}],
        "free": {"n": None, "deep": {"z": 1}},
        "whole": {"apiVersion": "v1", "kind": "X", "extra": 1,
                  "metadata": {"name": "n", "labels": {"a": "b"}}},
    }  # fmt: skip
    assert kind.make("u", spec, "?fieldValidation=Strict")[0] == 400
    for patch, found in (
        ({"spec": {"a": None}}, {"a": "x", "b": None}),
        ({"spec": {"b": "q"}}, {"a": "x", "b": "q"}),
    ):
        patched = api.call("PATCH", f"{kind.path}/t", patch, content_type=MERGE)[1]
        assert {name: patched["spec"].get(name) for name in "ab"} == found
    status, patched = api.call("PATCH", f"{kind.path}/t", {"spec": None}, content_type=MERGE)
    assert status == 200 and "spec" not in patched


def test_a_new_default_shows_on_old_objects_without_a_write(api: ApiServer) -> None:
    kind = Kind(api, {"type": "object", "properties": {"a": {"type": "string"}}}).create()
    made = kind.make("t", {})[1]
    properties = {"a": {"type": "string"}, "n": {"type": "integer", "default": 7}}

    def change(spec: dict[str, Any]) -> None:
        spec["versions"] = [version("v1", {"type": "object", "properties": properties})]

    kind.replace(change)
    eventually(lambda: api.call("GET", f"{kind.path}/t")[1]["spec"].get("n") == 7)
    read = api.call("GET", f"{kind.path}/t")[1]
    assert read["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert api.call("GET", kind.path)[1]["items"] == [read]
    # Writing back what was read is no change, and what is written has it.
    same = api.call("PUT", f"{kind.path}/t", read)[1]
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    patch = {"metadata": {"labels": {"a": "b"}}}
    assert api.call("PATCH", f"{kind.path}/t", patch, content_type=MERGE)[1]["spec"] == {"n": 7}


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "integer", "default": "seven"},
        {"type": "string", "enum": ["a"], "default": "b"},
        {"type": "integer", "minimum": 3, "default": 1},
        {"type": "string", "format": "ipv4", "default": "nowhere"},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}},
         "default": {}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}},
        {"type": "array", "items": {"type": "integer"}, "default": [1, "a"]},
        {"type": "string", "pattern": "(" * 500},
    ],
)  # fmt: skip
def test_schemas_that_contradict_themselves_are_refused(
    api: ApiServer, wrong: dict[str, Any]
) -> None:
    kind = Kind(api, {"type": "object", "properties": {"w": wrong}})
    status, answer = api.call("POST", CRDS, kind.definition)
    assert status == 422, answer
    assert "properties[w]" in answer["details"]["causes"][0]["field"]


def test_a_watch_ends_with_its_kind_and_with_its_version(api: ApiServer) -> None:
    kind = Kind(api)
    kind.definition["spec"]["versions"].append(version("v2", SPEC, storage=False))
    kind.create()
    eventually(lambda: api.call("GET", kind.path.replace("v1", "v2"))[0] == 200)

    def watch(path: str) -> Any:
        return api.open("GET", f"{path}?watch=1", None, "admin", "", "application/json")

    with watch(kind.path.replace("v1", "v2")) as second, watch(kind.path) as first:
        api.call("PATCH", f"{CRDS}/{kind.name}", {"metadata": {"labels": {"a": "b"}}},
                 content_type=MERGE)  # fmt: skip
        kind.make("t", {})
        assert b"ADDED" in first.readline() and b"ADDED" in second.readline()
        kind.replace(lambda spec: spec["versions"].pop())
        assert second.read() == b""  # the end, not a timeout
    with watch(kind.path) as first:
        assert b"ADDED" in first.readline()
        api.call("DELETE", f"{CRDS}/{kind.name}")
        assert b"DELETED" in first.readline()
        assert first.read() == b""


def test_a_kind_that_goes_takes_nothing_new_and_says_so(api: ApiServer) -> None:
    kind = Kind(api).create()
    held = kind.thing("held", {}, finalizers=["example.com/x"])
    assert api.call("POST", kind.path, held)[0] == 201
    assert api.call("DELETE", f"{CRDS}/{kind.name}")[0] == 200
    status, answer = kind.make("late", {})
    assert status == 403 and "terminating" in answer["message"]
    conditions = f"{CRDS}/{kind.name}"

    def says_so() -> bool:
        found = api.call("GET", conditions)[1]["status"]["conditions"]
        return {"type": "Terminating", "status": "True"}.items() <= found[-1].items()

    eventually(says_so)
    api.call("PATCH", f"{kind.path}/held", {"metadata": {"finalizers": None}}, content_type=MERGE)
    eventually(lambda: api.call("GET", conditions)[0] == 404)
    assert api.call("GET", kind.path)[0] == 404
    kind.definition["spec"]["versions"] = [
        version("v1", {"type": "object", "properties": {"c": {"type": "integer"}}})
    ]
    kind.create()  # the second life: other objects, another schema
    assert api.call("GET", kind.path)[1]["items"] == []
    assert kind.make("held", {"c": "text"})[0] == 422


def test_cells_of_tables_are_json(api: ApiServer) -> None:
    kind = Kind(api)
    kind.definition["spec"]["versions"][0]["additionalPrinterColumns"] = [
        {"name": "Free", "type": "string", "jsonPath": ".spec.free"},
        {"name": "None", "type": "string", "jsonPath": ".spec.free.n"},
    ]
    kind.create()
    kind.make("t", {"free": {"n": None, "yes": True, "list": ["a"]}})
    table = api.call("GET", kind.path, accept="application/json;as=Table;g=meta.k8s.io;v=v1")[1]
    assert table["rows"][0]["cells"][1:] == ['{"n":null,"yes":true,"list":["a"]}', None]


def test_a_schema_may_restrict_names(api: ApiServer) -> None:
    name = {"type": "string", "maxLength": 3, "pattern": "^a"}
    metadata = {"type": "object", "properties": {"name": name}}
    kind = Kind(api)
    schema = kind.definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = metadata
    kind.create()
    assert kind.make("abc", {})[0] == 201
    for wrong in ("b", "abcd"):
        status, answer = kind.make(wrong, {})
        assert status == 422, answer
        assert [each["field"] for each in answer["details"]["causes"]] == ["metadata.name"]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"subresources": {"scale": {"specReplicasPath": "spec.n",
                                     "statusReplicasPath": ".status.n"}}},
         "subresources.scale.specReplicasPath"),
        ({"subresources": {"scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": "."}}},
         "subresources.scale.statusReplicasPath"),
        ({"subresources": {"scale": {"specReplicasPath": ".status.n",
                                     "statusReplicasPath": ".status.n"}}},
         "subresources.scale.specReplicasPath"),
        ({"selectableFields": [{"jsonPath": ".spec.x[*]"}]}, "selectableFields[0].jsonPath"),
        ({"additionalPrinterColumns": [{"name": "x", "type": "text", "jsonPath": ".spec.x"}]},
         "additionalPrinterColumns[0].type"),
    ],
)  # fmt: skip
def test_paths_and_types_that_mean_nothing_are_refused(
    api: ApiServer, part: dict[str, Any], field: str
) -> None:
    kind = Kind(api)
    kind.definition["spec"]["versions"][0].update(part)
    status, answer = api.call("POST", CRDS, kind.definition)
    assert status == 422, answer
    found = [each["field"] for each in answer["details"]["causes"]]
    assert found == [f"spec.{field}"]  # the only version: as upstream, without its number


@pytest.mark.parametrize(
    ("replicas", "reason"),
    [(1 << 31, "BadRequest"), (-1, "Invalid"), (True, "BadRequest"), ("1", "BadRequest")],
)
def test_a_scale_is_a_number_of_32_bits(api: ApiServer, replicas: Any, reason: str) -> None:
    kind = Kind(api)
    scale = {"specReplicasPath": ".spec.free.n", "statusReplicasPath": ".status.n"}
    kind.definition["spec"]["versions"][0]["subresources"] = {"scale": scale}
    kind.create().make("t", {"free": {"n": 1}})
    wish = {"metadata": {"name": "t"}, "spec": {"replicas": replicas}}
    _, answer = api.call("PUT", f"{kind.path}/t/scale", wish)
    assert answer["reason"] == reason
    assert api.call("GET", f"{kind.path}/t/scale")[1]["spec"] == {"replicas": 1}
