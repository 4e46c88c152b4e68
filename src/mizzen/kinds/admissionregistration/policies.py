"""Rules that policies of admission share, validating and mutating ones, and their bindings.

Source: pkg/apis/admissionregistration/validation/validation.go, v1/defaults.go, Kubernetes 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.cel.lexer import RESERVED
from mizzen.cel.tree import CompileError
from mizzen.kinds import causes as words
from mizzen.kinds.admission_expressions import Scope
from mizzen.kinds.admissionregistration.matching import (
    FAILURES,
    check_choice,
    check_conditions,
    check_match_resources,
    default_matching,
)
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.names import dns_subdomain
from mizzen.kinds.reading import entries, part

_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")


def default_policy(policy: Obj) -> None:
    spec = part(policy, "spec")
    spec.setdefault("failurePolicy", "Fail")
    if "matchConstraints" in spec:
        default_matching(part(spec, "matchConstraints"))


def default_binding(binding: Obj) -> None:
    spec = part(binding, "spec")
    if "matchResources" in spec:
        default_matching(part(spec, "matchResources"))


def check_constraints(spec: Obj) -> Iterator[Cause]:
    """Causes to refuse what a policy is about."""
    yield from check_choice(spec, "failurePolicy", FAILURES, "spec")
    if "paramKind" in spec:
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


def check_expressions(spec: Obj, scope: Scope) -> Iterator[Cause]:
    """Causes to refuse match conditions and variables; those that compile are in scope then."""
    conditions = Scope(has_params=scope.has_params, has_variables=False)
    yield from check_conditions(
        entries(spec, "matchConditions"), "spec.matchConditions", conditions
    )
    yield from _check_variables(spec, scope)


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
            yield words.invalid(f"{path}.expression", expression, error.told(expression))


def check_binding(spec: Obj) -> Iterator[Cause]:
    """Causes to refuse what all bindings have."""
    name = spec.get("policyName") or ""
    if not name:
        yield words.required("spec.policyName")
    elif problem := dns_subdomain(name):
        yield words.invalid("spec.policyName", name, problem)
    if "paramRef" in spec:
        yield from _check_reference(part(spec, "paramRef"), "spec.paramRef")
    if "matchResources" in spec:
        yield from check_match_resources(part(spec, "matchResources"), "spec.matchResources")


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


def param_kind(policy: Obj, now_ns: int) -> str:
    found = part(policy, "spec.paramKind")
    return f"{found.get('apiVersion')}/{found.get('kind')}" if found else "<unset>"


def param_ref(binding: Obj, now_ns: int) -> str:
    found = part(binding, "spec.paramRef")
    if not found:
        return "<unset>"
    namespace, name = found.get("namespace"), found.get("name") or "*"
    return f"{namespace}/{name}" if namespace else str(name)
