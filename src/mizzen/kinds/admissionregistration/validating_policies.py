"""ValidatingAdmissionPolicy and its bindings: expressions that writes must satisfy.

Source: pkg/apis/admissionregistration/validation/validation.go, v1/defaults.go, Kubernetes 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.cel.lexer import RESERVED
from mizzen.cel.tree import CompileError
from mizzen.kinds import causes as words
from mizzen.kinds.admission_expressions import Scope
from mizzen.kinds.admissionregistration.matching import (
    FAILURES,
    check_choice,
    check_conditions,
    check_expression,
    check_match_resources,
    check_size,
    default_matching,
)
from mizzen.kinds.columns import AGE, NAME, NONE, Column, keys
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.names import dns_subdomain, qualified_name
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

ANNOTATIONS_MAX = 20
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_ACTIONS = ("Audit", "Deny", "Warn")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")


def _default_policy(policy: Obj) -> None:
    spec = part(policy, "spec")
    spec.setdefault("failurePolicy", "Fail")
    if "matchConstraints" in spec:
        default_matching(part(spec, "matchConstraints"))


def _default_binding(binding: Obj) -> None:
    spec = part(binding, "spec")
    if "matchResources" in spec:
        default_matching(part(spec, "matchResources"))


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
    has_params = "paramKind" in spec
    yield from check_choice(spec, "failurePolicy", FAILURES, "spec")
    if has_params:
        for name in ("apiVersion", "kind"):
            if not part(spec, "paramKind").get(name):
                yield words.required(f"spec.paramKind.{name}")
    constraints = part(spec, "matchConstraints")
    if "matchConstraints" not in spec:
        yield words.required("spec.matchConstraints")
    else:
        yield from check_match_resources(constraints, "spec.matchConstraints")
        if not entries(constraints, "resourceRules"):
            yield words.required("spec.matchConstraints.resourceRules")
    conditions = Scope(has_params=has_params, has_variables=False)
    yield from check_conditions(
        entries(spec, "matchConditions"), "spec.matchConditions", conditions
    )
    scope = Scope(has_params=has_params)
    yield from _check_variables(spec, scope)
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


def _check_variables(spec: Obj, scope: Scope) -> Iterator[Cause]:
    """Those that compile are names of the scope for what follows."""
    for index, each in enumerate(entries(spec, "variables")):
        path, name, expression = f"spec.variables[{index}]", each["name"], each["expression"]
        if not name.strip():
            yield words.required(f"{path}.name", "name is not specified")
        elif not _IDENTIFIER.fullmatch(name) or name in RESERVED:
            yield words.invalid(f"{path}.name", name, "must be a valid CEL identifier")
        if not expression.strip():
            yield words.required(f"{path}.expression", "expression is not specified")
            continue
        try:
            scope.variables[name] = scope.compile(expression).type
        except CompileError as error:
            what = f"compilation failed: {error}"
            yield words.invalid(f"{path}.expression", expression, what)


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
    causes: list[Cause] = []
    name, actions = spec.get("policyName") or "", spec.get("validationActions") or list[str]()
    if not name:
        causes.append(words.required("spec.policyName"))
    elif problem := dns_subdomain(name):
        causes.append(words.invalid("spec.policyName", name, problem))
    if "paramRef" in spec:
        causes += _check_reference(part(spec, "paramRef"), "spec.paramRef")
    if "matchResources" in spec:
        causes += check_match_resources(part(spec, "matchResources"), "spec.matchResources")
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


def _check_reference(reference: Obj, path: str) -> Iterator[Cause]:
    name, selector = reference.get("name"), reference.get("selector")
    if name and selector is not None:
        for each in ("name", "selector"):
            yield words.forbidden(f"{path}.{each}", "name and selector are mutually exclusive")
    if selector is not None:
        yield from check_label_selector(part(reference, "selector"), f"{path}.selector")
    if not name and selector is None:
        yield words.required(path, "one of name or selector must be specified")
    action = reference.get("parameterNotFoundAction")
    if not action:
        yield words.required(f"{path}.parameterNotFoundAction")
    elif action not in ("Deny", "Allow"):
        yield words.unsupported(f"{path}.parameterNotFoundAction", action, ("Deny", "Allow"))


def _param_kind(policy: Obj, now_ns: int) -> str:
    found = part(policy, "spec.paramKind")
    return f"{found.get('apiVersion')}/{found.get('kind')}" if found else "<unset>"


def _param_ref(binding: Obj, now_ns: int) -> str:
    found = part(binding, "spec.paramRef")
    if not found:
        return "<unset>"
    namespace, name = found.get("namespace"), found.get("name") or "*"
    return f"{namespace}/{name}" if namespace else str(name)


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
        default=_default_policy,
        validate=_validate_policy,
        columns=(
            NAME,
            Column("Validations", keys("spec.validations"), type="integer"),
            Column("ParamKind", _param_kind),
            AGE,
        ),
    ),
    upstream_kind(
        BINDINGS,
        "Where a policy counts, with which parameters, and what follows.",
        default=_default_binding,
        validate=_validate_binding,
        columns=(
            NAME,
            Column("PolicyName", lambda b, now: part(b, "spec").get("policyName") or NONE),
            Column("ParamRef", _param_ref),
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
