"""Makes the roles and bindings that every instance has, and completes them at each start."""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.apiserver.core.rbac_index import CLUSTER_ROLES
from mizzen.apiserver.core.rbac_reconcile import (
    is_of_another_role,
    reconciled_binding,
    reconciled_role,
)
from mizzen.apiserver.core.role_aggregation import settle
from mizzen.apiserver.core.stamping import stamp_create
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.rbac_table import default_objects
from mizzen.apiserver.server import Server
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.store.store import ObjectKey


async def make_defaults(server: Server) -> None:
    """Creates the defaults that are missing and completes the others, in one transaction; what is
    annotated with `autoupdate: "false"` stays as it is."""
    draft = server.draft(API_SERVER)
    replaced: list[tuple[ObjectKey, Obj]] = []
    for key, wanted in default_objects():
        existing = draft.get(key)
        if existing is None:
            _create(draft, key, wanted)
        elif "roleRef" not in wanted:
            _update(draft, key, reconciled_role(existing, wanted))
        elif is_of_another_role(existing, wanted):
            draft.remove(key, existing)
            replaced.append((key, wanted))
        else:
            _update(draft, key, reconciled_binding(existing, wanted))
    roles: Mapping[str, Obj] = {
        part(role, "metadata")["name"]: role for role in draft.list(CLUSTER_ROLES)
    }
    for name, role in settle(roles).items():
        _update(draft, ObjectKey(CLUSTER_ROLES, "", name), role)
    await _commit(draft)
    if replaced:  # an object that follows another by its name is a later write
        draft = server.draft(API_SERVER)
        for key, wanted in replaced:
            _create(draft, key, wanted)
        await _commit(draft)


def _create(draft: Draft, key: ObjectKey, obj: Obj) -> None:
    stamp_create(obj["metadata"], draft.now_ns, draft.new_id())
    draft.put(key, obj, "create")


def _update(draft: Draft, key: ObjectKey, obj: Obj | None) -> None:
    if obj is not None:
        draft.put(key, obj, "update")


async def _commit(draft: Draft) -> None:
    done = draft.commit()
    if done is not None:
        await done
