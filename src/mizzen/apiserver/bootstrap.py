"""Creates the objects needed before the first request: the built-in namespaces."""

from __future__ import annotations

from mizzen.apiserver import operations
from mizzen.apiserver.admission.permanent_namespaces import PERMANENT_NAMESPACES
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.server import Server
from mizzen.base.resources import NAMESPACES
from mizzen.store.store import ObjectKey


async def make_namespaces(server: Server) -> None:
    """Creates the permanent namespaces that are missing, in one transaction."""
    served = server.catalog.by_place((NAMESPACES.group, NAMESPACES.plural))
    assert served is not None, "namespaces are built in"
    draft = server.draft(API_SERVER)
    for name in PERMANENT_NAMESPACES:
        if not draft.exists(ObjectKey(served.key, "", name)):
            operations.create(draft, served, "", {"metadata": {"name": name}})
    done = draft.commit()
    if done is not None:
        await done
