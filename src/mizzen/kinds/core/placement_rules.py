"""Checks of where pods ask to go: node selectors, affinity, spreading, tolerations.

Source: pkg/apis/core/validation/validation.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base.errors import Cause
from mizzen.base.label_syntax import key_problems, value_problems
from mizzen.base.objects import Obj
from mizzen.base.selectors import int64
from mizzen.kinds.causes import invalid, unsupported
from mizzen.kinds.names import (
    NameRule,
    dns_label,
    dns_subdomain,
    invalid_value,
    label_value,
)
from mizzen.kinds.reading import entries, part

# Of all that a pod says of the pods near it. Each is held against every pod that runs, and against
# every one that comes or goes while the pod waits.
NEIGHBOUR_CONDITIONS_MAX = 1_000

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def check_placement(spec: Obj, path: str) -> list[Cause]:
    """Causes to refuse the placement fields of a PodSpec."""
    causes = check_tolerations(entries(spec, "tolerations"), f"{path}.tolerations")
    affinity = part(spec, "affinity")
    at = f"{path}.affinity"
    if affinity:
        causes += _check_node_affinity(part(affinity, "nodeAffinity"), f"{at}.nodeAffinity")
        for kind in ("podAffinity", "podAntiAffinity"):
            causes += _check_pod_affinity(part(affinity, kind), f"{at}.{kind}")
    spread = entries(spec, "topologySpreadConstraints")
    if not affinity and not spread:
        return causes
    count = sum(map(_conditions_in, [*_pod_terms(affinity), *spread]))
    if count > NEIGHBOUR_CONDITIONS_MAX:
        message = (
            f"Too many: {count}: pod affinity, pod anti-affinity and topology spread must have at "
            f"most {NEIGHBOUR_CONDITIONS_MAX} terms and conditions together"
        )
        return [*causes, Cause(at, message, "FieldValueTooMany")]
    return causes + _check_spread(spread, f"{path}.topologySpreadConstraints")


def _pod_terms(affinity: Obj) -> Iterator[Obj]:
    for kind in ("podAffinity", "podAntiAffinity"):
        yield from entries(affinity, f"{kind}.{_REQUIRED}")
        for preferred in entries(affinity, f"{kind}.{_PREFERRED}"):
            yield part(preferred, "podAffinityTerm")


def _conditions_in(term: Obj) -> int:
    """A term or constraint, and what it asks of labels and namespaces."""
    count = 1 + sum(
        len(entries(term, name)) for name in ("namespaces", "matchLabelKeys", "mismatchLabelKeys")
    )
    for name in ("labelSelector", "namespaceSelector"):
        selector = part(term, name)
        count += len(part(selector, "matchLabels")) + len(entries(selector, "matchExpressions"))
    return count


# -- nodes --------------------------------------------------------------------------


def check_node_selector(selector: Obj, path: str) -> list[Cause]:
    """Terms must be there, and each condition must suit its operator."""
    terms: list[Obj] = entries(selector, "nodeSelectorTerms")
    at = f"{path}.nodeSelectorTerms"
    causes = [] if terms else [_required(at, "must have at least one node selector term")]
    for index, term in enumerate(terms):
        causes += _check_term(term, f"{at}[{index}]")
    return causes


def _check_node_affinity(affinity: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if _REQUIRED in affinity:
        causes += check_node_selector(affinity[_REQUIRED], f"{path}.{_REQUIRED}")
    for index, preferred in enumerate(entries(affinity, _PREFERRED)):
        term = part(preferred, "preference")
        causes += _check_term(term, f"{path}.{_PREFERRED}[{index}].preference")
    return causes


def _check_term(term: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for place, condition in enumerate(entries(term, "matchExpressions")):
        causes += _check_expression(condition, f"{path}.matchExpressions[{place}]")
    for place, condition in enumerate(entries(term, "matchFields")):
        causes += _check_field(condition, f"{path}.matchFields[{place}]")
    return causes


def _check_expression(condition: Obj, path: str) -> list[Cause]:
    operator = condition.get("operator")
    values: list[str] = entries(condition, "values")
    at = f"{path}.values"
    causes: list[Cause] = []
    if operator in ("In", "NotIn") and not values:
        causes.append(_required(at, "must be specified when `operator` is 'In' or 'NotIn'"))
    if operator in ("Exists", "DoesNotExist") and values:
        message = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        causes.append(_forbidden(at, message))
    if operator in ("Gt", "Lt"):
        if len(values) != 1:
            message = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            causes.append(_required(at, message))
        elif int64(values[0]) is None:
            message = "must be an integer when `operator` is 'Lt' or 'Gt'"
            causes.append(invalid_value(f"{at}[0]", values[0], message))
    else:
        for index, value in enumerate(values):
            causes += _check_value(value, f"{at}[{index}]")
    return causes + _check_key(condition.get("key") or "", f"{path}.key")


def _check_field(condition: Obj, path: str) -> list[Cause]:
    operator, key = condition.get("operator"), condition.get("key") or ""
    values: list[str] = entries(condition, "values")
    causes: list[Cause] = []
    if operator not in ("In", "NotIn"):
        causes.append(
            invalid_value(f"{path}.operator", str(operator), "not a valid selector operator")
        )
    elif len(values) != 1:
        message = (
            "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        )
        causes.append(_required(f"{path}.values", message))
    if key != "metadata.name":
        return [*causes, invalid_value(f"{path}.key", key, "not a valid field selector key")]
    for index, value in enumerate(values):
        causes += _check_name(value, f"{path}.values[{index}]", dns_subdomain)
    return causes


# -- pods ---------------------------------------------------------------------------


def _check_pod_affinity(affinity: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, term in enumerate(entries(affinity, _REQUIRED)):
        causes += _check_pod_term(term, f"{path}.{_REQUIRED}[{index}]")
    for index, preferred in enumerate(entries(affinity, _PREFERRED)):
        term = part(preferred, "podAffinityTerm")
        causes += _check_pod_term(term, f"{path}.{_PREFERRED}[{index}].podAffinityTerm")
    return causes


def _check_pod_term(term: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("labelSelector", "namespaceSelector"):
        causes += check_label_selector(part(term, field), f"{path}.{field}")
    for index, namespace in enumerate(entries(term, "namespaces")):
        causes += _check_name(namespace, f"{path}.namespaces[{index}]", dns_label)
    causes += _check_topology_key(term, path)
    causes += _check_label_keys(term, path, "matchLabelKeys")
    causes += _check_label_keys(term, path, "mismatchLabelKeys")
    both = set(entries(term, "matchLabelKeys")) & set(entries(term, "mismatchLabelKeys"))
    for key in sorted(both):
        message = "exists in both matchLabelKeys and mismatchLabelKeys"
        causes.append(invalid_value(f"{path}.matchLabelKeys", key, message))
    return causes


def check_label_selector(selector: Obj, path: str) -> list[Cause]:
    """Causes to refuse a LabelSelector."""
    causes: list[Cause] = []
    for key, value in part(selector, "matchLabels").items():
        causes += _check_key(key, f"{path}.matchLabels")
        causes += _check_value(value, f"{path}.matchLabels")
    for index, condition in enumerate(entries(selector, "matchExpressions")):
        at = f"{path}.matchExpressions[{index}]"
        values: list[str] = entries(condition, "values")
        operator = condition.get("operator") or ""
        if operator in ("In", "NotIn"):
            if not values:
                message = "must be specified when `operator` is 'In' or 'NotIn'"
                causes.append(_required(f"{at}.values", message))
        elif operator not in ("Exists", "DoesNotExist"):
            message = "not a valid selector operator"
            causes.append(invalid_value(f"{at}.operator", operator, message))
        elif values:
            message = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(_forbidden(f"{at}.values", message))
        causes += _check_key(condition.get("key") or "", f"{at}.key")
        for place, value in enumerate(values):
            causes += _check_value(value, f"{at}.values[{place}]")
    return causes


def _check_label_keys(term: Obj, path: str, field: str) -> list[Cause]:
    keys: list[str] = entries(term, field)
    if not keys:
        return []
    at = f"{path}.{field}"
    if "labelSelector" not in term:
        return [_forbidden(at, "must not be specified when labelSelector is not set")]
    selector = part(term, "labelSelector")
    named = {c.get("key") for c in entries(selector, "matchExpressions")}
    named |= part(selector, "matchLabels").keys()
    causes: list[Cause] = []
    for index, key in enumerate(keys):
        causes += _check_key(key, f"{at}[{index}]")
        if key in named:
            causes.append(
                invalid_value(f"{at}[{index}]", key, "exists in both it and labelSelector")
            )
    return causes


# -- spreading ----------------------------------------------------------------------


_WHEN = ("DoNotSchedule", "ScheduleAnyway")


def _check_spread(constraints: list[Obj], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        if constraint["maxSkew"] <= 0:
            skew = constraint["maxSkew"]
            causes.append(invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
        causes += _check_topology_key(constraint, at)
        causes += check_label_selector(part(constraint, "labelSelector"), f"{at}.labelSelector")
        causes += _check_label_keys(constraint, at, "matchLabelKeys")
        when = constraint["whenUnsatisfiable"]
        if when not in _WHEN:
            causes.append(unsupported(f"{at}.whenUnsatisfiable", when, _WHEN))
        if "minDomains" in constraint and when != "DoNotSchedule":
            message = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " + when
            shown = f"Invalid value: {constraint['minDomains']}: {message}"
            causes.append(Cause(f"{at}.minDomains", shown))
        mark = (constraint["topologyKey"], when)
        if mark in seen:
            message = f'Duplicate value: "{{{mark[0]}, {mark[1]}}}"'
            causes.append(
                Cause(f"{at}.{{topologyKey, whenUnsatisfiable}}", message, "FieldValueDuplicate")
            )
        seen.add(mark)
    return causes


def _check_topology_key(owner: Obj, path: str) -> list[Cause]:
    key = owner["topologyKey"]
    at = f"{path}.topologyKey"
    return _check_key(key, at) if key else [_required(at, "can not be empty")]


# -- tolerations --------------------------------------------------------------------


def check_tolerations(tolerations: list[Obj], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, toleration in enumerate(tolerations):
        at = f"{path}[{index}]"
        operator = toleration.get("operator") or "Equal"
        key, value = toleration.get("key") or "", toleration.get("value") or ""
        if key:
            causes += _check_key(key, f"{at}.key")
        if operator in ("Gt", "Lt"):
            message = f'Unsupported value: "{operator}": supported values: "Equal", "Exists"'
            causes.append(Cause(f"{at}.operator", message, "FieldValueNotSupported"))
        if not key and operator != "Exists":
            message = (
                f'Invalid value: "{operator}": operator must be Exists when `key` is empty, which '
                'means "match all values and all keys"'
            )
            causes.append(Cause(f"{at}.operator", message))
        if operator == "Exists" and value:
            message = "value must be empty when `operator` is 'Exists'"
            causes.append(invalid_value(f"{at}.operator", value, message))
        elif operator == "Equal" and label_value(value):
            causes.append(invalid_value(f"{at}.operator", value, label_value(value)))
        if "tolerationSeconds" in toleration and toleration.get("effect") != "NoExecute":
            message = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            causes.append(invalid_value(f"{at}.effect", toleration.get("effect") or "", message))
    return causes


# -- words --------------------------------------------------------------------------


def _check_key(key: str, path: str) -> list[Cause]:
    return [invalid_value(path, key, each) for each in key_problems(key)]


def _check_value(value: str, path: str) -> list[Cause]:
    return [invalid_value(path, value, each) for each in value_problems(value)]


def _check_name(name: str, path: str, rule: NameRule) -> list[Cause]:
    problem = rule(name)
    return [invalid_value(path, name, problem)] if problem else []


def _required(path: str, message: str) -> Cause:
    return Cause(path, f"Required value: {message}", "FieldValueRequired")


def _forbidden(path: str, message: str) -> Cause:
    return Cause(path, f"Forbidden: {message}", "FieldValueForbidden")
