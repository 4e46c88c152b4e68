"""Roles and bindings, and what impersonated users may do by them, escalation included."""

from __future__ import annotations

from typing import Any

from differential.draws import Draws
from differential.steps import MERGE, Step

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_REVIEWS = "/apis/authorization.k8s.io/v1"
_VERBS = (
    "get",
    "list",
    "create",
    "update",
    "patch",
    "delete",
    "*",
    "bind",
    "escalate",
    "impersonate",
)
_GROUPS = ("", "apps", "rbac.authorization.k8s.io", "*", "example.dev")
_RESOURCES = (
    "configmaps",
    "secrets",
    "pods/log",
    "deployments/scale",
    "roles",
    "rolebindings",
    "*",
    "*/scale",
    "widgets",
    "users",
)
_USERS = ("<<ns>>-ann", "<<ns>>-bob")


def sequence(draws: Draws) -> list[Step]:
    steps: list[Step] = []
    for number in range(1, draws.randint(2, 4) * 2, 2):
        name = f"r{number}"
        steps.append(
            Step(
                number,
                "POST",
                f"{_RBAC}/namespaces/<<ns>>/roles",
                {
                    "metadata": {"name": name},
                    "rules": [_rule(draws) for _ in range(draws.randint(0, 2))],
                },
            )
        )
        steps.append(Step(number + 1, "POST", f"{_RBAC}/namespaces/<<ns>>/rolebindings", {
            "metadata": {"name": name}, **_binding(draws, "Role", name)}))  # fmt: skip
    steps += _settled(len(steps) + 1)
    for number in range(len(steps) + 1, len(steps) + draws.randint(4, 10)):
        steps.append(draws.choice((_asked, _asked, _reviewed, _granted))(draws, number))
    return steps


def _settled(number: int) -> list[Step]:
    """A binding written last and a question that it answers: caches have seen all before it."""
    role = {"metadata": {"name": "seen"}, "rules": [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["seen"]}]}  # fmt: skip
    who = {"kind": "User", "name": "<<ns>>-seer", "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "seen"}
    return [
        Step(number, "POST", f"{_RBAC}/namespaces/<<ns>>/roles", role),
        Step(number + 1, "POST", f"{_RBAC}/namespaces/<<ns>>/rolebindings",
             {"metadata": {"name": "seen"}, "roleRef": ref, "subjects": [who]}),
        Step(number + 2, "POST", "/api/v1/namespaces/<<ns>>/configmaps", {"metadata": {"name": "seen"}}),
        Step(number + 3, "GET", "/api/v1/namespaces/<<ns>>/configmaps/seen",
             headers={"Impersonate-User": "<<ns>>-seer"}, until=200),
    ]  # fmt: skip


def _rule(draws: Draws) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "verbs": draws.few(_VERBS, 3, 1), "apiGroups": draws.few(_GROUPS, 2, 1),
        "resources": draws.few(_RESOURCES, 3, 1),
    }  # fmt: skip
    if draws.is_so(0.2):
        rule["resourceNames"] = draws.few(("one", "two"), 2, 1)
    if draws.is_so(0.07):
        rule |= draws.choice(
            ({"verbs": []}, {"nonResourceURLs": ["/x"]}, {"apiGroups": []}, {"resources": []})
        )
    return rule


def _binding(draws: Draws, kind: str, name: str) -> dict[str, Any]:
    subjects = [draws.choice((
        {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "Group", "name": "<<ns>>-team", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "default", "namespace": "<<ns>>"},
        {"kind": "Other", "name": "x"}, {"kind": "ServiceAccount", "name": "default"}))
        if draws.is_so(0.4) else {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        for user in draws.few(_USERS, 2, 1)]  # fmt: skip
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    return {"roleRef": ref, "subjects": subjects}


def _who(draws: Draws) -> dict[str, str]:
    found = {"Impersonate-User": draws.choice((*_USERS, "system:serviceaccount:<<ns>>:default"))}
    if draws.is_so(0.3):
        found["Impersonate-Group"] = "<<ns>>-team"
    return found


def _asked(draws: Draws, number: int) -> Step:
    group, resource = draws.choice((
        ("/api/v1", "configmaps"), ("/api/v1", "secrets"), ("/apis/apps/v1", "deployments"),
        ("/apis/example.dev/v1", "widgets"), (_RBAC, "roles")))  # fmt: skip
    where = f"{group}/namespaces/<<ns>>/{resource}"
    method = draws.choice(("GET", "GET", "POST", "DELETE", "PATCH"))
    if method == "POST":
        return Step(number, "POST", where, {"metadata": {"name": "one"}}, headers=_who(draws))
    one = f"{where}/{draws.choice(('one', 'two'))}"
    if method == "PATCH":
        body = {"metadata": {"labels": {"a": "1"}}}
        return Step(number, "PATCH", one, body, kind=MERGE, headers=_who(draws))
    if draws.is_so(0.3):
        return Step(number, method, where, headers=_who(draws))
    return Step(number, method, one, headers=_who(draws))


def _reviewed(draws: Draws, number: int) -> Step:
    attributes = {
        "verb": draws.choice(_VERBS), "group": draws.choice(_GROUPS), "namespace": draws.choice(("<<ns>>", "", "other")),
        "resource": draws.choice(_RESOURCES).partition("/")[0], "name": draws.choice(("", "one")),
        **draws.some(0.2, subresource=lambda: draws.choice(("scale", "log"))),
    }  # fmt: skip
    if draws.is_so(0.3):
        spec = {
            "user": draws.choice(_USERS),
            "resourceAttributes": attributes,
            **draws.some(groups=lambda: ["<<ns>>-team"]),
        }
        return Step(number, "POST", f"{_REVIEWS}/subjectaccessreviews", {"spec": spec})
    body = {"spec": {"resourceAttributes": attributes}}
    return Step(number, "POST", f"{_REVIEWS}/selfsubjectaccessreviews", body, headers=_who(draws))


def _granted(draws: Draws, number: int) -> Step:
    if draws.is_so(0.6):
        body = {"metadata": {"name": f"e{number}"}, "rules": [_rule(draws)]}
        return Step(number, "POST", f"{_RBAC}/namespaces/<<ns>>/roles", body, headers=_who(draws))
    role = draws.choice(("r1", "r3", "gone"))
    body = {"metadata": {"name": f"e{number}"}, **_binding(draws, "Role", role)}
    return Step(
        number, "POST", f"{_RBAC}/namespaces/<<ns>>/rolebindings", body, headers=_who(draws)
    )
