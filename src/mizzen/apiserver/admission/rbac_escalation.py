"""Nobody gives away by roles or bindings what he may not do himself.

Unless he may `escalate` the role, `bind` the role that is bound, or is a master.
Source: pkg/registry/rbac (escalation_check.go and policybased), Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.apiserver.admission_chain import CREATE, UPDATE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.apiserver.core.policy_rules import (
    FULL_AUTHORITY,
    PolicyRule,
    compacted,
    described,
    listed,
    quoted,
    rules_of,
    uncovered,
)
from mizzen.apiserver.core.rbac_index import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    ROLE_BINDINGS,
    ROLES,
)
from mizzen.apiserver.core.role_aggregation import is_aggregated
from mizzen.apiserver.core.user import MASTERS
from mizzen.base.objects import Obj
from mizzen.store.store import ObjectKey

_METADATA_OF_COLLECTORS = ("ownerReferences", "finalizers", "managedFields")
_AGGREGATION = "must have cluster-admin privileges to use the aggregationRule"


class Escalation:
    """The check, by one authorizer."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def _authorizer(self) -> Authorizer:
        return self._context.authorizer

    def check_role(self, request: AdmissionRequest) -> None:
        """Errors: Forbidden."""
        user, key = request.draft.user, request.key
        if MASTERS in user.groups or _only_collected(request):
            return
        plural = key.resource.partition(".")[0]
        # As the request names it: a create has no name yet.
        name = key.name if request.old is not None else ""
        access = Access(user, "escalate", GROUP, plural, "", key.namespace, name)
        if self._authorizer.allows(access):
            return
        self._check_rules(request, rules_of(request.object))
        roles = (request.object, request.old or {})
        if any(is_aggregated(role) for role in roles) and self._lacks(request, FULL_AUTHORITY):
            raise refusals.forbidden(request.served.resource, key.name, _AGGREGATION)

    def check_binding(self, request: AdmissionRequest) -> None:
        """Errors: Forbidden; NotFound where the role is not there."""
        user, key = request.draft.user, request.key
        if MASTERS in user.groups or _only_collected(request):
            return
        reference = request.object["roleRef"]
        is_role = reference["kind"] == "Role"
        plural, name = "roles" if is_role else "clusterroles", reference["name"]
        if self._authorizer.allows(Access(user, "bind", GROUP, plural, "", key.namespace, name)):
            return
        namespace = key.namespace if is_role else ""
        role = request.draft.get(ObjectKey(f"{plural}.{GROUP}", namespace, name))
        if role is None:
            raise refusals.not_found(request.served.resource, name)  # of the binding, as upstream
        self._check_rules(request, rules_of(role))

    def _check_rules(self, request: AdmissionRequest, rules: Sequence[PolicyRule]) -> None:
        lacking = self._lacks(request, rules)
        if not lacking:
            return
        user = request.draft.user
        _, errors = self._authorizer.rules(user, request.key.namespace)
        message = (
            f"user {quoted(user.name)} (groups={listed(user.groups)}) is attempting to grant RBAC "
            "permissions not currently held:\n"
        ) + "\n".join(sorted({described(rule) for rule in compacted(lacking)}))
        if errors:
            message += f"; resolution errors: [{', '.join(errors)}]"
        raise refusals.forbidden(request.served.resource, request.key.name, message)

    def _lacks(self, request: AdmissionRequest, rules: Sequence[PolicyRule]) -> list[PolicyRule]:
        owned, _ = self._authorizer.rules(request.draft.user, request.key.namespace)
        return uncovered(owned, rules)


def _only_collected(request: AdmissionRequest) -> bool:
    """True if nothing changes but what garbage collectors change."""
    if request.old is None:
        return False
    return _without(request.object) == _without(request.old)


def _without(obj: Obj) -> Obj:
    kept = {k: v for k, v in obj["metadata"].items() if k not in _METADATA_OF_COLLECTORS}
    return {**obj, "metadata": kept}


def rbac_escalation(context: Context) -> tuple[Plugin, Plugin]:
    check = Escalation(context)
    operations = frozenset((CREATE, UPDATE))
    roles, bindings = (ROLES, CLUSTER_ROLES), (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)
    return (
        Plugin(operations, lambda served: served.key in roles, admit=check.check_role),
        Plugin(operations, lambda served: served.key in bindings, admit=check.check_binding),
    )


PLUGIN = rbac_escalation
