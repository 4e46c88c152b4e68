"""Nobody gives away by roles or bindings what he may not do himself."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver import rbac_defaults
from mizzen.apiserver.core.user import AUTHENTICATED, User
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api

RBAC = "/apis/rbac.authorization.k8s.io/v1"
IN_DEFAULT = f"{RBAC}/namespaces/default"
GET_PODS = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
GET_SECRETS = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}


def role(name: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules), **more}


def binding(name: str, of: str, kind: str = "ClusterRole", user: str = "eve") -> dict[str, Any]:
    ref = {"kind": kind, "name": of}
    return {
        "metadata": {"name": name},
        "roleRef": ref,
        "subjects": [{"kind": "User", "name": user}],
    }


async def eves_api(monkeypatch: pytest.MonkeyPatch, *more: dict[str, Any]) -> Api:
    """Eve may write roles and bindings, get pods, and what `more` says."""
    api = await an_api(MemoryStore())
    await rbac_defaults.make_defaults(api.server)
    write = {"verbs": ["create", "update", "patch", "delete"],
             "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"]}  # fmt: skip
    write = {**write, "resources": ["roles", "rolebindings", "clusterroles", "clusterrolebindings"]}
    for path, body in (
        (f"{RBAC}/clusterroles", role("eves", write, GET_PODS, *more)),
        (f"{RBAC}/clusterroles", role("secretive", GET_SECRETS)),
        (f"{RBAC}/clusterrolebindings", binding("eve", "eves")),
        (f"{IN_DEFAULT}/roles", role("own", GET_SECRETS)),
    ):
        assert (await api.call("POST", path, body))[0] == 201
    monkeypatch.setattr(api.app, "_user_of", lambda _: User("eve", groups=("devs", AUTHENTICATED)))
    return api


async def test_a_role_holds_no_more_than_its_author(monkeypatch: pytest.MonkeyPatch) -> None:
    api = await eves_api(monkeypatch)
    assert (await api.call("POST", f"{IN_DEFAULT}/roles", role("a", GET_PODS)))[0] == 201
    code, status = await api.call("POST", f"{IN_DEFAULT}/roles", role("b", GET_PODS, GET_SECRETS))
    assert code == 403
    assert status["message"] == (
        'roles.rbac.authorization.k8s.io "b" is forbidden: user "eve" (groups=["devs" '
        '"system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )
    patch = {"rules": [GET_PODS, GET_SECRETS]}
    kind = "application/merge-patch+json"
    assert (await api.call("PATCH", f"{IN_DEFAULT}/roles/a", patch, content_type=kind))[0] == 403
    label = {"metadata": {"labels": {"a": "b"}}}
    assert (await api.call("PATCH", f"{IN_DEFAULT}/roles/own", label, content_type=kind))[0] == 403
    owner = {"metadata": {"finalizers": ["a.b/c"]}}
    path = f"{IN_DEFAULT}/roles/own"
    assert (await api.call("PATCH", path, owner, content_type=kind))[0] == 200, "a collector's"


async def test_a_binding_gives_no_more_than_its_author_has(monkeypatch: pytest.MonkeyPatch) -> None:
    api = await eves_api(monkeypatch)
    path = f"{IN_DEFAULT}/rolebindings"
    for body in (
        binding("a", "secretive"),
        binding("b", "own", "Role"),
        binding("c", "cluster-admin"),
    ):
        assert (await api.call("POST", path, body))[0] == 403
    assert (await api.call("POST", path, binding("d", "eves", user="joe")))[0] == 201
    code, status = await api.call("POST", path, binding("e", "nowhere"))
    assert code == 404 and status["message"].endswith('"nowhere" not found')


async def test_whoever_may_escalate_or_bind_may(monkeypatch: pytest.MonkeyPatch) -> None:
    group = ["rbac.authorization.k8s.io"]
    escalate = {"verbs": ["escalate"], "apiGroups": group, "resources": ["roles"]}
    bind = {"verbs": ["bind"], "apiGroups": group, "resources": ["clusterroles"],
            "resourceNames": ["secretive"]}  # fmt: skip
    api = await eves_api(monkeypatch, escalate, bind)
    assert (await api.call("POST", f"{IN_DEFAULT}/roles", role("b", GET_SECRETS)))[0] == 201
    assert (await api.call("POST", f"{RBAC}/clusterroles", role("c", GET_SECRETS)))[0] == 403
    path = f"{IN_DEFAULT}/rolebindings"
    assert (await api.call("POST", path, binding("a", "secretive")))[0] == 201
    assert (await api.call("POST", path, binding("b", "cluster-admin")))[0] == 403


async def test_only_a_cluster_admin_aggregates(monkeypatch: pytest.MonkeyPatch) -> None:
    api = await eves_api(monkeypatch)
    rule = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    code, status = await api.call("POST", f"{RBAC}/clusterroles", role("x", aggregationRule=rule))
    assert code == 403 and "must have cluster-admin privileges" in status["message"]
