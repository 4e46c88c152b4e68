"""Refuses to create in a namespace that is missing or being deleted.

Source: upstream's NamespaceLifecycle admission. It comes before everything that could be wrong with
the object itself, as upstream.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.refusals import forbidden, not_found
from mizzen.base.errors import Cause, Forbidden
from mizzen.base.resources import NAMESPACES
from mizzen.store.store import ObjectKey


def _check(request: AdmissionRequest) -> None:
    namespace = request.key.namespace
    found = request.draft.look(ObjectKey(NAMESPACES.plural, "", namespace))
    if found is None:
        raise not_found(NAMESPACES, namespace)
    if found["metadata"].get("deletionTimestamp"):
        error = forbidden(
            request.served.resource,
            request.key.name,
            f"unable to create new content in namespace {namespace} because it is being terminated",
        )
        cause = Cause("metadata.namespace", f"namespace {namespace} is being terminated",
                      "NamespaceTerminating")  # fmt: skip
        raise Forbidden(
            error.message, group=error.group, kind=error.kind, name=error.name, causes=[cause]
        )


def namespace_lifecycle(context: Context) -> Plugin:
    return Plugin(
        frozenset((CREATE,)), lambda s: s.resource.namespaced, mutate=_check, by_template=True
    )


PLUGIN = namespace_lifecycle
