"""Refuses to create objects of a kind whose CustomResourceDefinition is being deleted."""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core import customs
from mizzen.apiserver.core.refusals import forbidden, qualified
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS
from mizzen.store.store import ObjectKey

_DEFINITIONS = qualified(CUSTOM_RESOURCE_DEFINITIONS)


def _check(request: AdmissionRequest) -> None:
    resource = request.served.resource
    definition = request.draft.get(ObjectKey(_DEFINITIONS, "", customs.key_of(resource)))
    if definition is not None and definition["metadata"].get("deletionTimestamp"):
        reason = "create not allowed while custom resource definition is terminating"
        raise forbidden(resource, request.key.name, reason)


def definition_lifecycle(context: Context) -> Plugin:
    return Plugin(frozenset((CREATE,)), lambda served: not served.is_builtin, mutate=_check)


PLUGIN = definition_lifecycle
