"""Rules of server-side apply: who manages which fields, and what becomes of them."""

from __future__ import annotations

from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import Answer, Talk, config_map
from support.api_rules.writing import account

APPLY = "application/apply-patch+yaml"


def apply(api: Talk, path: str, body: Any, manager: str, **query: Any) -> Answer:
    return api.patch(path, body, APPLY, fieldManager=manager, **query)


def managers(made: dict[str, Any]) -> list[tuple[str, str, Any]]:
    entries = made["metadata"]["managedFields"]
    return sorted((e["manager"], e["operation"], e["fieldsV1"].get("f:data")) for e in entries)


@rule("applying makes an object that is not there, whose manager owns exactly what was said")
def applied_anew(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps/a"
    made = apply(api, path, config_map("a", k="1"), "one").ok(201)
    assert managers(made) == [("one", "Apply", {"f:k": {}})]
    again = apply(api, path, config_map("a", k="1"), "one").ok(200)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@rule("a field of another manager is a Conflict that names it; force takes it")
def apply_conflicts(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps/a"
    apply(api, path, config_map("a", k="1", mine="1"), "one").ok(201)
    said = apply(api, path, config_map("a", k="2"), "two").refused(409, "Conflict")
    assert said["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.k"}
    ]
    taken = apply(api, path, config_map("a", k="2"), "two", force="true").ok()
    assert taken["data"] == {"k": "2", "mine": "1"}
    assert managers(taken) == [("one", "Apply", {"f:mine": {}}), ("two", "Apply", {"f:k": {}})]


@rule("managers who say the same share a field; it goes when the last of them says it no more")
def apply_shared(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps/a"
    for manager in ("one", "two"):
        shared = apply(api, path, config_map("a", k="1"), manager).ok(
            201 if manager == "one" else 200
        )
    assert managers(shared) == [("one", "Apply", {"f:k": {}}), ("two", "Apply", {"f:k": {}})]
    left = apply(api, path, config_map("a"), "one").ok()
    assert left["data"] == {"k": "1"}
    left = apply(api, path, config_map("a"), "two").ok()
    assert "data" not in left


@rule("lists with keys are merged by them: each manager has its own entries")
def apply_keyed_lists(api: Talk) -> None:
    space = account(api, api.namespace())
    path = f"{space}/services/s"

    def service(*ports: dict[str, Any]) -> dict[str, Any]:
        spec = {"ports": list(ports)}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}

    web, admin = {"name": "web", "port": 80}, {"name": "admin", "port": 90}
    apply(api, path, service(web), "one").ok(201)
    made = apply(api, path, service(admin), "two").ok()
    assert [port["name"] for port in made["spec"]["ports"]] == ["web", "admin"]
    made = apply(api, path, service(admin), "one", force="true").ok()
    assert [port["name"] for port in made["spec"]["ports"]] == ["admin"]


@rule("an apply wants its manager's name, an object with kind and version, and no managedFields")
def apply_wants(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps/a"
    said = api.patch(path, config_map("a"), APPLY).refused(422, "Invalid")
    assert said["details"]["causes"][0]["field"] == "fieldManager"
    body = config_map("a")
    del body["kind"]
    apply(api, path, body, "one").refused(400, "BadRequest")
    body = config_map("a")
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    apply(api, path, body, "one").refused(400, "BadRequest")
    api.get(path).refused(404, "NotFound")


@rule("what other writes change is their manager's, by the operation Update and the subresource")
def updates_are_managed(api: Talk) -> None:
    space = account(api, api.namespace())
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    api.post(f"{space}/pods", pod, fieldManager="maker").ok(201)
    status = {"status": {"message": "well"}}
    made = api.patch(f"{space}/pods/p/status", status, fieldManager="teller").ok()
    entries = [
        (e["manager"], e["operation"], e.get("subresource"))
        for e in made["metadata"]["managedFields"]
    ]
    assert sorted(entries, key=str) == [
        ("maker", "Update", None),
        ("teller", "Update", "status"),
    ]


@rule("managedFields that are emptied are lost, and the next writer begins anew")
def emptied_managers(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps/a"
    apply(api, path, config_map("a", k="1"), "one").ok(201)
    made = api.patch(path, {"metadata": {"managedFields": [{}]}}).ok()
    assert "managedFields" not in made["metadata"]
    made = apply(api, path, config_map("a", k="2"), "two").refused(409, "Conflict")
    assert "before-first-apply" in made["message"]
