"""A namespace has what every namespace has from its first moment, in the commit that makes it.

So whoever makes a namespace may create pods at once: their ServiceAccount is there. What is deleted
or changed later `apiserver/namespace_contents.py` puts back. Upstream, controllers make both a
moment later, and pods wait. What is made here is the server's own: webhooks and policies, which
could only hold the namespace up, are not asked.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.field_managers import Writer, track_create
from mizzen.apiserver.core.namespace_contents import contents
from mizzen.apiserver.core.stamping import stamp_create
from mizzen.apiserver.draft import MANAGER
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj
from mizzen.base.resources import NAMESPACES
from mizzen.store.store import ObjectKey


class _Contents:
    def __init__(self, context: Context) -> None:
        self._context = context

    def admit(self, request: AdmissionRequest) -> None:
        draft, namespace = request.draft, request.key.name
        for resource, wanted in contents(self._context.root_ca):
            served = self._context.catalog.by_place((resource.group, resource.plural))
            assert served is not None, "both are built in"
            key = ObjectKey(served.key, namespace, wanted["metadata"]["name"])
            if draft.get(key) is not None:
                continue
            metadata = {**wanted["metadata"], "namespace": namespace}
            new: Obj = {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                **wanted,
                "metadata": metadata,
            }
            stamp_create(metadata, draft.now_ns, draft.new_id())
            writer, now = Writer(MANAGER), rfc3339(draft.now_ns)
            track_create(served.kind, new, writer, now, is_builtin=True)
            draft.put(key, new, "create")


def namespace_contents(context: Context) -> Plugin:
    made = _Contents(context)
    return Plugin(frozenset((CREATE,)), lambda s: s.resource == NAMESPACES, admit=made.admit)


PLUGIN = namespace_contents
