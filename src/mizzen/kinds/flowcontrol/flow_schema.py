"""FlowSchema: which priority level requests belong to.

Source: pkg/apis/flowcontrol/validation, Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import FLOW_SCHEMAS
from mizzen.kinds import causes
from mizzen.kinds.columns import AGE, NAME, NONE, of
from mizzen.kinds.kind import Column
from mizzen.kinds.names import dns_label, dns_subdomain
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import upstream_kind

_PRECEDENCE_DEFAULT, _PRECEDENCE_MAX = 1000, 10_000
_METHODS = ("ByNamespace", "ByUser")
_VERBS = (
    "connect", "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update",
    "watch",
)  # fmt: skip
_SUBJECTS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}


def _default(schema: Obj) -> None:
    spec = part(schema, "spec")
    if spec and not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = _PRECEDENCE_DEFAULT


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec, name = part(new, "spec"), new["metadata"]["name"]
    found: list[Cause] = []
    path, precedence = "spec.matchingPrecedence", int(spec.get("matchingPrecedence") or 0)
    if precedence <= 0:
        found.append(causes.invalid(path, precedence, "must be a positive value"))
    if precedence > _PRECEDENCE_MAX:
        words = f"must not be greater than {_PRECEDENCE_MAX}"
        found.append(causes.invalid(path, precedence, words))
    if precedence == 1 and name != "exempt":
        words = "only the schema named 'exempt' may have matchingPrecedence 1"
        found.append(causes.invalid(path, precedence, words))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        found.append(causes.unsupported("spec.distinguisherMethod.type", method, _METHODS))
    path, level = (
        "spec.priorityLevelConfiguration.name",
        get(new, "spec.priorityLevelConfiguration.name"),
    )
    if not level:
        found.append(causes.required(path, "must reference a priority level"))
    elif problem := dns_subdomain(level):
        found.append(causes.invalid(path, level, problem))
    for index, rule in enumerate(entries(spec, "rules")):
        found += _check_rule(rule, f"spec.rules[{index}]")
    return found


def _check_rule(rule: Obj, path: str) -> list[Cause]:
    found: list[Cause] = []
    subjects = entries(rule, "subjects")
    if not subjects:
        words = "subjects must contain at least one value"
        found.append(causes.required(f"{path}.subjects", words))
    for index, subject in enumerate(subjects):
        found += _check_subject(subject, f"{path}.subjects[{index}]")
    of_resources, of_paths = entries(rule, "resourceRules"), entries(rule, "nonResourceRules")
    if not of_resources and not of_paths:
        words = "at least one of resourceRules and nonResourceRules has to be non-empty"
        found.append(causes.required(path, words))
    for index, each in enumerate(of_resources):
        found += _check_resource_rule(each, f"{path}.resourceRules[{index}]")
    for index, each in enumerate(of_paths):
        at = f"{path}.nonResourceRules[{index}]"
        found += _check_verbs(each, at)
        found += _check_list(
            each, at, "nonResourceURLs", "nonResourceURLs must contain at least one value",
            "non-resource URLs",
        )  # fmt: skip
    return found


def _check_subject(subject: Obj, path: str) -> list[Cause]:
    kind = subject.get("kind") or ""
    if kind not in _SUBJECTS:
        return [causes.unsupported(f"{path}.kind", kind, sorted(_SUBJECTS))]
    found: list[Cause] = []
    for other, name in _SUBJECTS.items():
        at, value = f"{path}.{name}", subject.get(name)
        if other != kind:
            if value is not None:
                words = f"{name} is forbidden when subject kind is not '{other}'"
                found.append(causes.forbidden(at, words))
        elif value is None:
            found.append(causes.required(at, f"{name} is required when subject kind is '{kind}'"))
        else:
            if not value.get("name"):
                found.append(causes.required(f"{at}.name"))
            if kind == "ServiceAccount" and not value.get("namespace"):
                words = "must specify namespace for service account"
                found.append(causes.required(f"{at}.namespace", words))
    return found


def _check_resource_rule(rule: Obj, path: str) -> list[Cause]:
    found = _check_verbs(rule, path)
    words = "resource rules must supply at least one api group"
    found += _check_list(rule, path, "apiGroups", words, "api groups")
    words = "resource rules must supply at least one resource"
    found += _check_list(rule, path, "resources", words, "resources")
    namespaces = entries(rule, "namespaces")
    if not namespaces and not rule.get("clusterScope"):
        words = "resource rules that are not cluster scoped must supply at least one namespace"
        return [*found, causes.required(f"{path}.namespaces", words)]
    if "*" in namespaces:
        return found + _check_list(rule, path, "namespaces", "", "namespaces")
    for index, namespace in enumerate(namespaces):
        problem = dns_label(namespace)
        if problem:
            words = f"each member of this list must be '*' or a DNS-1123 label; {problem}"
            found.append(causes.invalid(f"{path}.namespaces[{index}]", namespace, words))
    return found


def _check_verbs(rule: Obj, path: str) -> list[Cause]:
    verbs = entries(rule, "verbs")
    found = _check_list(rule, path, "verbs", "verbs must contain at least one value", "verbs")
    if verbs and "*" not in verbs and not set(verbs) <= set(_VERBS):
        found.append(causes.unsupported(f"{path}.verbs", verbs, _VERBS))
    return found


def _check_list(rule: Obj, path: str, name: str, missing: str, what: str) -> list[Cause]:
    values: list[Any] = entries(rule, name)
    if not values:
        return [causes.required(f"{path}.{name}", missing)]
    if "*" in values and len(values) > 1:
        words = f"if '*' is present, must not specify other {what}"
        return [causes.invalid(f"{path}.{name}", values, words)]
    return []


def _missing(schema: Obj, now_ns: int) -> str:
    conditions = entries(part(schema, "status"), "conditions")
    return next((each["status"] for each in conditions if each.get("type") == "Dangling"), "?")


KIND = upstream_kind(
    FLOW_SCHEMAS,
    "Which priority level requests belong to.",
    default=_default,
    validate=_validate,
    columns=(
        NAME,
        Column("PriorityLevel", of("spec.priorityLevelConfiguration.name")),
        Column("MatchingPrecedence", of("spec.matchingPrecedence")),
        Column("DistinguisherMethod", of("spec.distinguisherMethod.type", NONE)),
        AGE,
        Column("MissingPL", _missing),
    ),
)

_READ = "apiserver kinds"
SERVED_FIELDS = {
    "flowcontrol.v1.FlowSchema": acted("apiserver", "spec"),
    "flowcontrol.v1.FlowSchemaSpec": acted(
        _READ, "distinguisherMethod matchingPrecedence priorityLevelConfiguration rules"
    ),
    "flowcontrol.v1.FlowDistinguisherMethod": acted(_READ, "type"),
    "flowcontrol.v1.PriorityLevelConfigurationReference": acted(_READ, "name"),
    "flowcontrol.v1.PolicyRulesWithSubjects": acted(
        _READ, "subjects resourceRules nonResourceRules"
    ),
    "flowcontrol.v1.Subject": acted(_READ, "kind user group serviceAccount"),
    "flowcontrol.v1.UserSubject": acted(_READ, "name"),
    "flowcontrol.v1.GroupSubject": acted(_READ, "name"),
    "flowcontrol.v1.ServiceAccountSubject": acted(_READ, "name namespace"),
    "flowcontrol.v1.ResourcePolicyRule": acted(
        _READ, "verbs apiGroups resources clusterScope namespaces"
    ),
    "flowcontrol.v1.NonResourcePolicyRule": acted(_READ, "verbs nonResourceURLs"),
}
