"""RoleBinding and ClusterRoleBinding: who may do what a role says.

Source: pkg/apis/rbac/validation and v1/defaults.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS
from mizzen.kinds import causes
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Column
from mizzen.kinds.names import dns_subdomain, path_segment
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import upstream_kind

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("ServiceAccount", "User", "Group")


def _default(binding: Obj) -> None:
    role = part(binding, "roleRef")
    if role and not role.get("apiGroup"):
        role["apiGroup"] = _GROUP
    for subject in entries(binding, "subjects"):
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = _GROUP


def check_subject(subject: Obj, path: str, *, namespaced: bool) -> list[Cause]:
    """Every cause to refuse a subject."""
    found: list[Cause] = []
    name, kind, group = (subject.get(each) or "" for each in ("name", "kind", "apiGroup"))
    if not name:
        found.append(causes.required(f"{path}.name"))
    if kind == "ServiceAccount":
        problem = dns_subdomain(name) if name else ""
        if problem:
            found.append(causes.invalid(f"{path}.name", name, problem))
        if group:
            found.append(causes.unsupported(f"{path}.apiGroup", group, [""]))
        if not namespaced and not subject.get("namespace"):
            found.append(causes.required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        if group != _GROUP:
            found.append(causes.unsupported(f"{path}.apiGroup", group, [_GROUP]))
    else:
        found.append(causes.unsupported(f"{path}.kind", kind, _SUBJECTS))
    return found


def _validate(*, namespaced: bool) -> Callable[[Obj, Obj | None], list[Cause]]:
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)

    def validate(new: Obj, old: Obj | None) -> list[Cause]:
        found: list[Cause] = []
        role = part(new, "roleRef")
        group, kind, name = (role.get(each) or "" for each in ("apiGroup", "kind", "name"))
        if group != _GROUP:
            found.append(causes.unsupported("roleRef.apiGroup", group, [_GROUP]))
        if kind not in kinds:
            found.append(causes.unsupported("roleRef.kind", kind, kinds))
        if not name:
            found.append(causes.required("roleRef.name"))
        elif problem := path_segment(name):
            found.append(causes.invalid("roleRef.name", name, problem))
        for index, subject in enumerate(entries(new, "subjects")):
            found += check_subject(subject, f"subjects[{index}]", namespaced=namespaced)
        if old is not None and part(old, "roleRef") != role:
            found.append(causes.invalid("roleRef", role, "cannot change roleRef"))
        return found

    return validate


def _role(binding: Obj, now_ns: int) -> str:
    role = part(binding, "roleRef")
    return f"{role.get('kind')}/{role.get('name')}"


def _subjects(kind: str) -> Callable[[Obj, int], str]:
    def cell(binding: Obj, now_ns: int) -> str:
        found = [each for each in entries(binding, "subjects") if each.get("kind") == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{each.get('namespace') or ''}/{each['name']}" for each in found)
        return ", ".join(each["name"] for each in found)

    return cell


_COLUMNS = (
    NAME,
    Column("Role", _role),
    AGE,
    Column("Users", _subjects("User"), priority=1),
    Column("Groups", _subjects("Group"), priority=1),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)

KINDS = (
    upstream_kind(
        ROLE_BINDINGS, "Who may do what a role says, in a namespace.",
        validate=_validate(namespaced=True), default=_default, columns=_COLUMNS,
    ),
    upstream_kind(
        CLUSTER_ROLE_BINDINGS, "Who may do what a role says, everywhere.",
        validate=_validate(namespaced=False), default=_default, columns=_COLUMNS,
    ),
)  # fmt: skip

SERVED_FIELDS = {
    "rbac.v1.RoleBinding": acted("apiserver", "roleRef subjects"),
    "rbac.v1.ClusterRoleBinding": acted("apiserver", "roleRef subjects"),
    "rbac.v1.RoleRef": acted("apiserver kinds", "apiGroup kind name"),
    "rbac.v1.Subject": acted("apiserver kinds", "apiGroup kind name namespace"),
}
