"""Nobody gives away by roles or bindings what he may not do himself.

Unless he may `escalate` the role, `bind` the role that is bound, or is a master.
Source: pkg/registry/rbac (escalation_check.go and policybased), Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.apiserver.admission_chain import (
    ACCOUNTING,
    CREATE,
    UPDATE,
    AdmissionRequest,
    Plugin,
    Step,
)
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
from mizzen.base.errors import Unclassified
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.store.store import ObjectKey

_METADATA_OF_COLLECTORS = ("ownerReferences", "finalizers", "managedFields")
_PLURALS = {"Role": "roles", "ClusterRole": "clusterroles"}
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
        reference = part(request.object, "roleRef")  # not validated yet
        kind, name = reference.get("kind") or "", reference.get("name") or ""
        plural = _PLURALS.get(kind)
        if plural is None:
            raise Unclassified(f"unsupported role reference kind: {quoted(kind)}")
        group = reference.get("apiGroup") or ""
        if self._authorizer.allows(Access(user, "bind", group, plural, "", key.namespace, name)):
            return
        namespace = key.namespace if kind == "Role" else ""
        role = request.draft.get(ObjectKey(f"{plural}.{GROUP}", namespace, name))
        if role is None:
            raise refusals.not_found(request.served.resource, name)  # of the binding, as upstream
        self._check_rules(request, rules_of(role))

    def _check_rules(self, request: AdmissionRequest, rules: Sequence[PolicyRule]) -> None:
        lacking = self._lacks(request, rules)
        if not lacking:
            return
        user = request.draft.user
        _, missing = self._authorizer.rules(user, request.key.namespace)
        errors = [_in_plural(each) for each in missing]
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


def _in_plural(missing: str) -> str:
    """A role that is missing in the words of the store, which says its resource; those who decide
    by caches say one of it."""
    what, dot, rest = missing.partition(".")
    return f"{what}s{dot}{rest}" if what in ("role", "clusterrole") else missing


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
        _last(operations, roles, check.check_role),
        _last(operations, bindings, check.check_binding),
    )


def _last(operations: frozenset[str], kinds: tuple[str, str], check: Step) -> Plugin:
    """Once nobody changes the object any longer, and before it is validated, as upstream's storage,
    which stands between the two."""
    return Plugin(operations, lambda served: served.key in kinds, mutate=check, stage=ACCOUNTING)


PLUGIN = rbac_escalation
