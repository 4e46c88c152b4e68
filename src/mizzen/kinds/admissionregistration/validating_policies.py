"""ValidatingAdmissionPolicy and its bindings: expressions that writes must satisfy.

Source: pkg/apis/admissionregistration/validation/validation.go, v1/defaults.go, Kubernetes 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds import causes as words
from mizzen.kinds.admission_expressions import Scope
from mizzen.kinds.admissionregistration.matching import check_expression, check_size
from mizzen.kinds.admissionregistration.policies import (
    check_binding,
    check_constraints,
    check_expressions,
    default_binding,
    default_policy,
    param_kind,
    param_ref,
)
from mizzen.kinds.columns import AGE, NAME, NONE, Column, keys
from mizzen.kinds.names import qualified_name
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

ANNOTATIONS_MAX = 20
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_ACTIONS = ("Audit", "Deny", "Warn")


def _validate_policy(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    expressions = [
        each.get(name) or ""
        for field, names in (
            ("validations", ("expression", "messageExpression")),
            ("auditAnnotations", ("valueExpression",)),
            ("matchConditions", ("expression",)),
            ("variables", ("expression",)),
        )
        for each in entries(spec, field)
        for name in names
    ]
    causes = check_size(expressions, "spec")
    return causes or list(_check_policy(new, spec))


def _check_policy(new: Obj, spec: Obj) -> Iterator[Cause]:
    scope = Scope(has_params="paramKind" in spec)
    yield from check_constraints(spec)
    yield from check_expressions(spec, scope)
    validations, annotations = entries(spec, "validations"), entries(spec, "auditAnnotations")
    if not validations and not annotations:
        what = "validations or auditAnnotations must contain at least one item"
        yield words.required("spec.validations", what)
        yield words.required("spec.auditAnnotations", what)
    for index, each in enumerate(validations):
        yield from _check_validation(each, f"spec.validations[{index}]", scope)
    if len(annotations) > ANNOTATIONS_MAX:
        what = f"must not have more than {ANNOTATIONS_MAX} auditAnnotations"
        yield words.invalid("spec.auditAnnotations", annotations, what)
    seen: set[str] = set()
    for index, each in enumerate(annotations):
        path, key = f"spec.auditAnnotations[{index}]", each["key"]
        problem = qualified_name(f"{new['metadata'].get('name') or ''}/{key}")
        if problem:
            yield words.invalid(f"{path}.key", key, problem)
        if not each["valueExpression"].strip():
            yield words.required(f"{path}.valueExpression", "valueExpression is not specified")
        else:
            at = f"{path}.valueExpression"
            yield from check_expression(scope, each["valueExpression"], at, "string", "null")
        if key in seen:
            yield words.duplicate(f"{path}.key", key)
        seen.add(key)


def _check_validation(validation: Obj, path: str, scope: Scope) -> Iterator[Cause]:
    expression = validation["expression"]
    if not expression.strip():
        yield words.required(f"{path}.expression", "expression is not specified")
    else:
        yield from check_expression(scope, expression, f"{path}.expression", "bool")
    made: str = validation.get("messageExpression") or ""
    if made and not made.strip():
        what = "must be non-empty if specified"
        yield words.invalid(f"{path}.messageExpression", made, what)
    elif made:
        yield from check_expression(
            scope, made, f"{path}.messageExpression", "string", has_authorizer=False
        )
    message: str = validation.get("message") or ""
    if message and not message.strip():
        yield words.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif re.search(r"[\n\r]", message.strip()):
        yield words.invalid(f"{path}.message", message, "must not contain line breaks")
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        yield words.unsupported(f"{path}.reason", reason, _REASONS)


def _validate_binding(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    causes = list(check_binding(spec))
    actions = spec.get("validationActions") or list[str]()
    path = "spec.validationActions"
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            causes.append(words.unsupported(f"{path}[{index}]", action, _ACTIONS))
        if action in actions[:index]:
            causes.append(words.duplicate(f"{path}[{index}]", action))
    if {"Deny", "Warn"} <= set(actions):
        what = (
            "must not contain both Deny and Warn (repeating the same validation failure "
            "information in the API response and headers serves no purpose)"
        )
        causes.append(words.invalid(path, actions, what))
    if not actions:
        causes.append(words.required(path, "at least one validation action is required"))
    return causes


_GROUP = "admissionregistration.k8s.io"
POLICIES = Resource(
    _GROUP, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
BINDINGS = Resource(
    _GROUP, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)  # fmt: skip
KINDS = (
    upstream_kind(
        POLICIES,
        "Expressions that writes must satisfy.",
        default=default_policy,
        validate=_validate_policy,
        columns=(
            NAME,
            Column("Validations", keys("spec.validations"), type="integer"),
            Column("ParamKind", param_kind),
            AGE,
        ),
    ),
    upstream_kind(
        BINDINGS,
        "Where a policy counts, with which parameters, and what follows.",
        default=default_binding,
        validate=_validate_binding,
        columns=(
            NAME,
            Column("PolicyName", lambda b, now: part(b, "spec").get("policyName") or NONE),
            Column("ParamRef", param_ref),
            AGE,
        ),
    ),
)

_AR = "admissionregistration.v1"
SERVED_FIELDS = {
    f"{_AR}.ValidatingAdmissionPolicy": holding("spec"),
    f"{_AR}.ValidatingAdmissionPolicySpec": acted(
        "apiserver",
        "paramKind matchConstraints validations failurePolicy auditAnnotations matchConditions "
        "variables",
    ),
    f"{_AR}.ParamKind": acted("apiserver", "apiVersion kind"),
    f"{_AR}.Validation": acted("apiserver", "expression message reason messageExpression"),
    f"{_AR}.AuditAnnotation": acted("apiserver", "key valueExpression"),
    f"{_AR}.Variable": acted("apiserver", "name expression"),
    f"{_AR}.ValidatingAdmissionPolicyBinding": holding("spec"),
    f"{_AR}.ValidatingAdmissionPolicyBindingSpec": acted(
        "apiserver", "policyName paramRef matchResources validationActions"
    ),
    f"{_AR}.ParamRef": acted("apiserver", "name namespace selector parameterNotFoundAction"),
}
