"""Rules of custom kinds: what a definition brings about, and what its schema does to objects."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import TABLE, Answer, Talk

_numbers = itertools.count()
SERVED_S = 15.0
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "default": 3, "minimum": 1},
        "tier": {"type": "string", "enum": ["low", "high"]},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "replicas": {"type": "integer"},
    },
    "x-kubernetes-validations": [
        {
            "rule": "!has(self.tier) || self.tier != 'high' || self.size > 5",
            "message": "high ones are large",
        }
    ],
}


def definition(group: str, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": SPEC, "status": {
        "type": "object", "properties": {"replicas": {"type": "integer"}}}}}  # fmt: skip
    version = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": schema}, **more}  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "versions": [version],
            "names": {"plural": "things", "singular": "thing", "kind": "Thing",
                      "shortNames": ["th"], "categories": ["all"]},
        },
    }  # fmt: skip


def served(api: Talk, versions: list[str] | None = None, **more: Any) -> tuple[str, str]:
    """A new kind: the path of its objects in a new namespace, and its group."""
    group = f"rules-{next(_numbers)}.example.com"
    body = definition(group, **more)
    for name in versions or []:
        other = {**body["spec"]["versions"][0], "name": name, "storage": False}
        body["spec"]["versions"].append(other)
    api.post(DEFINITIONS, body).ok(201)
    space = api.namespace().removeprefix("/api/v1")
    path = f"/apis/{group}/v1{space}/things"
    until(lambda: api.get(path), lambda answer: answer.status == 200)
    return path, group


def until(ask: Callable[[], Answer], holds: Callable[[Answer], bool]) -> Answer:
    end = time.monotonic() + SERVED_S
    while not holds(answer := ask()):
        assert time.monotonic() < end, answer.raw[:500]
        time.sleep(0.1)
    return answer


def thing(group: str, name: str, version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{group}/{version}", "kind": "Thing", "metadata": {"name": name},
            "spec": spec}  # fmt: skip


@rule("a definition is Established with its names accepted, and its kind is discovered")
def established(api: Talk) -> None:
    _, group = served(api)
    made = api.get(f"{DEFINITIONS}/things.{group}").ok()["status"]
    held = {c["type"]: c["status"] for c in made["conditions"]}
    assert held["Established"] == held["NamesAccepted"] == "True"
    assert made["acceptedNames"]["kind"] == "Thing" and made["storedVersions"] == ["v1"]
    (listed,) = api.get(f"/apis/{group}/v1").ok()["resources"]
    assert (listed["name"], listed["kind"], listed["shortNames"], listed["categories"]) == (
        "things", "Thing", ["th"], ["all"])  # fmt: skip


@rule("custom objects get defaults, and lose what their schema does not know")
def pruned(api: Talk) -> None:
    path, group = served(api)
    body = thing(group, "a", unknown=1, free={"any": {"thing": 1}})
    made = api.post(path, body, fieldValidation="Ignore").ok(201)
    assert made["spec"] == {"size": 3, "free": {"any": {"thing": 1}}}
    said = api.post(path, {**body, "metadata": {"name": "b"}}, fieldValidation="Strict")
    assert 'unknown field "spec.unknown"' in said.refused(400, "BadRequest")["message"]


@rule("a custom object that its schema or a rule refuses is Invalid, field by field")
def refused_by_schema(api: Talk) -> None:
    path, group = served(api)
    said = api.post(path, thing(group, "a", size=0, tier="none")).refused(422, "Invalid")
    fields = {cause["field"]: cause["reason"] for cause in said["details"]["causes"]}
    assert fields["spec.size"] == "FieldValueInvalid"
    assert fields["spec.tier"] == "FieldValueNotSupported"
    said = api.post(path, thing(group, "a", size=2, tier="high")).refused(422, "Invalid")
    assert "high ones are large" in said["message"]
    api.post(path, thing(group, "a", size=6, tier="high")).ok(201)


@rule("a custom kind has the subresources that its definition says, and no others")
def custom_subresources(api: Talk) -> None:
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    path, group = served(api, subresources={"status": {}, "scale": scale})
    made = api.post(path, {**thing(group, "a", replicas=2), "status": {"replicas": 9}}).ok(201)
    assert "status" not in made and made["metadata"]["generation"] == 1
    told = api.patch(f"{path}/a/status", {"status": {"replicas": 1}, "spec": {"replicas": 7}}).ok()
    assert (told["spec"]["replicas"], told["status"], told["metadata"]["generation"]) == (
        2, {"replicas": 1}, 1)  # fmt: skip
    found = api.get(f"{path}/a/scale").ok()
    assert (found["kind"], found["spec"], found["status"]) == (
        "Scale", {"replicas": 2}, {"replicas": 1})  # fmt: skip
    api.patch(f"{path}/a/scale", {"spec": {"replicas": 5}}).ok()
    assert api.get(f"{path}/a").ok()["spec"]["replicas"] == 5
    plain, group = served(api)
    api.post(plain, thing(group, "a")).ok(201)
    api.get(f"{plain}/a/scale").refused(404, "NotFound")


@rule("a custom object is served in each version, of which one is stored")
def custom_versions(api: Talk) -> None:
    path, group = served(api, ["v2"])
    api.post(path, thing(group, "a", size=4)).ok(201)
    other = path.replace("/v1/", "/v2/")
    found = api.get(f"{other}/a").ok()
    assert (found["apiVersion"], found["spec"]) == (f"{group}/v2", {"size": 4})
    api.put(f"{other}/a", {**found, "spec": {"size": 5}}).ok()
    found = api.get(f"{path}/a").ok()
    assert (found["apiVersion"], found["spec"]) == (f"{group}/v1", {"size": 5})


@rule("a custom kind's columns are those of its definition, with the age where it says none")
def custom_columns(api: Talk) -> None:
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    path, group = served(api, additionalPrinterColumns=columns)
    api.post(path, thing(group, "a")).ok(201)
    table = api.get(path, accept=TABLE).ok()
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["a", 3]
    path, group = served(api)
    names = [c["name"] for c in api.get(path, accept=TABLE).ok()["columnDefinitions"]]
    assert names == ["Name", "Age"]


@rule("custom objects are selected by the fields that their definition names, and no others")
def selectable_fields(api: Talk) -> None:
    path, group = served(api, selectableFields=[{"jsonPath": ".spec.size"}])
    for size in (1, 2):
        api.post(path, thing(group, f"a{size}", size=size)).ok(201)
    found = api.get(path, fieldSelector="spec.size=2").ok()["items"]
    assert [item["metadata"]["name"] for item in found] == ["a2"]
    api.get(path, fieldSelector="spec.tier=low").refused(400, "BadRequest")


@rule("a definition whose name, schema, versions or rules are wrong is Invalid")
def wrong_definitions(api: Talk) -> None:
    group = f"rules-{next(_numbers)}.example.com"
    wrongs: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
        ("metadata.name", lambda b: b["metadata"].update(name="other.example.com")),
        ("spec.versions", lambda b: b["spec"]["versions"][0].update(storage=False)),
        ("spec.scope", lambda b: b["spec"].update(scope="Nowhere")),
        ("spec.versions[0].schema.openAPIV3Schema",
         lambda b: b["spec"]["versions"][0].update(schema={})),
        ("spec.validation.openAPIV3Schema.type",
         lambda b: b["spec"]["versions"][0].update(schema={"openAPIV3Schema": {"type": "array"}})),
    ]  # fmt: skip
    for field, spoil in wrongs:
        body = definition(group)
        spoil(body)
        said = api.post(DEFINITIONS, body).refused(422, "Invalid")
        assert field in str(said["details"]["causes"]), (field, said)


@rule("with its definition a kind goes, and its objects before it")
def definition_deleted(api: Talk) -> None:
    path, group = served(api)
    api.post(path, thing(group, "a")).ok(201)
    name = f"{DEFINITIONS}/things.{group}"
    api.delete(name).ok()
    until(lambda: api.get(name), lambda answer: answer.status == 404)
    until(lambda: api.get(path), lambda answer: answer.status == 404)
    api.post(DEFINITIONS, definition(group)).ok(201)
    until(lambda: api.get(path), lambda answer: answer.status == 200)
    assert api.get(path).ok()["items"] == []


@rule("a custom object's labels that nobody applies any more leave none behind")
def labels_applied_away(api: Talk) -> None:
    path, group = served(api)
    body = thing(group, "a", size=3)
    labelled = {**body, "metadata": {"name": "a", "labels": {"l": "1"}, "annotations": {"n": "1"}}}
    for each, status in ((labelled, 201), (body, 200), ({**body, "spec": {"size": 4}}, 200)):
        answer = api.patch(
            f"{path}/a", each, "application/apply-patch+yaml", fieldManager="one", force="true"
        )
        metadata = answer.ok(status)["metadata"]
    assert "labels" not in metadata and "annotations" not in metadata
