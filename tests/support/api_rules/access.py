"""Rules of who may do what: RBAC, impersonation, reviews of access."""

from __future__ import annotations

import time
from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import Answer, Talk, config_map

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
HELD_S = 15.0


def as_user(user: str) -> dict[str, str]:
    return {"Impersonate-User": user}


def rbac(space: str) -> str:
    return RBAC + space.removeprefix("/api/v1")


def reader(api: Talk, space: str, user: str) -> None:
    """A role to read ConfigMaps, bound to the user in this namespace."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    api.post(f"{rbac(space)}/roles", {"metadata": {"name": "r"}, "rules": rules}).ok(201)
    body = {"metadata": {"name": "r"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]}  # fmt: skip
    api.post(f"{rbac(space)}/rolebindings", body).ok(201)


def allowed(api: Talk, path: str, user: str) -> Answer:
    end = time.monotonic() + HELD_S
    while (answer := api.get(path, more=as_user(user))).status == 403 and time.monotonic() < end:
        time.sleep(0.1)
    return answer


@rule("a user without a role is Forbidden, in a sentence that says who, what and where")
def forbidden(api: Talk) -> None:
    space = api.namespace()
    name = space.rpartition("/")[2]
    answer = api.get(f"{space}/configmaps", more=as_user("jane"))
    said = answer.refused(403, "Forbidden")
    assert said["message"] == (
        'configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" '
        f'in the namespace "{name}"'
    )
    assert said["details"] == {"kind": "configmaps"}


@rule("a role that is bound gives its verbs on its resources in its namespace, and no more")
def bound_roles(api: Talk) -> None:
    space = api.namespace()
    reader(api, space, "joe")
    allowed(api, f"{space}/configmaps", "joe").ok()
    other = api.namespace()
    for method, path, body in (
        ("POST", f"{space}/configmaps", config_map("a")),
        ("GET", f"{space}/secrets", None),
        ("GET", f"{other}/configmaps", None),
        ("GET", "/api/v1/configmaps", None),
    ):
        api.call(method, path, body, more=as_user("joe")).refused(403, "Forbidden")


@rule("nobody gives away by a role or a binding what he may not do himself")
def escalation(api: Talk) -> None:
    space = api.namespace()
    rules: list[dict[str, Any]] = [
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"],
         "verbs": ["create", "get"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    ]  # fmt: skip
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}
    api.post(f"{rbac(space)}/roles", {"metadata": {"name": "r"}, "rules": rules}).ok(201)
    api.post(f"{rbac(space)}/rolebindings", {"metadata": {"name": "r"}, "subjects": [user],
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}}).ok(201)  # fmt: skip
    allowed(api, f"{rbac(space)}/roles/r", "ann").ok()
    path = f"{rbac(space)}/roles"
    fair = {"metadata": {"name": "fair"}, "rules": [rules[1]]}
    api.post(path, fair, more=as_user("ann")).ok(201)
    greedy = {"metadata": {"name": "greedy"}, "rules": [{**rules[1], "resources": ["secrets"]}]}
    said = api.post(path, greedy, more=as_user("ann")).refused(403, "Forbidden")
    assert (
        'user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC'
        in said["message"]
    )
    binding = {"metadata": {"name": "all"}, "subjects": [user],
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                           "name": "cluster-admin"}}  # fmt: skip
    api.post(f"{rbac(space)}/rolebindings", binding, more=as_user("ann")).refused(403, "Forbidden")


@rule("a binding's role cannot be changed, only its subjects")
def fixed_role_refs(api: Talk) -> None:
    space = api.namespace()
    reader(api, space, "jim")
    path = f"{rbac(space)}/rolebindings/r"
    said = api.patch(path, {"roleRef": {"name": "other"}}).refused(422, "Invalid")
    assert said["details"]["causes"][0]["message"].endswith("cannot change roleRef")
    api.patch(path, {"subjects": []}).ok()


@rule("reviews of access answer what a request would be told")
def access_reviews(api: Talk) -> None:
    space = api.namespace()
    reader(api, space, "eve")
    allowed(api, f"{space}/configmaps", "eve").ok()
    for verb, verdict in (("list", True), ("delete", False)):
        asked = {"verb": verb, "resource": "configmaps", "namespace": space.rpartition("/")[2]}
        spec: dict[str, Any] = {"resourceAttributes": asked}
        told = api.post(f"{REVIEWS}/selfsubjectaccessreviews", {"spec": spec}, more=as_user("eve"))
        assert told.ok(201)["status"]["allowed"] is verdict
        told = api.post(f"{REVIEWS}/subjectaccessreviews", {"spec": {**spec, "user": "eve"}})
        assert told.ok(201)["status"]["allowed"] is verdict
    asked = {"spec": {"namespace": space.rpartition("/")[2]}}
    found = api.post(f"{REVIEWS}/selfsubjectrulesreviews", asked, more=as_user("eve")).ok(201)
    rules = found["status"]["resourceRules"]
    assert {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]} in rules
    api.post(f"{REVIEWS}/subjectaccessreviews", {"spec": {"user": "eve"}}).refused(422, "Invalid")


@rule("who acts for another has that one's name, groups and extras, and needs a name for them")
def impersonation(api: Talk) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    more = {**as_user("kim"), "Impersonate-Group": "team", "Impersonate-Extra-Scopes": "view"}
    told = api.post(path, {}, more=more).ok(201)["status"]["userInfo"]
    assert told["username"] == "kim" and told["extra"] == {"scopes": ["view"]}
    assert told["groups"] == ["team", "system:authenticated"]
    api.post(path, {}, more={"Impersonate-Group": "team"}).refused(400, "BadRequest")


@rule("a token that nobody knows is Unauthorized")
def unknown_tokens(api: Talk) -> None:
    stranger = {"Authorization": "Bearer nobody"}
    said = api.get("/api/v1/namespaces", more=stranger).refused(401, "Unauthorized")
    assert said["message"] == "Unauthorized"
