"""Keeps admin access to devices that others use to namespaces that are labelled for it.

Source: pkg/registry/resource/utils.go AuthorizedForAdmin, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, UPDATE_STATUS, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.base.errors import Cause, invalid
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part
from mizzen.base.resources import NAMESPACES, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from mizzen.store.store import ObjectKey

ADMIN_ACCESS_LABEL = "resource.kubernetes.io/admin-access"
_SPEC = {RESOURCE_CLAIMS: ("spec",), RESOURCE_CLAIM_TEMPLATES: ("spec", "spec")}


def _check(request: AdmissionRequest) -> None:
    """Refuses a claim or template that asks for it, and a claim that is given it: the label may
    have gone since it asked."""
    if request.old is None:
        where = _SPEC[request.served.resource]
        requests = entries(request.object, *where, "devices", "requests")
        asked = (bool(part(each, "exactly").get("adminAccess")) for each in requests)
        for index in (index for index, is_asked in enumerate(asked) if is_asked):
            _require_label(request, f"spec.devices.requests[{index}].adminAccess")
        return
    given = _results(request.object)
    if any(given) and not any(_results(request.old)):
        index = given.index(True)
        _require_label(request, f"status.allocation.devices.results[{index}].adminAccess")


def _results(claim: Obj) -> list[bool]:
    results = entries(claim, "status", "allocation", "devices", "results")
    return [bool(result.get("adminAccess")) for result in results]


def _require_label(request: AdmissionRequest, path: str) -> None:
    found = request.draft.get(ObjectKey(NAMESPACES.plural, "", request.key.namespace))
    if part(found or {}, "metadata", "labels").get(ADMIN_ACCESS_LABEL) != "true":
        message = (
            f"Forbidden: admin access to devices requires the `{ADMIN_ACCESS_LABEL}: true` label "
            "on the containing namespace"
        )
        cause = Cause(path, message, "FieldValueForbidden")
        resource = request.served.resource
        raise invalid(resource.kind, resource.group, request.key.name, [cause])


def admin_access(context: Context) -> Plugin:
    operations = frozenset((CREATE, UPDATE_STATUS))
    return Plugin(operations, lambda served: served.resource in _SPEC, admit=_check)


PLUGIN = admin_access
