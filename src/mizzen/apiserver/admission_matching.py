"""The writes that webhooks and policies concern: rules, versions and selectors against a request."""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.apiserver.admission_chain import (
    BINDING,
    CONNECT,
    CREATE,
    DELETE,
    EVICTION,
    SCALE,
    TOKEN,
    UPDATE,
    UPDATE_APPROVAL,
    UPDATE_EPHEMERAL,
    UPDATE_FINALIZE,
    UPDATE_RESIZE,
    UPDATE_STATUS,
    AdmissionRequest,
)
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.admission_review import options_of, review_request
from mizzen.apiserver.core.admission_rules import Place, api_version, matched_version, selects
from mizzen.apiserver.core.refusals import not_found
from mizzen.apiserver.core.user import AUTHENTICATED, User
from mizzen.base.objects import Obj
from mizzen.base.resources import NAMESPACES
from mizzen.cel.authorization import Allows, Authorizer, Check
from mizzen.kinds.admission_expressions import namespace_value, object_value, request_value
from mizzen.store.store import ObjectKey

_SERVICE_ACCOUNTS = "system:serviceaccounts"
# The operation and subresource by which rules know each operation.
OPERATIONS = {
    CREATE: ("CREATE", ""),
    UPDATE: ("UPDATE", ""),
    UPDATE_STATUS: ("UPDATE", "status"),
    UPDATE_APPROVAL: ("UPDATE", "approval"),
    UPDATE_RESIZE: ("UPDATE", "resize"),
    UPDATE_EPHEMERAL: ("UPDATE", "ephemeralcontainers"),
    UPDATE_FINALIZE: ("UPDATE", "finalize"),
    BINDING: ("CREATE", "binding"),
    EVICTION: ("CREATE", "eviction"),
    TOKEN: ("CREATE", "token"),
    SCALE: ("UPDATE", "scale"),
    DELETE: ("DELETE", ""),
    **{operation: ("CONNECT", name) for name, operation in CONNECT.items()},
}


def version_for(
    catalog: Catalog, request: AdmissionRequest, rules: Iterable[Obj], *, is_equivalent: bool
) -> str | None:
    """The version in which rules want to see the write; None where they are not about it."""
    resource = request.served.resource
    operation, subresource = OPERATIONS[request.operation]
    place = Place(
        resource.group, resource.version, resource.plural, subresource, operation,
        resource.namespaced,
    )  # fmt: skip
    others = catalog.versions((resource.group, resource.plural))
    versions = [each.resource.version for each in others]
    return matched_version(rules, place, versions, is_equivalent=is_equivalent)


def is_selected(request: AdmissionRequest, by_object: Obj | None, by_namespace: Obj | None) -> bool:
    """True if selectors choose the object, new or old, and its namespace. Errors: NotFound."""
    new = None if request.operation == DELETE else request.object
    if not selects(by_object, new, request.old):
        return False
    if not by_namespace:
        return True
    if request.served.resource == NAMESPACES:
        return selects(by_namespace, request.object)
    return not request.served.resource.namespaced or selects(by_namespace, namespace_of(request))


def namespace_of(request: AdmissionRequest) -> Obj | None:
    """The Namespace of what is written; None of what has none. Errors: NotFound."""
    name = request.key.namespace
    if not name:
        return None
    found = request.draft.get(ObjectKey(NAMESPACES.plural, "", name))
    if found is None:
        raise not_found(NAMESPACES, name)
    return found


def asked(request: AdmissionRequest, version: str) -> Obj:
    """`request` of an AdmissionReview about a write, but for its uid."""
    draft, resource = request.draft, request.served.resource
    operation, subresource = OPERATIONS[request.operation]
    said, options = None if draft.reviews is None else draft.reviews.options, request.options
    if options is None and said is not None:
        options = options_of(*said)
    new = None if request.operation == DELETE else request.object
    if new is not None and request.operation == UPDATE and request.old and "status" in request.old:
        new = {**new, "status": request.old["status"]}
    objects = (new, None if request.operation == CREATE else request.old)
    wanted = api_version(resource.group, version)
    shown = [None if o is None else draft.in_version(request.served, o, wanted) for o in objects]
    kind = next(each for each in (*shown, request.object) if each is not None)
    return review_request(
        resource, version, kind, subresource=subresource, operation=operation,
        namespace=request.key.namespace, name=request.key.name, user=draft.user, new=shown[0],
        old=shown[1], is_dry=draft.is_dry, options=options,
    )  # fmt: skip


def names_for(context: Context, request: AdmissionRequest, version: str) -> dict[str, object]:
    """The values of what expressions may name, but for `params` and `variables`."""
    body = asked(request, version)
    namespace = None if request.served.resource == NAMESPACES else namespace_of(request)
    resource, key = request.served.resource, request.key
    own = Check(
        group=resource.group, resource=resource.plural, namespace=key.namespace, name=key.name,
        subresource=OPERATIONS[request.operation][1],
    )  # fmt: skip
    return {
        "object": object_value(body.pop("object")),
        "oldObject": object_value(body.pop("oldObject")),
        "request": request_value(body),
        "namespaceObject": namespace_value(namespace),
        "authorizer": Authorizer(_allows(context, request), Check(), own),
    }


def _allows(context: Context, request: AdmissionRequest) -> Allows:
    def allows(check: Check) -> tuple[bool, str]:
        user = request.draft.user
        if check.service_account:
            name = check.service_account
            group = f"{_SERVICE_ACCOUNTS}:{name.split(':')[2]}"
            user = User(name, groups=(_SERVICE_ACCOUNTS, group, AUTHENTICATED))
        access = Access(
            user, check.verb, check.group, check.resource, check.subresource, check.namespace,
            check.name, check.path,
        )  # fmt: skip
        allowed = context.authorizer.allows(access)
        return allowed, context.authorizer.reason(access)

    return allows
