"""Aggregated roles change with their parts, in the same commit."""

from __future__ import annotations

from typing import Any

from mizzen.apiserver import rbac_defaults
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api

ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
MERGE = "application/merge-patch+json"
THINGS = {"verbs": ["get"], "apiGroups": ["acme.com"], "resources": ["things"]}
TO_VIEW = "rbac.authorization.k8s.io/aggregate-to-view"


async def rules(api: Api, name: str) -> list[dict[str, Any]]:
    return (await api.call("GET", f"{ROLES}/{name}"))[1]["rules"]


async def test_parts_come_change_and_go() -> None:
    api = await an_api(MemoryStore())
    await rbac_defaults.make_defaults(api.server)
    part = {"metadata": {"name": "things", "labels": {TO_VIEW: "true"}}, "rules": [THINGS]}
    code, made = await api.call("POST", ROLES, part)
    assert code == 201 and made["metadata"]["name"] == "things", "it is answered, not what follows"
    for name in ("view", "edit", "admin"):
        assert THINGS in await rules(api, name), name
    more = {**THINGS, "verbs": ["get", "watch"]}
    await api.call("PATCH", f"{ROLES}/things", {"rules": [more]}, content_type=MERGE)
    assert more in await rules(api, "admin") and THINGS not in await rules(api, "admin")
    await api.call("DELETE", f"{ROLES}/things")
    for name in ("view", "edit", "admin"):
        assert more not in await rules(api, name), name


async def test_what_a_writer_says_of_aggregated_rules_does_not_count() -> None:
    api = await an_api(MemoryStore())
    await rbac_defaults.make_defaults(api.server)
    before = await rules(api, "view")
    revision = api.store.revision
    for body in ({"rules": [THINGS]}, {"rules": []}):
        code, made = await api.call("PATCH", f"{ROLES}/view", body, content_type=MERGE)
        assert code == 200 and made["rules"] == before
    assert api.store.revision == revision, "nothing has changed"
    made = {"metadata": {"name": "new"}, "aggregationRule": {
        "clusterRoleSelectors": [{"matchLabels": {TO_VIEW: "true"}}]}}  # fmt: skip
    code, new = await api.call("POST", ROLES, made)
    assert code == 201 and new["rules"] == await rules(api, "view")
