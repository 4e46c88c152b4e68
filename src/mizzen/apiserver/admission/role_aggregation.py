"""Writes the rules of aggregated ClusterRoles together with what they are made of."""

from __future__ import annotations

from mizzen.apiserver.admission_chain import (
    CREATE,
    UPDATE,
    AdmissionRequest,
    Plugin,
    Transaction,
)
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.rbac_index import CLUSTER_ROLES
from mizzen.apiserver.core.role_aggregation import aggregated_rules, is_aggregated, settle
from mizzen.base.objects import Obj
from mizzen.store.store import ObjectKey


def _fill_in(request: AdmissionRequest) -> None:
    """Gives an aggregated role its own rules: what its writer says of them does not count."""
    if is_aggregated(request.object):
        roles = request.draft.list(CLUSTER_ROLES)
        request.object["rules"] = aggregated_rules(request.object, roles)


def _follow(request: AdmissionRequest) -> None:
    old, new = request.old, request.object
    if old is not None and _parts(old) == _parts(new):
        return
    roles = {role["metadata"]["name"]: role for role in request.draft.list(CLUSTER_ROLES)}
    roles[request.key.name] = new
    _write(request.draft, roles, request.key.name)


def _removed(draft: Transaction, key: ObjectKey, gone: Obj) -> None:
    if key.resource == CLUSTER_ROLES:
        roles = {role["metadata"]["name"]: role for role in draft.list(CLUSTER_ROLES)}
        roles.pop(key.name, None)
        _write(draft, roles, key.name)


def _write(draft: Transaction, roles: dict[str, Obj], own: str) -> None:
    for name, role in settle(roles).items():
        if name != own:
            draft.put(ObjectKey(CLUSTER_ROLES, "", name), role, "update")


def _parts(role: Obj) -> tuple[object, object]:
    return role["metadata"].get("labels"), role.get("rules")


def role_aggregation(context: Context) -> Plugin:
    return Plugin(
        frozenset((CREATE, UPDATE)),
        lambda served: served.key == CLUSTER_ROLES,
        mutate=_fill_in,
        admit=_follow,
        remove=_removed,
    )


PLUGIN = role_aggregation
