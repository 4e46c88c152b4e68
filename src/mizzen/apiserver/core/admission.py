"""What an object must satisfy besides its own schema: its namespace, its priority class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mizzen.apiserver.core.refusals import forbidden, not_found
from mizzen.base.errors import Cause, Forbidden, invalid
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part
from mizzen.base.resources import (
    NAMESPACES,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    Resource,
)

PERMANENT_NAMESPACES = (
    "default", "kube-system", "kube-public", "kube-node-lease", "mizzen-system",
)  # fmt: skip


def check_namespace(resource: Resource, name: str, namespace: str, found: Obj | None) -> None:
    """Refuses to create in a namespace that is missing or being deleted.

    Source: upstream's NamespaceLifecycle admission.
    """
    if found is None:
        raise not_found(NAMESPACES, namespace)
    if found["metadata"].get("deletionTimestamp"):
        error = forbidden(
            resource,
            name,
            f"unable to create new content in namespace {namespace} because it is being terminated",
        )
        cause = Cause("metadata.namespace", f"namespace {namespace} is being terminated",
                      "NamespaceTerminating")  # fmt: skip
        raise Forbidden(
            error.message, group=error.group, kind=error.kind, name=error.name, causes=[cause]
        )


def check_definition(resource: Resource, name: str, definition: Obj | None) -> None:
    """Refuses to create an object of a kind whose definition is being deleted."""
    if definition is not None and definition["metadata"].get("deletionTimestamp"):
        reason = "create not allowed while custom resource definition is terminating"
        raise forbidden(resource, name, reason)


def check_delete(resource: Resource, name: str) -> None:
    """Refuses to delete the namespaces that must always be there."""
    if resource == NAMESPACES and name in PERMANENT_NAMESPACES:
        raise forbidden(resource, name, "this namespace may not be deleted")


# -- admin access to devices that others use ------------------------------------------------
# Source: pkg/registry/resource/utils.go AuthorizedForAdmin, Kubernetes 1.36.

ADMIN_ACCESS_LABEL = "resource.kubernetes.io/admin-access"
_CLAIM_SPEC = {RESOURCE_CLAIMS: ("spec",), RESOURCE_CLAIM_TEMPLATES: ("spec", "spec")}


def check_admin_access(obj: Obj, resource: Resource, name: str, namespace: Obj | None) -> None:
    """Refuses a claim or template that asks for it outside of a namespace labelled for it."""
    where = _CLAIM_SPEC.get(resource)
    for index, request in enumerate(entries(obj, *where, "devices", "requests") if where else ()):
        if part(request, "exactly").get("adminAccess"):
            path = f"spec.devices.requests[{index}].adminAccess"
            _require_admin_label(resource, name, namespace, path)


def gains_admin_access(old: Obj, new: Obj) -> bool:
    """Whether a claim's status is given devices with admin access that it did not have."""
    return any(_admin_results(new)) and not any(_admin_results(old))


def check_admin_results(claim: Obj, resource: Resource, name: str, namespace: Obj | None) -> None:
    """Refuses to give devices with admin access where the label has gone since."""
    index = _admin_results(claim).index(True)
    path = f"status.allocation.devices.results[{index}].adminAccess"
    _require_admin_label(resource, name, namespace, path)


def _admin_results(claim: Obj) -> list[bool]:
    results = entries(claim, "status", "allocation", "devices", "results")
    return [bool(result.get("adminAccess")) for result in results]


def _require_admin_label(resource: Resource, name: str, namespace: Obj | None, path: str) -> None:
    labels = part(namespace or {}, "metadata", "labels")
    if labels.get(ADMIN_ACCESS_LABEL) != "true":
        message = (
            f"Forbidden: admin access to devices requires the `{ADMIN_ACCESS_LABEL}: true` label "
            "on the containing namespace"
        )
        cause = Cause(path, message, "FieldValueForbidden")
        raise invalid(resource.kind, resource.group, name, [cause])


def set_priority(
    pod: Obj,
    find_class: Callable[[str], Obj | None],
    all_classes: Callable[[], Iterable[Obj]],
) -> None:
    """Resolves priorityClassName into spec.priority and preemptionPolicy, in place.

    Source: upstream's Priority admission: the class decides, a pod may not say otherwise.
    """
    spec: dict[str, Any] = pod["spec"]
    name = spec.get("priorityClassName")
    chosen: Obj | None
    if name:
        chosen = find_class(name)
        if chosen is None:
            raise forbidden(
                PODS,
                pod["metadata"]["name"],
                f"no PriorityClass with name {name} was found",
            )
    else:
        defaults = [c for c in all_classes() if c.get("globalDefault")]
        chosen = min(defaults, key=lambda c: c["value"], default=None)
        if chosen is not None:
            spec["priorityClassName"] = chosen["metadata"]["name"]
    value = chosen["value"] if chosen else 0
    policy = (chosen.get("preemptionPolicy") if chosen else None) or "PreemptLowerPriority"
    for field, resolved in (("priority", value), ("preemptionPolicy", policy)):
        if spec.get(field) is not None and spec[field] != resolved:
            raise forbidden(
                PODS,
                pod["metadata"]["name"],
                f"the {'integer value of priority' if field == 'priority' else 'string value of preemptionPolicy'} "
                f"({spec[field]}) must not be provided in pod spec; priority admission controller "
                f"computed {resolved} from the given PriorityClass name",
            )
        spec[field] = resolved
